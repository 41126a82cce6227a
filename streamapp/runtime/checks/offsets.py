"""Where topics begin and end now, and what lies where somebody would go on reading."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streamapp.connection import Connection
from streamapp.runtime.broker_errors import TIMEOUT_S, broker_errors
from streamapp.runtime.client import next_batch, reader

__all__ = ["first_records", "offset_bounds", "read_first"]


async def offset_bounds(
    connection: Connection, topics: Sequence[str]
) -> dict[TopicPartition, tuple[int, int]]:
    """Return the first offset that each partition of `topics` holds, and that of its next record.

    Raises
    ------
    BrokerError
        If no broker answers, or a topic does not exist.
    """
    async with reader(connection, topics) as consumer:
        with broker_errors(connection):
            async with asyncio.timeout(TIMEOUT_S):
                partitions = list(consumer.assignment())
                begins = await consumer.beginning_offsets(partitions)
                ends = await consumer.end_offsets(partitions)
    return {partition: (begins[partition], ends[partition]) for partition in partitions}


async def first_records(
    connection: Connection, offsets: Mapping[TopicPartition, int]
) -> dict[TopicPartition, Any]:
    """Return the first record at or after the offset of each partition; none where none can be read.

    Raises
    ------
    BrokerError
        If no broker answers, or a topic does not exist.
    """
    # One byte: Kafka sends the batch that has the record, and no more.
    async with reader(connection, sorted({at.topic for at in offsets}), fetch_bytes=1) as consumer:
        with broker_errors(connection):
            async with asyncio.timeout(TIMEOUT_S):
                return await read_first(consumer, offsets)


async def read_first(
    consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]
) -> dict[TopicPartition, Any]:
    """Return what :func:`first_records` does, by a consumer that is assigned to the partitions."""
    found: dict[TopicPartition, Any] = {}
    begins = await consumer.beginning_offsets(list(offsets))
    ends = dict.fromkeys(consumer.assignment(), 0) | await consumer.end_offsets(list(offsets))
    for at, offset in offsets.items():
        consumer.seek(at, max(offset, begins[at]))
    while batch := await next_batch(consumer, ends):
        for record in batch:
            found.setdefault(TopicPartition(record.topic, record.partition), record)
        ends |= dict.fromkeys(found, 0)
        consumer.pause(*found)
    return found
