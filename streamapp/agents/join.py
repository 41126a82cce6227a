"""JOIN: answers and labels in; labelled rows out, and answers for people to look at."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streamapp.agents.notes import note_dead_letters
from streamapp.agents.versions import Versions, forget_oldest
from streamapp.connection import Connection
from streamapp.quality.join import LOGS, Join, Joined
from streamapp.quality.novelty import Novelty
from streamapp.quality.review import ReviewSampler, Sent, read_sent
from streamapp.quality.review_rate import ReviewRate
from streamapp.quality.store import RocksMemory, RocksStore
from streamapp.runtime.client import existing_topics, next_batch, read_batches
from streamapp.runtime.host import Host
from streamapp.runtime.log_fields import cause
from streamapp.runtime.topic_plans import answer_limit_bytes
from streamapp.runtime.transport import RecordBatch

__all__ = ["JoinAgent"]

_LOOK_EVERY_S = 1.0
_TIMEOUT_S = 10.0
_PATIENCE_S = 5.0
"""With the store, once for each version: labels are joined without what lies there."""
_AT_ONCE = 1_000
"""Entries that are forgotten before batches have their turn again."""

log = logging.getLogger(__name__)


class JoinAgent:
    """One :class:`~streamapp.quality.join.Join` per partition that this process owns.

    Parameters
    ----------
    host
        Of the process.
    versions
        Whose profiles tell which rows are novel.
    """

    def __init__(self, host: Host, versions: Versions) -> None:
        self._host = host
        self._versions = versions
        self._novelties: dict[str, Novelty | None] = {}
        self._late: set[str] = set()
        self._joins: dict[int, Join] = {}
        self._turn = asyncio.Lock()
        self._opened_at = 0
        self._marks: dict[int, _Mark] = {}
        host.agent("join", [host.topics.predictions, host.topics.feedback], self.handle)
        host.on_revoked(self._close)
        host.every(_LOOK_EVERY_S, self._show)
        host.task(self._forget)

    async def handle(self, batches: Sequence[RecordBatch]) -> Sequence[Awaitable[Any]]:
        """Join what came; everything it causes is delivered when this returns."""
        async with self._turn:
            await self._open()
            for batch in batches:
                began_ns = time.time_ns()
                join = self._joins[batch.partition]
                joined = await self._read(join, batch.topic, batch.records)
                await self._deliver(joined)
                join.apply(joined.batch)
                if self._host.traces is not None:
                    self._host.traces.read(batch.records, topic=batch.topic, began_ns=began_ns)
        return []

    async def _read(self, join: Join, topic: str, records: Sequence[Any], sent: Sent | None = None) -> Joined:
        """Read records of either topic; answers again, if a version among them was not known yet."""
        if topic != self._host.topics.predictions:
            await self._versions.log.caught_up.wait()
            join.is_private = self._versions.log.is_private
            return join.feedback(records)
        for version in [each for each in self._late if self._versions.known(each) is not None]:
            self._late.remove(version)
            await self._learn(version)
        joined = join.answers(records, sent=sent)
        if not joined.unknown_versions:
            return joined
        await asyncio.gather(*map(self._learn, sorted(joined.unknown_versions)))
        joined = join.answers(records, sent=sent)
        forget_oldest(self._novelties)
        return joined

    async def _learn(self, version: str) -> None:
        """Learn what is novel to `version`; as long as the store does not answer, nothing is."""
        watched = None
        try:
            async with asyncio.timeout(_PATIENCE_S):
                watched = await self._versions.watched(version)
        except TimeoutError:
            self._late.add(version)
        self._novelties[version] = None if watched is None else Novelty(watched.profile)

    async def _deliver(self, joined: Joined) -> None:
        topics = self._host.topics
        for topic, records in (
            (topics.labelled, joined.rows),
            (topics.feedback, joined.forwards),
            (topics.dead_letters, joined.dead_letters),
            (topics.review, joined.reviews),
        ):
            if records:
                await self._host.deliver(topic, records)
        note_dead_letters(joined.dead_letters)
        self._host.metrics.count_joined(joined.counts)

    async def _show(self) -> None:
        metrics, joins = self._host.metrics, self._joins.values()
        metrics.waiting.set(sum(join.waiting for join in joins))
        metrics.store.labels("join").set(sum(join.store.size_bytes() for join in joins))

    async def _forget(self) -> None:
        """Forget what is over its horizon, for ever, in as many turns as it takes."""
        async with _consumer(self._host.settings.connection) as consumer:
            while True:
                await asyncio.sleep(_LOOK_EVERY_S)
                try:
                    async with asyncio.timeout(_TIMEOUT_S):
                        await self._mark(consumer)
                except (TimeoutError, KafkaError) as exc:  # nothing is lost: it is kept for longer
                    log.warning("where feedback ends is not known: %s", cause(exc))
                for partition in list(self._marks):
                    while await self._expire(partition):
                        pass

    async def _mark(self, consumer: AIOKafkaConsumer) -> None:
        """Note how far stream time and ``feedback`` have come, where the last mark was reached.

        Labels that were there before an answer's horizon was over may not miss it. So stream time is taken
        first, and what it makes due is due when feedback is read up to where it ended then.
        """
        times = {p: join.time.now_ms for p, join in self._joins.items() if p not in self._marks}
        topic, opened_at = self._host.topics.feedback, self._opened_at
        wanted = {TopicPartition(topic, p): now_ms for p, now_ms in times.items() if now_ms is not None}
        if not wanted:
            return
        ends = await consumer.end_offsets(list(wanted))
        begins = await consumer.beginning_offsets(list(wanted))
        if opened_at == self._opened_at:
            for tp, now_ms in wanted.items():
                # Of a topic that holds nothing, nothing is ever committed.
                end = ends[tp] if ends[tp] > begins[tp] else 0
                self._marks[tp.partition] = _Mark(now_ms, end)

    async def _expire(self, partition: int) -> bool:
        """Forget some of what is due in a partition; return whether there may be more."""
        async with self._turn:
            join, mark = self._joins.get(partition), self._marks.get(partition)
            if join is None or mark is None:
                return False
            if (self._host.committed(self._host.topics.feedback, partition) or 0) < mark.feedback_end:
                return False
            join.is_private = self._versions.log.is_private
            joined = join.expire(now_ms=mark.now_ms, limit=_AT_ONCE)
            if not joined.batch.views:
                del self._marks[partition]
                return False
            await self._deliver(joined)
            join.apply(joined.batch)
            return True

    async def _open(self) -> None:
        """Open the stores of the partitions that were assigned, and bring them up to what was committed."""
        if self._opened_at == self._host.assignments:
            return
        host, settings = self._host, self._host.settings
        topics = host.topics
        self._joins.clear()
        self._marks.clear()
        memory = RocksMemory(settings.join_memory_mb << 20)
        partitions = {tp.partition for tp in host.assigned(topics.predictions, topics.feedback)}
        # The broker is asked: the client may not know when it has just joined its group again.
        count = (await existing_topics(settings.connection, [topics.feedback]))[topics.feedback]
        max_bytes = answer_limit_bytes(settings.max_request_bytes)
        sampler = self._sampler(count, max_bytes)
        for partition in sorted(partitions):
            folder = settings.state_dir / settings.name / "join" / str(partition)
            store = RocksStore(folder, memory=memory, logs=LOGS)
            self._joins[partition] = Join(
                store,
                settings.name,
                int(settings.label_horizon_s * 1000),
                partition=partition,
                partitions=count,
                max_bytes=max_bytes,
                sampler=sampler,
                framing=settings.request_framing,
                siblings=self._joins,
            )
        for partition, join in self._joins.items():
            await self._catch_up(partition, join)
        self._opened_at = host.assignments

    def _sampler(self, partitions: int, max_bytes: int) -> ReviewSampler | None:
        """Return what draws for review: each partition has its share of the rate, and of the cap."""
        settings = self._host.settings
        if settings.review_per_hour == 0:
            return None
        cap = settings.review_cap_per_hour
        share = ReviewRate(
            settings.review_per_hour / partitions, None if cap is None else max(cap // partitions, 1)
        )
        return ReviewSampler(settings.name, share, novelties=self._novelties, max_bytes=max_bytes)

    async def _catch_up(self, partition: int, join: Join) -> None:
        """Read what the group has committed and the store has not seen: after a move, or a lost disk.

        Its rows were delivered before it was committed, so they are not delivered again.
        """
        topics = self._host.topics
        for topic in (topics.predictions, topics.feedback):
            end = self._host.committed(topic, partition)
            positions = join.positions()
            start = positions.predictions if topic == topics.predictions else positions.feedback
            if end is None or (start is not None and start >= end):
                continue
            log.info("rebuilding a store", extra={"topic": topic, "partition": partition})
            source = _records(self._host.settings.connection, TopicPartition(topic, partition), start, end)
            sent = await self._sent_reviews(partition) if topic == topics.predictions else None
            async with aclosing(source) as batches:
                async for records in batches:
                    join.apply((await self._read(join, topic, records, sent)).batch)

    async def _sent_reviews(self, partition: int) -> Sent:
        """Return what stands in ``review`` of a partition: draws are not taken back by new settings."""
        sent: dict[str, tuple[float, int]] = {}
        source = read_batches(self._host.settings.connection, self._host.topics.review)
        async with aclosing(source) as batches:
            async for records in batches:
                sent |= read_sent(records, partition)
        return sent

    async def _close(self) -> None:
        async with self._turn:
            for join in self._joins.values():
                join.store.close()
            self._joins.clear()
            self._marks.clear()
            self._opened_at = 0


class _Mark(NamedTuple):
    """A stream time, and where ``feedback`` ended when it was no later than that."""

    now_ms: int
    feedback_end: int


async def _records(
    connection: Connection, partition: TopicPartition, start: int | None, end: int
) -> AsyncGenerator[list[Any], None]:
    """Yield the records of a partition from `start`, or its beginning, up to `end`, exclusive."""
    async with _consumer(connection) as consumer:
        consumer.assign([partition])
        if start is None:
            await consumer.seek_to_beginning(partition)
        else:
            consumer.seek(partition, start)
        while records := await next_batch(consumer, {partition: end}):
            yield records


@asynccontextmanager
async def _consumer(connection: Connection) -> AsyncIterator[AIOKafkaConsumer]:
    """Give a consumer without a group."""
    consumer = AIOKafkaConsumer(
        **connection.client_options,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",  # as the agent itself reads
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
