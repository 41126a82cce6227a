"""``streamapp watch`` while Kafka is away, or refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from streamapp.cli import watch as command
from streamapp.connection import Connection
from streamapp.errors import AccessError
from streamapp.topics import TOPICS, TopicNames
from tests.integration.mock_cluster import Api, Code, MockCluster


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    """One that goes and comes as a test says."""
    with MockCluster() as mock:
        for topic in TOPICS:
            mock.create_topic(TopicNames("bikes")[topic.name])
        yield mock


def follow(cluster: MockCluster) -> asyncio.Task[None]:
    connection, names = Connection(cluster.bootstrap), TopicNames("bikes")
    following = command._watch(connection, names, "requests", start="end", offset=None, as_json=False)
    return asyncio.create_task(following)


def test_a_broker_that_goes_and_comes_back_is_said(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_LOOK_EVERY_S", 0.2)
    said: list[str] = []

    async def until(end: str) -> None:
        while not "".join(said).endswith(end):
            said.append(capsys.readouterr().err)
            await asyncio.sleep(0.02)

    async def run() -> None:
        following = follow(cluster)
        await until("Ctrl-C ends it\n")
        with cluster.down():
            await until("waiting for it\n")
            await asyncio.sleep(0.5)  # it is said once
        await until("answers again\n")
        following.cancel()  # as SIGTERM does
        await following

    asyncio.run(run())
    [_, away, again] = "".join(said).splitlines()
    assert away.startswith(("no Kafka broker answers at", "Kafka at"))
    assert again == f"Kafka at {cluster.bootstrap} answers again"


def test_what_kafka_refuses_ends_it_with_what_to_do(cluster: MockCluster) -> None:
    async def run() -> None:
        cluster.push_partition_errors("bikes.requests", 0, Api.FETCH, Code.TOPIC_AUTHORIZATION_FAILED)
        await follow(cluster)

    with pytest.raises(AccessError, match=r"denies us the topic bikes\.requests"):
        asyncio.run(run())
