from __future__ import annotations

import asyncio
import socket
import time
import uuid
from collections.abc import Sequence
from contextlib import aclosing

import pytest

from streamapp.connection import Connection
from streamapp.errors import BrokerError, ConfigError
from streamapp.messages import CHAMPION_KEY, Champion, Model, Retrain
from streamapp.runtime.admin import create_topics
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import (
    Publication,
    admin_client,
    latest_models,
    partition_counts,
    producer,
    publish,
    read_batches,
    read_topic,
    reader,
)
from streamapp.topics import TopicNames

pytestmark = pytest.mark.broker


@pytest.fixture
def names(broker: Broker) -> TopicNames:
    names = TopicNames(f"client-{uuid.uuid4().hex[:8]}")
    asyncio.run(
        create_topics(
            broker.connection, names, partitions=3, label_horizon_s=86_400, max_request_bytes=1 << 20
        )
    )
    return names


def model(version: str, state: str = "champion") -> Model:
    return Model.parse(
        {
            "version": version,
            "state": state,
            "bundle": f"file:///{version}",
            "sha256": "0" * 64,
            "format": "joblib",
        }
    )


def record_of(names: TopicNames, message: Model | Champion, *, time_ms: int = 1000) -> Publication:
    key = CHAMPION_KEY if isinstance(message, Champion) else message.version.encode()
    return Publication(topic=names.models, key=key, message=message, ce_id="x", time_ms=time_ms)


async def send(
    broker: Broker, topic: str, rows: Sequence[tuple[int, bytes | None, bytes | None, int]]
) -> None:
    async with producer(broker.connection) as client:
        for partition, key, value, timestamp_ms in rows:
            await client.send_and_wait(
                topic, key=key, value=value, partition=partition, timestamp_ms=timestamp_ms
            )


def test_a_topic_is_read_to_its_end_in_the_order_of_each_partition(broker: Broker, names: TopicNames) -> None:
    rows = [(i % 3, b"k", str(i).encode(), 1000) for i in range(30)]

    async def run() -> list[tuple[int, bytes]]:
        await send(broker, names.requests, rows)
        return [(r.partition, r.value) for r in await read_topic(broker.connection, names.requests)]

    read = asyncio.run(run())
    assert sorted(read) == sorted((p, v) for p, _, v, _ in rows if v is not None)
    for partition in range(3):
        of_one = [int(value) for p, value in read if p == partition]
        assert of_one == sorted(of_one)


def test_batches_end_where_the_topic_ended_when_they_were_asked_for(
    broker: Broker, names: TopicNames
) -> None:
    async def run() -> list[bytes]:
        rows = [(0, b"k", b"before", 1000)] * 3
        await send(broker, names.distributions, rows)
        read = []
        async with aclosing(read_batches(broker.connection, names.distributions)) as batches:
            async for batch in batches:
                await send(broker, names.distributions, [(0, b"k", b"after", 1000)])
                read += [record.value for record in batch]
        return read

    assert asyncio.run(run()) == [b"before"] * 3


def test_an_empty_topic_ends_at_once(broker: Broker, names: TopicNames) -> None:
    assert asyncio.run(read_topic(broker.connection, names.requests)) == []


def test_models_are_the_last_record_of_each_version_and_the_pointer(
    broker: Broker, names: TopicNames
) -> None:
    async def run() -> None:
        none = await latest_models(broker.connection, names)
        assert (none.versions, none.champion, none.serving) == ({}, None, None)
        await publish(
            broker.connection,
            names.deployment,
            [
                record_of(names, model("a")),
                record_of(names, Champion(version="a", at=5)),
                record_of(names, model("b", "challenger")),
                record_of(names, model("c")),
                record_of(names, model("a", "retired")),
                record_of(names, Champion(version="b", at=7)),
            ],
        )
        rubbish: list[tuple[int, bytes | None, bytes | None, int]] = [
            (0, b"d", b"{}", 1000),
            (0, b"c", None, 1000),
            (0, CHAMPION_KEY, b"not json", 1000),
        ]
        await send(broker, names.models, rubbish)
        models = await latest_models(broker.connection, names)
        assert {v: m.state for v, m in models.versions.items()} == {"b": "challenger", "a": "retired"}
        assert models.champion == Champion(version="b", at=7)
        assert models.serving == models.versions["b"]

    asyncio.run(run())


def test_what_is_published_is_a_cloud_event(broker: Broker, names: TopicNames) -> None:
    message = Retrain(id="u1", reason="user")
    one = Publication(topic=names.retrain_events, key=b"k", message=message, ce_id="u1", time_ms=1_000)

    async def run() -> None:
        await publish(broker.connection, names.deployment, [one])
        [record] = await read_topic(broker.connection, names.retrain_events)
        assert record.key == b"k"
        assert Retrain.decode(record.value) == message
        assert dict(record.headers) == {
            "ce_specversion": b"1.0",
            "ce_id": b"u1",
            "ce_source": f"/streamapp/{names.deployment}".encode(),
            "ce_type": b"streamapp.retrain.v1",
            "ce_time": b"1970-01-01T00:00:01Z",
            "content-type": b"application/json",
        }

    asyncio.run(run())


@pytest.mark.parametrize(
    ("start", "expected"), [("beginning", [0, 1, 2, 3]), ("end", [3]), (2000, [1, 2, 3]), (5000, [3])]
)
def test_a_reader_begins_where_it_was_told(
    broker: Broker, names: TopicNames, start: str | int, expected: list[int]
) -> None:
    async def run() -> list[int]:
        await send(broker, names.requests, [(0, None, str(i).encode(), 1000 * (i + 1)) for i in range(3)])
        async with reader(broker.connection, [names.requests], start=start) as consumer:  # type: ignore[arg-type]
            await send(broker, names.requests, [(0, None, b"3", 4000)])
            read: list[int] = []
            while 3 not in read:
                read.append(int((await consumer.getone()).value))
            return read

    assert asyncio.run(run()) == expected


def test_partitions_are_counted_without_creating_topics(broker: Broker, names: TopicNames) -> None:
    wanted = [names.requests, names.models, "no-such-topic"]

    async def run() -> dict[str, int]:
        await partition_counts(broker.connection, wanted)
        return await partition_counts(broker.connection, wanted)

    assert asyncio.run(run()) == {names.requests: 3, names.models: 1}


def test_a_deployment_that_is_not_there_is_named_with_the_remedy(broker: Broker) -> None:
    with pytest.raises(BrokerError, match=r"no topic nobody\.models .* streamapp deploy nobody BUNDLE"):
        asyncio.run(latest_models(broker.connection, TopicNames("nobody")))


def test_no_broker_is_one_line_with_the_remedy() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        where = Connection(address)
        for call in (read_topic(where, "t"), publish(where, "t", [])):
            with pytest.raises(BrokerError, match=rf"{address}: start one with streamapp broker") as caught:
                asyncio.run(call)
            assert "\n" not in str(caught.value)


def test_a_listener_that_never_answers_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        where = Connection(address)
        for call in (read_topic(where, "t", timeout_s=0.3), publish(where, "t", [], timeout_s=0.3)):
            with pytest.raises(BrokerError, match=rf"Kafka at {address} did not answer within 0.3 s"):
                asyncio.run(call)


def test_an_address_without_port_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigError, match="--bootstrap 'host:port' must be HOST:PORT"):
        asyncio.run(publish(Connection("host:port"), "t", []))


def test_errors_of_the_block_pass_unchanged(broker: Broker) -> None:
    async def run() -> None:
        async with producer(broker.connection):
            raise FileNotFoundError("mine")

    with pytest.raises(FileNotFoundError, match="mine"):
        asyncio.run(run())


def test_partitions_without_a_leader_are_asked_for_seldom(broker: Broker, names: TopicNames) -> None:
    """For ten questions at once there is a start; then there are two a second."""

    async def asked() -> tuple[int, float]:
        times: list[float] = []
        async with reader(broker.connection, [names.review]) as consumer:
            async with admin_client(broker.connection) as admin:
                await admin.delete_topics([names.review])
            consumer._client.cluster.add_listener(lambda _: times.append(time.monotonic()))
            began = time.monotonic()
            while len(times) < 12:
                await consumer.getmany(timeout_ms=100)
            return len(times), time.monotonic() - began

    questions, took_s = asyncio.run(asked())
    assert questions <= 10 + 2 * took_s + 2


def test_a_client_that_begins_may_ask_a_few_times_at_once(broker: Broker) -> None:
    async def asked() -> list[float]:
        waits = []
        async with producer(broker.connection) as client:
            for _ in range(8):
                began = time.monotonic()
                await client.client.force_metadata_update()
                waits.append(time.monotonic() - began)
        return waits

    assert sorted(asyncio.run(asked()))[4] < 0.4
