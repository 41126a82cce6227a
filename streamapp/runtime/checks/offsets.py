"""Where topics begin and end now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import TopicPartition

from streamapp.connection import Connection
from streamapp.runtime.broker_errors import TIMEOUT_S, broker_errors
from streamapp.runtime.client import reader

__all__ = ["offset_bounds"]


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
