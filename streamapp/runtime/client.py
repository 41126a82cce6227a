"""What commands need of Kafka: write a few messages, read a topic to its end, follow it. No groups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError

from streamapp.connection import Connection
from streamapp.errors import AccessError, BrokerError, ConfigError, MessageError
from streamapp.messages import CHAMPION_KEY, Champion, Message, Model, event_headers
from streamapp.runtime.broker_errors import TIMEOUT_S, broker_errors, hidden_from
from streamapp.runtime.metadata import ask_seldom
from streamapp.runtime.refusal import refusal
from streamapp.topics import TopicNames

__all__ = [
    "Models",
    "Publication",
    "admin_client",
    "all_partition_counts",
    "existing_topics",
    "latest_models",
    "next_batch",
    "partition_counts",
    "producer",
    "publish",
    "read_batches",
    "read_topic",
    "reader",
]

_MAX_REQUEST_BYTES = 64 << 20  # each topic has its own, smaller limit, which the broker knows
_FETCH_WAIT_MS = 50
"""How long a fetch waits for records: a question about offsets waits behind it, on the same connection."""

Start = Literal["beginning", "end"] | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One message that a command writes.

    Attributes
    ----------
    topic
        Full name.
    key
        Of the record.
    message
        Its value; its type gives the CloudEvents type.
    ce_id
        CloudEvents id.
    time_ms
        Event time.
    """

    topic: str
    key: bytes
    message: Message
    ce_id: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class Models:
    """What stands in ``models``.

    Attributes
    ----------
    versions
        In the order of their last record.
    pointers
        What the pointer has been, oldest first, as far back as the topic still knows.
    """

    versions: dict[str, Model] = field(default_factory=dict)
    pointers: list[Champion] = field(default_factory=list)

    def read(self, key: bytes | None, value: bytes | None) -> None:
        """Take the next record of the topic; one that is somebody else's is passed over: the roles log it."""
        with suppress(MessageError):
            if key == CHAMPION_KEY:
                if value is None:
                    self.pointers.clear()
                else:
                    self.pointers.append(Champion.decode(value))
            elif key is not None:
                self.versions.pop(key.decode(errors="replace"), None)
                if value is not None:
                    model = Model.decode(value)
                    self.versions[model.version] = model

    @property
    def champion(self) -> Champion | None:
        """The pointer."""
        return self.pointers[-1] if self.pointers else None

    @property
    def serving(self) -> Model | None:
        """The version that the pointer names, if it has a record."""
        return self.versions.get(self.champion.version) if self.champion else None


async def _start(client: Any, connection: Connection) -> None:
    """Start an aiokafka client, and say why if it is not let in."""
    malformed = ConfigError(f"--bootstrap {connection.bootstrap!r} must be HOST:PORT[,HOST:PORT]")
    if not connection.bootstrap.strip():
        raise malformed
    try:
        await client.start()
    except ValueError:
        raise malformed from None
    except KafkaConnectionError as exc:
        if (reason := await refusal(connection)) is not None:
            raise AccessError(reason) from exc
        raise


@asynccontextmanager
async def _started(client: Any, connection: Connection, timeout_s: float) -> AsyncIterator[Any]:
    """Start and stop an aiokafka client; only its own errors are mapped, not those of the block."""
    ask_seldom(client)
    try:
        with broker_errors(connection, timeout_s=timeout_s):
            async with asyncio.timeout(timeout_s):
                await _start(client, connection)
        yield client
    finally:
        await client.stop()


@asynccontextmanager
async def producer(
    connection: Connection,
    *,
    transactional_id: str | None = None,
    timeout_s: float = TIMEOUT_S,
    linger_ms: int = 5,
    batch_bytes: int = 262_144,
) -> AsyncIterator[AIOKafkaProducer]:
    """Give a producer that delivers in order and once; what was sent is delivered at the end.

    Parameters
    ----------
    connection
        How the cluster is reached.
    transactional_id
        For a producer of transactions. One that begins ends another with the same id.
    timeout_s
        After which the cluster counts as not answering.
    linger_ms
        How long a record waits for others to share its batch.
    batch_bytes
        Of records that go together; a larger one goes alone.

    Raises
    ------
    BrokerError
        If no broker answers.
    ConfigError
        If its `bootstrap` is no address.
    """
    client = AIOKafkaProducer(
        **connection.client_options,
        acks="all",
        enable_idempotence=True,
        transactional_id=transactional_id,
        linger_ms=linger_ms,
        max_batch_size=batch_bytes,
        max_request_size=_MAX_REQUEST_BYTES,
        request_timeout_ms=int(max(timeout_s, 1.0) * 1000),
    )
    async with _started(client, connection, timeout_s) as started:
        yield started


@asynccontextmanager
async def admin_client(
    connection: Connection, *, timeout_s: float = TIMEOUT_S
) -> AsyncIterator[AIOKafkaAdminClient]:
    """Give an admin client for `timeout_s`, and turn whatever goes wrong with it into one line.

    Parameters
    ----------
    connection
        How the cluster is reached.
    timeout_s
        Of the whole block, after which the cluster counts as not answering.

    Raises
    ------
    BrokerError
        If the cluster does not answer, or refuses.
    ConfigError
        If its `bootstrap` is no address.
    """
    admin = AIOKafkaAdminClient(**connection.client_options, request_timeout_ms=int(timeout_s * 1000))
    try:
        with broker_errors(connection, timeout_s=timeout_s):
            async with asyncio.timeout(timeout_s):
                await _start(admin, connection)
                yield admin
    finally:
        await admin.close()


async def all_partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """Return how many partitions each topic of the cluster has."""
    # All topics: asking for some by name would make a cluster with auto-creation create them.
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


async def partition_counts(
    connection: Connection, topics: Sequence[str], *, timeout_s: float = TIMEOUT_S
) -> dict[str, int]:
    """Return how many partitions each of `topics` has; those that do not exist are left out."""
    async with admin_client(connection, timeout_s=timeout_s) as admin:
        counts = await all_partition_counts(admin)
    return {topic: counts[topic] for topic in topics if topic in counts}


async def existing_topics(
    connection: Connection, topics: Sequence[str], *, timeout_s: float = TIMEOUT_S
) -> dict[str, int]:
    """Return how many partitions each of `topics` has.

    Raises
    ------
    BrokerError
        If no broker answers, or one of them does not exist.
    """
    counts = await partition_counts(connection, topics, timeout_s=timeout_s)
    for topic in topics:
        if topic not in counts:
            name = topic.split(".", 1)[0]
            raise BrokerError(
                f"there is no topic {topic} on {connection.bootstrap}{hidden_from(connection, name)}: "
                f"streamapp deploy {name} BUNDLE creates it"
            )
    return counts


@asynccontextmanager
async def reader(
    connection: Connection,
    topics: Sequence[str],
    *,
    start: Start = "end",
    fetch_bytes: int = 8 << 20,
    timeout_s: float = TIMEOUT_S,
) -> AsyncIterator[AIOKafkaConsumer]:
    """Give a consumer without a group, assigned to all partitions of `topics`.

    Parameters
    ----------
    connection
        How the cluster is reached.
    topics
        Full names.
    start
        Where to begin: ``beginning``, ``end``, or a time in milliseconds since the epoch.
    fetch_bytes
        Of a partition at once.
    timeout_s
        After which the cluster counts as not answering.

    Raises
    ------
    BrokerError
        If no broker answers, or a topic does not exist.
    """
    counts = await existing_topics(connection, topics, timeout_s=timeout_s)
    client = AIOKafkaConsumer(
        **connection.client_options,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # of a position that retention has overtaken
        isolation_level="read_committed",  # as the roles read
        max_partition_fetch_bytes=fetch_bytes,
        fetch_max_wait_ms=_FETCH_WAIT_MS,
    )
    async with _started(client, connection, timeout_s) as consumer:
        partitions = [TopicPartition(topic, p) for topic in topics for p in range(counts[topic])]
        consumer.assign(partitions)
        with broker_errors(connection, timeout_s=timeout_s):
            async with asyncio.timeout(timeout_s):
                await _seek(consumer, partitions, start)
        yield consumer


async def _seek(consumer: AIOKafkaConsumer, partitions: list[TopicPartition], start: Start) -> None:
    if start == "beginning":
        await consumer.seek_to_beginning(*partitions)
        return
    ends = await consumer.end_offsets(partitions)
    found = {} if start == "end" else await consumer.offsets_for_times(dict.fromkeys(partitions, start))
    for partition in partitions:
        at = found.get(partition)
        consumer.seek(partition, ends[partition] if at is None else at.offset)


async def read_batches(
    connection: Connection, topic: str, *, start: Start = "beginning", timeout_s: float = TIMEOUT_S
) -> AsyncGenerator[list[Any], None]:
    """Yield the records of `topic` from `start` to where it ends now, as they come.

    Parameters, errors and order as of :func:`read_topic`; only one batch is held in memory.
    """
    async with reader(connection, [topic], start=start, timeout_s=timeout_s) as consumer:
        partitions = list(consumer.assignment())
        with broker_errors(connection, timeout_s=timeout_s):
            async with asyncio.timeout(timeout_s):
                ends = await consumer.end_offsets(partitions)
        while True:
            with broker_errors(connection, timeout_s=timeout_s):
                async with asyncio.timeout(timeout_s):
                    batch = await next_batch(consumer, ends)
            if not batch:
                return
            yield batch


async def next_batch(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> list[Any]:
    """Return the next records before `ends`; none if there are no more."""
    while any([await consumer.position(partition) < end for partition, end in ends.items()]):
        fetched = await consumer.getmany(timeout_ms=200)
        batch = [r for partition, records in fetched.items() for r in records if r.offset < ends[partition]]
        if batch:
            return batch
    return []


async def read_topic(connection: Connection, topic: str, *, timeout_s: float = TIMEOUT_S) -> list[Any]:
    """Return all records of `topic` from its beginning to where it ends now.

    Parameters
    ----------
    connection
        How the cluster is reached.
    topic
        Full name. For compacted topics and small ones: all is held in memory.
    timeout_s
        After which a cluster that sends nothing counts as not answering.

    Returns
    -------
    list of aiokafka.ConsumerRecord
        In the order of each partition.

    Raises
    ------
    BrokerError
        If no broker answers, or the topic does not exist.
    """
    async with aclosing(read_batches(connection, topic, timeout_s=timeout_s)) as batches:
        return [record async for batch in batches for record in batch]


async def latest_models(connection: Connection, names: TopicNames, *, timeout_s: float = TIMEOUT_S) -> Models:
    """Return every version of a deployment, and the pointer to its champion.

    Raises
    ------
    BrokerError
        If no broker answers, or there is no such deployment.
    """
    models = Models()
    for record in await read_topic(connection, names.models, timeout_s=timeout_s):
        models.read(record.key, record.value)
    return models


async def publish(
    connection: Connection,
    deployment: str,
    publications: Sequence[Publication],
    *,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Write `publications` in their order, each delivered before the next.

    Raises
    ------
    BrokerError
        If a topic does not exist, or one could not be delivered; those before it were.
    """
    await existing_topics(connection, [one.topic for one in publications], timeout_s=timeout_s)
    async with producer(connection, timeout_s=timeout_s) as client:
        for one in publications:
            headers = event_headers(deployment, one.message.ce_type, one.ce_id, one.time_ms)
            with broker_errors(connection, timeout_s=timeout_s):
                async with asyncio.timeout(timeout_s):
                    await client.send_and_wait(
                        one.topic, key=one.key, value=one.message.encode(), headers=headers
                    )
