"""JOIN: answers and labels in, labelled rows out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streamapp.quality.join import Join, Joined
from streamapp.quality.store import RocksStore
from streamapp.runtime.client import next_batch
from streamapp.runtime.host import Host
from streamapp.runtime.topic_plans import answer_limit_bytes
from streamapp.runtime.transport import RecordBatch

__all__ = ["JoinAgent"]

_IDLE_S = 5.0

log = logging.getLogger(__name__)


class JoinAgent:
    """One :class:`~streamapp.quality.join.Join` per partition that this process owns.

    Parameters
    ----------
    host
        Of the process.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._joins: dict[int, Join] = {}
        self._turn = asyncio.Lock()
        self._opened_at = 0
        self._read_at = 0.0
        host.agent("join", [host.topics.predictions, host.topics.feedback], self.handle)
        host.on_revoked(self._close)
        host.every(1.0, self._tick)

    async def handle(self, batches: Sequence[RecordBatch]) -> Sequence[Awaitable[Any]]:
        """Join what came; everything it causes is delivered when this returns."""
        async with self._turn:
            await self._open()
            self._read_at = self._host.health.clock()
            for batch in batches:
                join = self._joins[batch.partition]
                is_answers = batch.topic == self._host.topics.predictions
                joined = join.answers(batch.records) if is_answers else join.feedback(batch.records)
                await self._deliver(joined)
                join.apply(joined.batch)
        return []

    async def _deliver(self, joined: Joined) -> None:
        topics = self._host.topics
        for topic, records in (
            (topics.labelled, joined.rows),
            (topics.feedback, joined.forwards),
            (topics.dead_letters, joined.dead_letters),
        ):
            if records:
                await self._host.deliver(topic, records)
        for outcome, count in joined.counts.items():
            self._host.metrics.labels.labels(outcome).inc(count)

    async def _tick(self) -> None:
        """Forget what is over its horizon while nothing comes: then feedback has been read to its end."""
        if not self._joins or self._host.health.clock() - self._read_at < _IDLE_S:
            return
        async with self._turn:
            for join in list(self._joins.values()):
                joined = join.expire()
                if joined.batch.views:
                    await self._deliver(joined)
                    join.apply(joined.batch)

    async def _open(self) -> None:
        """Open the stores of the partitions that were assigned, and bring them up to what was committed."""
        if self._opened_at == self._host.assignments:
            return
        host, settings = self._host, self._host.settings
        topics = host.topics
        self._joins.clear()
        partitions = {tp.partition for tp in host.assigned(topics.predictions, topics.feedback)}
        for partition in sorted(partitions):
            store = RocksStore(settings.state_dir / settings.name / "join" / str(partition))
            self._joins[partition] = Join(
                store,
                settings.name,
                int(settings.label_horizon_s * 1000),
                partition=partition,
                partitions=host.app.consumer.topic_partitions(topics.feedback),
                max_bytes=answer_limit_bytes(settings.max_request_bytes),
                siblings=self._joins,
            )
        for partition, join in self._joins.items():
            await self._catch_up(partition, join)
        self._opened_at = host.assignments

    async def _catch_up(self, partition: int, join: Join) -> None:
        """Read what the group has committed and the store has not seen: after a move, or a lost disk.

        Its rows were delivered before it was committed, so they are not delivered again.
        """
        topics = self._host.topics
        for topic, read in ((topics.predictions, join.answers), (topics.feedback, join.feedback)):
            end = self._host.committed(topic, partition)
            positions = join.positions()
            start = positions.predictions if topic == topics.predictions else positions.feedback
            if end is None or (start is not None and start >= end):
                continue
            log.info("rebuilding the store of partition %d from %s", partition, topic)
            source = _records(self._host.settings.bootstrap, TopicPartition(topic, partition), start, end)
            async with aclosing(source) as batches:
                async for records in batches:
                    join.apply(read(records).batch)

    async def _close(self) -> None:
        async with self._turn:
            for join in self._joins.values():
                join.store.close()
            self._joins.clear()
            self._opened_at = 0


async def _records(
    bootstrap: str, partition: TopicPartition, start: int | None, end: int
) -> AsyncGenerator[list[Any], None]:
    """Yield the records of a partition from `start`, or its beginning, up to `end`, exclusive."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",  # as the agent itself reads
    )
    await consumer.start()
    try:
        consumer.assign([partition])
        if start is None:
            await consumer.seek_to_beginning(partition)
        else:
            consumer.seek(partition, start)
        while records := await next_batch(consumer, {partition: end}):
            yield records
    finally:
        await consumer.stop()
