"""Answers to given requests, found in ``predictions`` although their offsets there are other ones."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from streamapp.connection import Connection
from streamapp.messages import request_offset
from streamapp.runtime.broker_errors import TIMEOUT_S, broker_errors
from streamapp.runtime.client import reader

__all__ = ["read_answers"]

_FETCH_BYTES = 256 << 10
_PROBES = 16
"""Records looked at to find one that tells its request."""


async def read_answers(
    connection: Connection, topic: str, ranges: Mapping[int, tuple[int, int]], *, timeout_s: float = TIMEOUT_S
) -> list[Any]:
    """Return the records of `topic` that answer the requests in `ranges`, as far as they are still there.

    Parameters
    ----------
    connection
        How the cluster is reached.
    topic
        Full name of ``predictions``: answers lie in the partition of their requests, in their order.
    ranges
        Partition to [first, next) offset in ``requests``.
    timeout_s
        After which a cluster that sends nothing counts as not answering.

    Raises
    ------
    BrokerError
        If no broker answers, or the topic does not exist.
    """
    records: list[Any] = []
    async with reader(connection, [topic], fetch_bytes=_FETCH_BYTES, timeout_s=timeout_s) as consumer:
        there = {partition.partition for partition in consumer.assignment()}
        for partition in sorted(there & ranges.keys()):
            first, next_ = ranges[partition]
            with broker_errors(connection, timeout_s=timeout_s):
                async with asyncio.timeout(timeout_s):
                    records += await _range(consumer, TopicPartition(topic, partition), first, next_)
    return records


async def _range(consumer: AIOKafkaConsumer, at: TopicPartition, first: int, next_: int) -> list[Any]:
    consumer.assign([at])
    begin = (await consumer.beginning_offsets([at]))[at]
    end = (await consumer.end_offsets([at]))[at]
    low, high = begin, end
    while low < high:  # the first record that answers `first` or a later request
        middle = (low + high) // 2
        found = await _request_from(consumer, at, middle, end)
        if found is None or found >= first:
            high = middle
        else:
            low = middle + 1
    consumer.seek(at, low)
    records: list[Any] = []
    while await consumer.position(at) < end:
        for record in (await consumer.getmany(at, timeout_ms=200)).get(at, []):
            request = _request(record)
            if request is None or request < first or record.offset >= end:
                continue
            if request >= next_:
                return records
            records.append(record)
    return records


async def _request_from(consumer: AIOKafkaConsumer, at: TopicPartition, offset: int, end: int) -> int | None:
    """Return the request that the record at `offset`, or the next one that tells, is the answer to."""
    consumer.seek(at, offset)
    for _ in range(_PROBES):
        if await consumer.position(at) >= end:
            return None
        fetched = await consumer.getmany(at, timeout_ms=200, max_records=1)
        for record in fetched.get(at, []):
            request = _request(record)
            if request is not None:
                return request
    return None


def _request(record: Any) -> int | None:
    try:
        return request_offset(orjson.loads(record.value or b""))
    except (ValueError, KeyError, TypeError):
        return None
