"""The process that a role's agents live in: topics in, delivery out, state saved, failures fatal.

An agent is a coroutine function that takes what one fetch brought, a
:class:`~streamapp.runtime.transport.RecordBatch` per partition, and returns the futures of what it has sent.
The host reads, waits for delivery, acknowledges in order, saves state before each commit, and ends the
process when something fails that no retry inside it can mend: nothing was committed, so a restart replays it.
Faust itself would acknowledge a record whose agent raised.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import faust
from faust.types import TP, StreamT

from streamapp.connection import Connection
from streamapp.errors import BrokerError, ConfigError
from streamapp.messages import OutRecord
from streamapp.runtime.broker_errors import denial
from streamapp.runtime.health import Health
from streamapp.runtime.log_fields import cause
from streamapp.runtime.metrics import Metrics
from streamapp.runtime.transport import BatchTransport, RecordBatch
from streamapp.settings import Settings
from streamapp.topics import TopicNames

if TYPE_CHECKING:
    from streamapp.runtime.traces import Traces

__all__ = ["EXIT_RETRY", "Host", "StateTable"]

EXIT_RETRY = 75
"""Exit status of a role that must be started again (``EX_TEMPFAIL``)."""

BATCH_LIMIT_BYTES = 900_000
"""Bytes sent to one partition at once: the default of ``max.message.bytes`` is 1 MiB."""

Handler = Callable[[Sequence[RecordBatch]], Awaitable[Sequence[Awaitable[Any]]]]
Hook = Callable[[], Awaitable[None]]

_LOOK_AGAIN_S = 0.05
_YEAR_S = 31_536_000

log = logging.getLogger(__name__)


class Host:
    """One role's Faust app and what its agents need of it.

    Parameters
    ----------
    settings
        Of the deployment and the role.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.topics: TopicNames = settings.topics
        self.app = _faust_app(settings)
        self.transport = BatchTransport(self.app.conf.broker, self.app, before_commit=self._before_commit)
        self.app.transport = self.app.producer_transport = self.transport
        self.health = Health(time.monotonic)
        self.metrics = Metrics(settings.role)
        self.traces = _traces(settings)
        self.pages: dict[str, bytes] = {}
        self._save_hooks: list[Hook] = []
        self._revoked_hooks: list[Hook] = []
        self._end_hooks: list[Callable[[], None]] = []
        self._finishing: set[asyncio.Task[None]] = set()
        self.assignments = 0
        self._reads = ""
        if self.traces is not None:
            self.at_end(self.traces.close)
        self.app.on_rebalance_complete.connect(self._rebalanced)
        self.app.on_partitions_revoked.connect(self._revoked)

    def agent(self, name: str, topics: Sequence[str], handle: Handler) -> None:
        """Run `handle` on every fetch of `topics`, one at a time, in the order of each partition."""

        async def agent(stream: StreamT[Any]) -> None:
            async for event in stream.noack().events():
                try:
                    pending = await handle(event.value)
                except Exception as exc:
                    self.fatal(f"agent {name} failed", exc)
                # Delivery is awaited beside the next batch, not before it; acks settle in order all the same.
                task = asyncio.create_task(self._finish(name, event, pending))
                self._finishing.add(task)
                task.add_done_callback(self._finishing.discard)

        agent.__name__ = name
        self.app.agent(self.transport.topic(*topics), name=name)(agent)

    async def _finish(self, name: str, event: Any, pending: Sequence[Awaitable[Any]]) -> None:
        try:
            await asyncio.gather(*pending)
        except Exception as exc:
            self.fatal(f"what agent {name} sent was not delivered", exc)
        event.ack()

    async def send(
        self, topic: str, records: Iterable[OutRecord], *, max_batch_bytes: int = BATCH_LIMIT_BYTES
    ) -> list[Awaitable[Any]]:
        """Queue `records` and return the futures of their delivery.

        Parameters
        ----------
        topic
            Full name.
        records
            Each with its partition.
        max_batch_bytes
            Most that the topic takes at once: its ``max.message.bytes``, or less.
        """
        producer = self.app.producer
        futures: list[Awaitable[Any]] = await producer.send_records(
            topic, records, max_batch_bytes=min(max_batch_bytes, BATCH_LIMIT_BYTES)
        )
        return futures

    async def deliver(self, topic: str, records: Iterable[OutRecord]) -> list[Any]:
        """Send `records`, wait until they are delivered, and return Kafka's receipt of each batch."""
        return await asyncio.gather(*await self.send(topic, records))

    async def membership(self) -> None:
        """Wait until it is certain that the partitions are still this process's; end the process if not.

        An offset commit of an expelled member is refused by the broker, what it writes elsewhere is not.
        """
        while self.app.consumer.may_be_expelled():
            if self.app.rebalancing:
                self.fatal("state could not be saved", BrokerError("the group has expelled this process"))
            await asyncio.sleep(_LOOK_AGAIN_S)

    def before_commit(self, hook: Hook) -> None:
        """Await `hook` before offsets are committed: it saves the state that covers them."""
        self._save_hooks.append(hook)

    def at_end(self, hook: Callable[[], None]) -> None:
        """Call `hook` when the process ends in order, after the last commit."""
        self._end_hooks.append(hook)

    def end(self) -> None:
        """Let go of what the process holds; called last."""
        for hook in self._end_hooks:
            hook()

    def on_revoked(self, hook: Hook) -> None:
        """Await `hook` when partitions are taken away, after their last commit: let go of what they hold."""
        self._revoked_hooks.append(hook)

    async def _before_commit(self, _: Any) -> None:
        try:
            for hook in self._save_hooks:
                await hook()
        except Exception as exc:
            self.fatal("state could not be saved", exc)

    async def _rebalanced(self, *_: Any, **__: Any) -> None:
        self.assignments += 1  # tables are recovered; whoever caches something of them begins anew
        reads = _listed(self.assigned()) or "nothing: other processes have all partitions"
        if reads != self._reads:  # one assignment may be told of more than once
            self._reads = reads
            log.info("reads %s", reads)

    async def _revoked(self, *_: Any, **__: Any) -> None:
        for hook in self._revoked_hooks:
            await hook()

    def assigned(self, *topics: str) -> list[TP]:
        """Return the partitions of `topics` (default: all that agents read) that this process owns now."""
        wanted = topics or tuple(self.transport.batched)
        return sorted(tp for tp in self.app.consumer.assignment() if tp.topic in wanted)

    def committed(self, topic: str, partition: int) -> int | None:
        """Return the offset that was committed last, None if none ever was."""
        offset: int | None = self.app.consumer.committed(TP(topic, partition))
        return offset

    def table(self, name: str, *, partitions: int | None = None) -> StateTable:
        """Return the table `name` of this role; `partitions` if not as many as the first topic has."""
        return StateTable(self, name, partitions)

    def every(self, seconds: float, hook: Hook) -> None:
        """Await `hook` every `seconds` while the app runs and no rebalance is under way."""

        async def tick() -> None:
            if self.app.rebalancing:
                return
            try:
                await hook()
            except Exception as exc:
                self.fatal(f"{hook.__qualname__} failed", exc)

        tick.__name__ = f"every_{hook.__name__}"
        self.app.timer(interval=seconds)(tick)

    def task(self, run: Callable[[], Awaitable[None]]) -> None:
        """Run `run` beside the agents from the start; a failure of it is fatal."""

        async def guarded() -> None:
            try:
                await run()
            except Exception as exc:
                self.fatal(f"{run.__qualname__} failed", exc)

        guarded.__name__ = f"task_{run.__name__}"
        self.app.task(guarded)

    def fatal(self, what: str, exc: BaseException) -> NoReturn:
        """End the process at once. Nothing that is open was committed; a restart replays it."""
        why = denial(exc, self.settings.connection) or cause(exc)
        log.critical("%s: %s; exiting to start again", what, why, exc_info=exc)
        self.end()
        logging.shutdown()
        os._exit(EXIT_RETRY)

    @staticmethod
    def now_ms() -> int:
        """Return the wall clock, milliseconds since the epoch."""
        return time.time_ns() // 1_000_000


class StateTable:
    """A Faust table of bytes by bytes key whose partition is given, not computed from the key.

    Written through the producer directly, so that its delivery can be awaited; read after recovery.
    """

    def __init__(self, host: Host, name: str, partitions: int | None = None) -> None:
        self._host, self._name = host, name
        self._table = host.app.Table(name, key_type=bytes, value_type=bytes, partitions=partitions)
        self._changelog = host.topics.changelog(host.settings.role, name)

    def get(self, key: bytes) -> bytes | None:
        """Return what was stored last under `key`."""
        value: bytes | None = self._table.data.get(key)
        return value

    async def put(self, items: Iterable[tuple[int, bytes, bytes]]) -> None:
        """Store (partition, key, value) items and wait until the changelog has them."""
        items = list(items)
        await self._host.membership()
        await self._host.deliver(
            self._changelog, [OutRecord(partition, key, value) for partition, key, value in items]
        )
        for _, key, value in items:
            self._table.data[key] = value
        self._host.metrics.store.labels(self._name).set(sum(map(len, self._table.data.values())))


def _traces(settings: Settings) -> Traces | None:
    """Return what makes traces; None, and nothing is imported for them, if they are off."""
    if settings.traces == 0:
        return None
    try:
        from streamapp.runtime.traces import exporting  # noqa: PLC0415
    except ModuleNotFoundError as exc:
        raise ConfigError(
            f"traces = {settings.traces:g}, and {exc.name} is not installed: pip install 'streamapp[otel]'"
        ) from exc
    return exporting(settings)


def _listed(partitions: Iterable[TP]) -> str:
    """Return partitions as a log has them: ``bikes.requests 0 1 2, bikes.feedback 0``."""
    by_topic: dict[str, list[int]] = {}
    for tp in partitions:
        by_topic.setdefault(tp.topic, []).append(tp.partition)
    return ", ".join(f"{topic} {' '.join(map(str, found))}" for topic, found in by_topic.items())


def _state_folder(settings: Settings) -> Path:
    """Return this deployment's folder for state, which is made if need be."""
    folder = settings.state_dir / settings.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(
            f"state folder {folder} cannot be made: {exc.strerror}; set STREAMAPP_STATE_DIR to another one"
        ) from exc
    return folder


def _credentials(connection: Connection) -> Any:
    """Return `connection` as Faust has it; None is plain text."""
    if connection.sasl_password is not None:
        return faust.SASLCredentials(
            username=connection.sasl_username,
            password=connection.sasl_password.get_secret_value(),
            mechanism=connection.sasl_mechanism,
            ssl_context=connection.ssl_context,
        )
    return connection.ssl_context and faust.SSLCredentials(connection.ssl_context)


def _faust_app(settings: Settings) -> faust.App:
    member = settings.member_id
    # There are no heartbeats while the model computes, and a member must not be silent for a whole session.
    session_s = max(10.0, settings.predict_timeout + 5)
    return faust.App(
        settings.app_id,
        broker=[f"kafka://{server.strip()}" for server in settings.bootstrap.split(",")],
        broker_credentials=_credentials(settings.connection),
        broker_client_id=member,
        # Static membership: a restart under the same id takes its partitions back without a rebalance. Faust
        # checks that a cached assignment carries its own URL, so the URL must follow from the id alone.
        consumer_group_instance_id=member,
        canonical_url=f"http://{member}",
        consumer_auto_offset_reset="earliest",
        # An idle consumer that leaves its group never comes back (aiokafka waits for a fetch that Faust has
        # stopped); heartbeats and the watchdog see dead members, so the poll interval need not.
        broker_max_poll_interval=_YEAR_S,
        broker_commit_interval=settings.commit_interval,
        broker_session_timeout=session_s,
        broker_heartbeat_interval=3,
        broker_rebalance_timeout=30,
        broker_request_timeout=max(30.0, session_s),
        stream_wait_empty=True,
        producer_linger=0,
        producer_acks=-1,
        producer_max_request_size=64 << 20,  # each topic has its own, smaller limit
        producer_request_timeout=30,
        consumer_max_fetch_size=1 << 20,
        topic_allow_declare=False,
        topic_disable_leader=True,
        # 1 without tables, or Faust takes an assignor that keeps no partitions together
        table_standby_replicas=0 if settings.role != "train" else 1,
        store="memory://",
        datadir=str(_state_folder(settings) / "faust"),  # it is made, though nothing is kept there
        web_enabled=False,  # its pages say OK whatever happens; runtime/web.py has those of the contract
        stream_buffer_maxsize=4096,
        logging_config=None,
    )
