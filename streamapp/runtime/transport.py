"""Batches of records through Faust: one event per fetch, one prepared batch per produce.

Faust handles one event at a time: some eighty microseconds each, whatever the agent does. Here an event
carries what a fetch brought from all partitions of a topic, so that cost (and that of a call of the model)
is paid once per fetch, and Faust still keeps groups, rebalances, tables, recovery and lifecycle. All that
touches its internals is here; ``tests/runtime/test_faust_guard.py`` fails when one of them changes.

Delivery rests on four rules, each of which Faust alone does not keep:

- An event is acknowledged by its agent, strictly after its answers were delivered; offsets are committed in
  order and never past an open event.
- State is saved (``before_commit``) before the offsets that it covers are committed, and never by a process
  that may have been expelled from its group: it would undo what the next owner has written.
- What arrives while a rebalance is under way is dropped unread: Faust clears its queues and seeks to the
  committed offsets at the end of one. A fetch that was waiting all the while may come back after that seek,
  so whoever drops something seeks once more: these records come again.
- What was acknowledged before a rebalance is committed in it, not replayed after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import faust
from aiokafka.producer.message_accumulator import BatchBuilder
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service
from mode.utils.futures import maybe_async

from streamapp.errors import BrokerError
from streamapp.messages import OutRecord, encode_batches
from streamapp.runtime.metadata import ask_seldom

__all__ = ["BatchTransport", "RecordBatch"]

log = logging.getLogger(__name__)

_OPEN_EVENTS = 2  # per partition: one in the agent, one waiting; with one, latency waits for each delivery
_FETCH_WAIT_MS = 20
_EVENT_RECORDS = 1_000  # partitions share an event until it has so many: a larger one gains nothing
_SURE_OF_SESSION = 0.8  # the rest is for what is on its way
_HELD_POLL_S = 0.01  # how often a held partition is looked at while others are fetched

BeforeCommit = Callable[[Mapping[TP, int]], Awaitable[None]]


class RecordBatch(NamedTuple):
    """Consecutive records of one partition. The value of an event is a list of them, one per partition."""

    topic: str
    partition: int
    records: Sequence[Any]
    """aiokafka ``ConsumerRecord``: ``partition, offset, timestamp, key, value, headers``; bytes untouched."""


class _Batches(faust.Schema):  # type: ignore[misc]
    """Hands the batch to the agent as it is; agents decode."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:
        return None

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        return message.value


class _ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's consumer thread, without a thread: it runs in the loop that it serves.

    Two threads of Python wait for each other's turns, and each fetch and each answer would change between
    them a few times: half the time to an answer. Heartbeats are late while the model computes, which its
    time limit bounds to less than a session.

    Fetches do not wait long nor see aborted transactions, and heartbeats are noted.

    Attributes
    ----------
    member_at
        When this process last certainly was a member of its group, monotonic seconds.
    """

    member_at = float("-inf")

    def __init__(self, consumer: Any, *, loop: Any, **kwargs: Any) -> None:
        super().__init__(consumer, loop=loop, thread_loop=loop, **kwargs)

    async def maybe_start(self) -> bool:
        return bool(await Service.maybe_start(self))

    async def start(self) -> None:
        await Service.start(self)

    async def crash(self, exc: BaseException) -> None:
        await Service.crash(self, exc)

    async def stop(self) -> None:
        await Service.stop(self)

    async def on_stop(self) -> None:
        await self._shutdown_thread()

    async def call_thread(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await maybe_async(fun(*args, **kwargs))

    async def on_start(self) -> None:
        await super().on_start()
        coordinator = self._ensure_consumer()._coordinator
        beat = coordinator._do_heartbeat

        async def noted() -> bool:
            sent_at = time.monotonic()
            is_member = bool(await beat())
            if is_member:
                self.member_at = sent_at
            return is_member

        coordinator._do_heartbeat = noted

    async def rejoin(self) -> None:
        await self.call_thread(self._rejoin)

    async def _rejoin(self) -> None:
        consumer = self._ensure_consumer()
        await consumer._client.force_metadata_update()  # the leader shares out what it knows of
        consumer._coordinator.request_rejoin()

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # A broker has one fetch at a time. Faust lets it wait 1.5 s for partitions where nothing comes, and
        # those that have just been read, and have more, must wait with it.
        consumer._fetch_max_wait_ms = _FETCH_WAIT_MS
        consumer._isolation_level = "read_committed"
        ask_seldom(consumer)
        return consumer

    def read_to(self, tp: TP) -> int | None:
        """Return the offset of the next record to be fetched, None if that is not known."""
        subscription = self._ensure_consumer()._subscription.subscription
        state = subscription and subscription.assignment and subscription.assignment.state_value(tp)
        return state.position if state and state.has_valid_position else None


class _NoRecords(NamedTuple):
    """Stands among events for offsets that were read and hold no record: nothing in them is open.

    Control records of transactions, and all records of aborted ones, are such. Uncommitted, they would look
    like lag for as long as nothing follows them.
    """

    acked: bool = True


class _Consumer(driver.Consumer):  # type: ignore[misc]
    """Faust's consumer, with batches on the transport's batched topics."""

    def __init__(self, transport: BatchTransport, *args: Any, **kwargs: Any) -> None:
        self._batched = transport.batched
        self._before_commit = transport.before_commit
        self._in_flight: dict[TP, deque[tuple[Any, int]]] = defaultdict(deque)
        self._settled: dict[TP, int] = {}
        self._read_to: dict[TP, int] = {}
        self._is_astray = False
        self._progress = asyncio.Event()
        super().__init__(transport, *args, **kwargs)

    def _new_consumer_thread(self) -> Any:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, list[Any]]:
        if self._is_astray and not self.app.rebalancing:  # nothing was handed on since the rebalance
            self._is_astray = False
            await self.perform_seek()
        rebalances = self.app.rebalancing_count
        wanted = set(active_partitions or ())
        held = {
            tp
            for tp in wanted
            if tp.topic in self._batched
            and (self.app.rebalancing or len(self._in_flight.get(tp, ())) >= _OPEN_EVENTS)
        }
        if held and held == wanted:
            self._progress.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._progress.wait(), 0.1)
            return {}
        before = {tp: self._thread.read_to(tp) for tp in wanted - held if tp.topic in self._batched}
        fetched = await super()._getmany(wanted - held, _HELD_POLL_S if held else timeout)
        is_stale = self.app.rebalancing or rebalances != self.app.rebalancing_count
        events: dict[TP, list[Any]] = {}
        shared: dict[str, list[RecordBatch]] = {}
        for tp, records in fetched.items():
            if tp.topic not in self._batched:
                events[tp] = records
            elif records and is_stale:
                self._is_astray = True
            elif records:
                self._check_forward(tp, records[0].offset)
                batches = shared.get(tp.topic)
                if batches is None or sum(len(batch.records) for batch in batches) >= _EVENT_RECORDS:
                    shared[tp.topic] = batches = []
                    events[tp] = [batches]  # an event of its first partition, for Faust
                batches.append(RecordBatch(tp.topic, tp.partition, records))
                # There may be offsets behind the last record that hold none.
                self._read_to[tp] = max(records[-1].offset + 1, self._thread.read_to(tp) or 0)
        for tp, start in before.items():
            end = self._thread.read_to(tp)
            if tp in fetched or start is None or end is None or end <= start or is_stale:
                continue
            self._in_flight[tp].append((_NoRecords(), end))
            self._settle(tp)
        return events

    def _check_forward(self, tp: TP, offset: int) -> None:
        """Bear a position that went back, which is what aiokafka does when a broker calls it out of range.

        Faust would drop what it has read before, and the partition would wait for ever for it to be done. In
        mid-stream a restart is better: the error may be over, and what was committed be right. When nothing
        was read yet, it is not over: Kafka has lost records, and what it has left is read again.

        Raises
        ------
        BrokerError
            In mid-stream.
        """
        expected = self._read_to.get(tp, self._read_offset[tp])
        if expected is None or offset >= expected:
            return
        if tp in self._read_to:
            raise BrokerError(f"{tp} goes back from offset {expected} to {offset}")
        log.warning(
            "%s has lost what was committed of partition %d, up to %d: reading again from %d",
            tp.topic, tp.partition, expected, offset,
        )  # fmt: skip
        self._read_offset[tp] = self._committed_offset[tp] = None

    def _to_message(self, tp: TP, record: Any) -> Any:
        if tp.topic not in self._batched:
            return super()._to_message(tp, record)
        batches: list[RecordBatch] = record
        message = super()._to_message(tp, batches[0].records[-1])
        message.key, message.value, message.headers = None, batches, None
        message.offset = self._read_to[tp] - 1
        for batch in batches:
            own = TP(batch.topic, batch.partition)
            self._in_flight[own].append((message, self._read_to[own]))
        return message

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if tp.topic not in self._batched:  # the offsets inside a batch are no gap
            await super()._add_gap(tp, offset_from, offset_to)

    def ack(self, message: Any) -> bool:
        acked: bool = super().ack(message)
        if message.topic in self._batched:
            self._acked[message.tp].clear()  # the order of batches is kept in _in_flight
            self._acked_index[message.tp].clear()
            for batch in message.value:
                self._settle(TP(batch.topic, batch.partition))
            self._progress.set()
        return acked

    def _settle(self, tp: TP) -> None:
        """Move the acknowledged head of what is in flight to what may be committed."""
        in_flight = self._in_flight[tp]
        while in_flight and in_flight[0][0].acked:
            self._settled[tp] = in_flight.popleft()[1]

    def _filter_committable_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        offsets: dict[TP, int] = super()._filter_committable_offsets(
            tp for tp in tps if tp.topic not in self._batched
        )
        for tp, offset in self._settled.items():
            committed = self._committed_offset[tp]
            if committed is None or offset > committed:
                offsets[tp] = offset
        return offsets

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        await self._before_commit(offsets)
        before = {tp: self._committed_offset[tp] for tp in offsets}
        done: bool = await super()._commit_offsets(offsets, start_new_transaction)
        if not done:  # Faust takes them for committed all the same
            self._committed_offset.update(before)
        return done

    async def commit_and_end_transactions(self) -> None:
        # commit() does nothing while another is under way, and that one may not cover the last acks
        await self.maybe_wait_for_commit_to_finish()
        await super().commit_and_end_transactions()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self._thread.member_at = time.monotonic()
        await super().on_partitions_assigned(assigned, generation_id)

    async def rejoin(self) -> None:
        """Ask the group to share out the partitions anew; only its leader is heard."""
        await self._thread.rejoin()

    def may_be_expelled(self) -> bool:
        """Return whether the group may have given this process's partitions to another by now.

        So it is after the process was stopped, or cut off from the broker, for about a session: no heartbeat
        has said otherwise since.
        """
        session_s = self.app.conf.broker_session_timeout * _SURE_OF_SESSION
        return bool(time.monotonic() - self._thread.member_at > session_s)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        await super().on_partitions_revoked(revoked)  # waits for open events and commits what is settled
        for tp in revoked:
            self._in_flight.pop(tp, None)
            self._settled.pop(tp, None)
            self._read_to.pop(tp, None)

    def committed(self, tp: TP) -> int | None:
        """Return the offset committed last, None if none ever was."""
        offset: int | None = self._committed_offset[tp]
        return offset


class _Producer(driver.Producer):  # type: ignore[misc]
    """Faust's producer, with prepared batches to known partitions."""

    def _new_producer(self, transactional_id: str | None = None) -> Any:
        producer = super()._new_producer(transactional_id)
        ask_seldom(producer)
        return producer

    async def send_records(
        self, topic: str, records: Iterable[OutRecord], *, max_batch_bytes: int
    ) -> list[Awaitable[Any]]:
        """Queue `records`; each returned future resolves when its batch was delivered.

        Raises
        ------
        BrokerError
            If Kafka refuses at once, e.g. a topic that does not exist.
        """
        producer = self._ensure_producer()
        by_partition: dict[int, list[OutRecord]] = defaultdict(list)
        for record in records:
            by_partition[record.partition].append(record)
        time_ms = time.time_ns() // 1_000_000
        futures: list[Awaitable[Any]] = []
        try:
            if not by_partition.keys() <= (producer.client.cluster.partitions_for_topic(topic) or set()):
                await producer.client.force_metadata_update()  # some are new
            for partition, outgoing in by_partition.items():
                for data, count in encode_batches(outgoing, time_ms=time_ms, max_bytes=max_batch_bytes):
                    batch = _EncodedBatch(data, count)
                    futures.append(await producer.send_batch(batch, topic, partition=partition))
        except driver.KafkaError as exc:
            raise BrokerError(f"cannot send to {topic}: {exc!r}") from exc
        return futures


class _EncodedBatch(BatchBuilder):  # type: ignore[misc]
    """A batch for aiokafka's producer that needs no building."""

    def __init__(self, data: bytes, count: int) -> None:
        self._buffer, self._relative_offset, self._closed = data, count, True


class BatchTransport(driver.Transport):  # type: ignore[misc]
    """Faust's transport with batches.

    Parameters
    ----------
    url, app
        As Faust's own.
    before_commit
        Awaited ahead of every offset commit with the offsets; saves the state that covers them.
    """

    Consumer = _Consumer
    Producer = _Producer

    def __init__(self, url: Any, app: Any, *, before_commit: BeforeCommit, **kwargs: Any) -> None:
        self.batched: set[str] = set()
        self.before_commit = before_commit
        super().__init__(url, app, **kwargs)

    def topic(self, *names: str) -> Any:
        """Return the Faust topic of these names, whose events will be batches."""
        self.batched.update(names)
        return self.app.topic(*names, schema=_Batches())
