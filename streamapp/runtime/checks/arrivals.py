"""How many records have come to topics lately: from offsets by time, without reading what is in them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from streamapp.connection import Connection
from streamapp.runtime.broker_errors import TIMEOUT_S, broker_errors
from streamapp.runtime.checks.offsets import read_first
from streamapp.runtime.client import reader

__all__ = ["DAY_MS", "Arrivals", "Stretch", "begun_ms", "read_arrivals"]

DAY_MS = 86_400_000
_ENOUGH_MS = 3_600_000
"""A burst of minutes says nothing of how many come in a day."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What came to a topic in the last day, or since there is anything.

    Attributes
    ----------
    records
        How many.
    over_ms
        In which time, until now; a day if there is anything older, 0 if there is nothing at all.
    busy_ms
        From its beginning to the newest record.
    """

    records: int = 0
    over_ms: int = 0
    busy_ms: int = 0

    @property
    def per_s(self) -> float | None:
        """Records a second in the mean; None where there was neither a day of them nor an hour.

        Examples
        --------
        >>> Arrivals(7_200, over_ms=7_200_000, busy_ms=7_190_000).per_s
        1.0
        >>> Arrivals(7_200, over_ms=7_200_000, busy_ms=10_000).per_s is None
        True
        """
        if self.over_ms < DAY_MS and self.busy_ms < _ENOUGH_MS:
            return None
        return 1_000 * self.records / self.over_ms


@dataclass(frozen=True, slots=True)
class Stretch:
    """The records of a partition since some time: there is one at least.

    Attributes
    ----------
    begin
        First offset that the partition still has.
    first, first_ms
        Offset and time of the first of them.
    end
        Offset of the next record.
    """

    begin: int
    first: int
    first_ms: int
    end: int


def begun_ms(stretches: Sequence[Stretch], since_ms: int) -> int:
    """Return from when on a topic has all that came since `since_ms`.

    That is later where the topic is younger, or keeps its records for less. The partition with most of them
    tells: in one that hardly anything comes to, the first may have come just now.

    Examples
    --------
    >>> begun_ms([Stretch(begin=0, first=40, first_ms=1_007, end=50)], 1_000)
    1000
    >>> begun_ms([Stretch(begin=40, first=40, first_ms=1_007, end=50)], 1_000)
    1007
    """
    busiest = max(stretches, key=lambda own: own.end - own.first)
    return since_ms if busiest.first > busiest.begin else busiest.first_ms


async def read_arrivals(connection: Connection, topics: Sequence[str], *, now_ms: int) -> dict[str, Arrivals]:
    """Return what came to each of `topics` in the last day.

    Times are those of records. Where the clock that gives them is ahead of the one here, the newest record
    says what time it is.

    Parameters
    ----------
    connection
        How the cluster is reached.
    topics
        Full names.
    now_ms
        By the clock here.

    Raises
    ------
    BrokerError
        If no broker answers, or a topic does not exist.
    """
    # One byte: Kafka sends the batch that has the newest record, and no more.
    async with reader(connection, topics, fetch_bytes=1) as consumer:
        with broker_errors(connection):
            async with asyncio.timeout(TIMEOUT_S):
                return {topic: await _arrivals(consumer, topic, now_ms) for topic in topics}


async def _arrivals(consumer: AIOKafkaConsumer, topic: str, now_ms: int) -> Arrivals:
    partitions = [at for at in consumer.assignment() if at.topic == topic]
    begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    bounds = {at: (begins[at], ends[at]) for at in partitions if ends[at] > begins[at]}
    nothing = Arrivals(over_ms=DAY_MS if any(ends.values()) else 0)
    if not bounds:
        return nothing
    newest = await read_first(consumer, {at: end - 1 for at, (_, end) in bounds.items()})
    newest_ms = max((record.timestamp for record in newest.values()), default=0)
    now_ms = max(now_ms, newest_ms)
    stretches = await _since(consumer, bounds, now_ms - DAY_MS)
    if not stretches:
        return nothing
    start_ms = begun_ms(stretches, now_ms - DAY_MS)
    if start_ms > now_ms - DAY_MS:
        stretches = await _since(consumer, bounds, start_ms)
    records = sum(own.end - own.first for own in stretches)
    return Arrivals(records, over_ms=now_ms - start_ms, busy_ms=newest_ms - start_ms)


async def _since(
    consumer: AIOKafkaConsumer, bounds: Mapping[TopicPartition, tuple[int, int]], since_ms: int
) -> list[Stretch]:
    found = await consumer.offsets_for_times(dict.fromkeys(bounds, since_ms))
    return [
        Stretch(begin, first.offset, first.timestamp, end)
        for at, (begin, end) in bounds.items()
        if (first := found.get(at)) is not None and first.offset < end
    ]
