"""The records that dead letters are about, read back where they lie."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streamapp.connection import Connection
from streamapp.messages import DeadLetter, Record
from streamapp.runtime.broker_errors import TIMEOUT_S, broker_errors
from streamapp.runtime.client import reader

__all__ = ["Originals", "Place"]

Place = tuple[str, int, int]
"""Topic, partition and offset."""

_FETCH_BYTES = 1 << 20
_POLL_MS = 200
_GAP = 2_000
"""Records that are rather read than passed over: going elsewhere waits for the fetch that is under way."""


class Originals:
    """Reads records of the topics that letters come from; connects when the first are asked for.

    Parameters
    ----------
    stack
        What closes the connection.
    connection
        How the cluster is reached.
    topics
        Full names.
    """

    def __init__(self, stack: AsyncExitStack, connection: Connection, topics: Sequence[str]) -> None:
        self._stack = stack
        self._connection = connection
        self._topics = topics
        self._consumer: AIOKafkaConsumer | None = None
        self._bounds: dict[TopicPartition, tuple[int, int]] = {}

    async def read(self, letters: Sequence[DeadLetter]) -> dict[Place, Record]:
        """Return what lies at the positions that `letters` name, as far as it still does.

        Raises
        ------
        BrokerError
            If no broker answers.
        """
        if not letters:
            return {}
        consumer = self._consumer or await self._connect()
        found: dict[Place, Record] = {}
        left = self._wanted(letters)
        for at, offsets in left.items():
            consumer.seek(at, offsets[0])
        consumer.resume(*left)
        with broker_errors(self._connection):
            async with asyncio.timeout(TIMEOUT_S) as limit:
                while left:
                    fetched: dict[TopicPartition, Any] = await consumer.getmany(*left, timeout_ms=_POLL_MS)
                    for at, records in fetched.items():
                        wanted = set(left[at])
                        places = {(at.topic, at.partition, record.offset): record for record in records}
                        found |= {place: record for place, record in places.items() if place[2] in wanted}
                        limit.reschedule(asyncio.get_running_loop().time() + TIMEOUT_S)
                    for at in list(left):
                        if not await _go_on(consumer, at, left[at]):
                            consumer.pause(at)
                            del left[at]
        return found

    def _wanted(self, letters: Sequence[DeadLetter]) -> dict[TopicPartition, deque[int]]:
        """Return the offsets to read, of each partition in their order."""
        offsets: dict[TopicPartition, set[int]] = defaultdict(set)
        for letter in letters:
            at = TopicPartition(letter.topic, letter.partition)
            first, end = self._bounds.get(at, (0, 0))
            if first <= letter.offset < end:
                offsets[at].add(letter.offset)
        return {at: deque(sorted(wanted)) for at, wanted in offsets.items()}

    async def _connect(self) -> AIOKafkaConsumer:
        opened = reader(self._connection, self._topics, fetch_bytes=_FETCH_BYTES)
        consumer = await self._stack.enter_async_context(opened)
        with broker_errors(self._connection):
            async with asyncio.timeout(TIMEOUT_S):
                partitions = list(consumer.assignment())
                begins = await consumer.beginning_offsets(partitions)
                ends = await consumer.end_offsets(partitions)
        consumer.pause(*partitions)
        self._bounds = {at: (begins[at], ends[at]) for at in partitions}
        self._consumer = consumer
        return consumer


async def _go_on(consumer: AIOKafkaConsumer, at: TopicPartition, offsets: deque[int]) -> bool:
    """Drop the offsets that were passed, and go to the next if it is far; return whether there is one."""
    position = await consumer.position(at)
    while offsets and offsets[0] < position:
        offsets.popleft()
    if offsets and offsets[0] - position > _GAP:
        consumer.seek(at, offsets[0])
    return bool(offsets)
