"""``labelled`` as TRAIN reads it: what it trained on last is kept, so that only what is new is fetched."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streamapp.connection import Connection
from streamapp.messages import OffsetRange, event_time_ms
from streamapp.quality.labelled_rows import LabelledRows
from streamapp.runtime.client import next_batch
from streamapp.runtime.metadata import ask_seldom

__all__ = ["LabelledLog", "log_consumer", "read_to_end"]

Row = tuple[int, bytes | None, int]
"""Offset, value and event time of a record."""


@asynccontextmanager
async def log_consumer(connection: Connection) -> AsyncIterator[AIOKafkaConsumer]:
    """Give a consumer without a group, to be assigned to what is read, for the time of the block."""
    consumer = AIOKafkaConsumer(
        **connection.client_options,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 << 20,
    )
    ask_seldom(consumer)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


class LabelledLog:
    """The newest rows of ``labelled``, in memory as far as they were asked for.

    Parameters
    ----------
    consumer
        Started, without a group; it is assigned to what is read.
    topic
        Full name.
    keep
        Rows that are kept at most: about 0.5 KB each.
    """

    def __init__(self, consumer: AIOKafkaConsumer, topic: str, *, keep: int) -> None:
        self._consumer = consumer
        self._at = TopicPartition(topic, 0)
        self._kept: deque[Row] = deque(maxlen=keep)

    async def bounds(self) -> tuple[int, int]:
        """Return the first offset that the topic still holds, and that of its next record."""
        begin = (await self._consumer.beginning_offsets([self._at]))[self._at]
        end = (await self._consumer.end_offsets([self._at]))[self._at]
        return begin, end

    async def rows(self, parts: Sequence[OffsetRange]) -> list[Row]:
        """Return the rows in `parts`."""
        rows: list[Row] = []
        for part in parts:
            rows += await self._part(part.start, part.end)
        return rows

    async def table(self, start: int, end: int) -> LabelledRows:
        """Return the rows from offset `start` up to `end`, exclusive, as columns."""
        rows = await self._part(start, end)
        return LabelledRows.read(
            [value for _, value, _ in rows],
            [offset for offset, _, _ in rows],
            [time_ms for _, _, time_ms in rows],
        )

    async def _part(self, start: int, end: int) -> list[Row]:
        kept = self._kept
        if end - start > (kept.maxlen or 0):  # somebody asked for more than is ever kept
            return [_row(record) for record in await _read(self._consumer, self._at, start, end)]
        if not kept or not kept[0][0] <= start <= kept[-1][0] + 1:
            kept.clear()
            first = start
        else:
            first = kept[-1][0] + 1
        if first < end:
            kept.extend(map(_row, await _read(self._consumer, self._at, first, end)))
        return [row for row in kept if start <= row[0] < end]


def _row(record: Any) -> Row:
    return record.offset, record.value, event_time_ms(record.headers, record.timestamp)[0]


async def read_to_end(consumer: AIOKafkaConsumer, topic: str) -> list[Any]:
    """Return all records of a topic of one partition, up to where it ends now."""
    at = TopicPartition(topic, 0)
    begin = (await consumer.beginning_offsets([at]))[at]
    end = (await consumer.end_offsets([at]))[at]
    return await _read(consumer, at, begin, end)


async def _read(consumer: AIOKafkaConsumer, at: TopicPartition, start: int, end: int) -> list[Any]:
    consumer.assign([at])
    consumer.seek(at, start)
    records: list[Any] = []
    while batch := await next_batch(consumer, {at: end}):
        records += batch
    return records
