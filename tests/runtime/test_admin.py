"""Topics on a real broker: created as the contract says, grown, and checked."""

from __future__ import annotations

import asyncio
import re
import socket

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewPartitions, NewTopic

from streamapp.connection import Connection
from streamapp.errors import BrokerError, ConfigError
from streamapp.runtime.admin import create_topics, grow_partitions
from streamapp.runtime.broker import Broker
from streamapp.runtime.topic_plans import LOG_MESSAGE_BYTES, answer_limit_bytes
from streamapp.runtime.topic_problems import check_topics
from streamapp.topics import CHANGELOGS, TopicNames

pytestmark = pytest.mark.broker

DAY_S = 86_400
DAY_MS = DAY_S * 1_000


@pytest.fixture
def client(broker: Broker) -> AdminClient:
    return AdminClient({"bootstrap.servers": broker.bootstrap})


@pytest.fixture
def names(request: pytest.FixtureRequest) -> TopicNames:
    """A deployment of its own for each test."""
    return TopicNames(re.sub(r"\W+", "-", request.node.name))


def counts(client: AdminClient, names: TopicNames) -> dict[str, int]:
    metadata = client.list_topics(timeout=30)
    prefixes = (f"{names.deployment}.", f"{names.deployment}-")
    return {
        name: len(topic.partitions) for name, topic in metadata.topics.items() if name.startswith(prefixes)
    }


def config(client: AdminClient, topic: str) -> dict[str, str]:
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    entries = client.describe_configs([resource])[resource].result(30)
    return {name: str(entry.value) for name, entry in entries.items()}


def create(
    broker: Broker, names: TopicNames, *, partitions: int | None = None, replication_factor: int | None = None
) -> list[str]:
    return asyncio.run(
        create_topics(
            broker.connection,
            names,
            partitions=partitions,
            label_horizon_s=30 * DAY_S,
            max_request_bytes=1 << 20,
            replication_factor=replication_factor,
        )
    )


def grow_requests(client: AdminClient, names: TopicNames, count: int) -> None:
    client.create_partitions([NewPartitions(names.requests, count)])[names.requests].result(30)
    while counts(client, names)[names.requests] < count:
        pass


def test_creates_what_is_missing_once(broker: Broker, client: AdminClient, names: TopicNames) -> None:
    created = create(broker, names)
    changelogs = [names.changelog(each.role, each.table) for each in CHANGELOGS]
    assert created == [*names, *changelogs]
    found = counts(client, names)
    assert sorted(found) == sorted(created)
    four = {names.requests, names.predictions, names.feedback, names.changelog("score", "panes")}
    assert {topic for topic, count in found.items() if count == 4} == four
    assert {count for topic, count in found.items() if topic not in four} == {1}
    assert create(broker, names) == []
    assert asyncio.run(check_topics(broker.connection, names)) == []
    client.delete_topics([names.models])[names.models].result(30)
    while names.models in counts(client, names):
        pass
    assert create(broker, names) == [names.models]


def test_policies(broker: Broker, client: AdminClient, names: TopicNames) -> None:
    create(broker, names)
    configs = {topic: config(client, topic) for topic in counts(client, names)}
    compact = {topic for topic, each in configs.items() if each["cleanup.policy"] == "compact"}
    changelogs = {names.changelog(each.role, each.table) for each in CHANGELOGS}
    assert compact == {names.drift_alerts, names.models, *changelogs}
    assert {each["cleanup.policy"] for topic, each in configs.items() if topic not in compact} == {"delete"}
    for topic in (names.requests, names.predictions, names.feedback):
        assert int(configs[topic]["retention.ms"]) >= 30 * DAY_MS
        assert configs[topic]["retention.bytes"] == "-1"
    for topic in (names.labelled, names.distributions):
        assert int(configs[topic]["retention.ms"]) >= 365 * DAY_MS
    for topic in (names.drift_alerts, names.models):
        assert int(configs[topic]["min.compaction.lag.ms"]) >= 30 * DAY_MS
    for topic in (names.predictions, names.labelled, names["review"], names.dead_letters):
        assert int(configs[topic]["max.message.bytes"]) == answer_limit_bytes(1 << 20) > 2 << 20
    for topic in (*changelogs, names.distributions):
        assert int(configs[topic]["max.message.bytes"]) == LOG_MESSAGE_BYTES
    for topic in changelogs:
        assert int(configs[topic]["segment.bytes"]) > LOG_MESSAGE_BYTES  # a batch lies in one segment
        assert int(configs[topic]["segment.ms"]) <= 3_600_000


@pytest.mark.parametrize("horizon_days", [1, 500])
def test_horizon_stretches_what_is_kept(
    broker: Broker, client: AdminClient, names: TopicNames, horizon_days: int
) -> None:
    coroutine = create_topics(
        broker.connection, names, label_horizon_s=horizon_days * DAY_S, max_request_bytes=100
    )
    asyncio.run(coroutine)
    horizon_ms = horizon_days * DAY_MS
    assert int(config(client, names.requests)["retention.ms"]) == max(horizon_ms, 7 * DAY_MS)
    assert int(config(client, names.labelled)["retention.ms"]) == max(horizon_ms, 365 * DAY_MS)
    for topic in (names.drift_alerts, names.models):
        assert int(config(client, topic)["min.compaction.lag.ms"]) == horizon_ms


def test_existing_requests_decide_the_partitions(
    broker: Broker, client: AdminClient, names: TopicNames
) -> None:
    client.create_topics([NewTopic(names.requests, 3, 1)])[names.requests].result(30)
    with pytest.raises(ConfigError, match=rf"--partitions 5: {names.requests} exists with 3"):
        create(broker, names, partitions=5)
    assert names.requests not in create(broker, names, partitions=3)
    found = counts(client, names)
    assert {found[names.predictions], found[names.feedback]} == {3}


def test_asked_for_partitions(broker: Broker, client: AdminClient, names: TopicNames) -> None:
    with pytest.raises(ConfigError, match="--partitions 0"):
        create(broker, names, partitions=0)
    create(broker, names, partitions=2)
    assert counts(client, names)[names.predictions] == 2


def test_grows_with_requests(broker: Broker, client: AdminClient, names: TopicNames) -> None:
    create(broker, names)
    panes = names.changelog("score", "panes")
    grow_requests(client, names, 6)
    problems = asyncio.run(check_topics(broker.connection, names, role="monitor"))
    assert len(problems) == 2
    assert all(
        "has 4 partitions" in each and f"streamapp run {names.deployment}" in each for each in problems
    )

    async def by_two_processes() -> list[dict[str, int]]:
        return list(await asyncio.gather(*(grow_partitions(broker.connection, names) for _ in range(2))))

    grown = asyncio.run(by_two_processes())
    assert {topic for each in grown for topic in each} == {names.predictions, names.feedback, panes}
    found = counts(client, names)
    assert {found[topic] for topic in (names.requests, names.predictions, names.feedback, panes)} == {6}
    assert found[names.labelled] == 1
    assert asyncio.run(check_topics(broker.connection, names)) == []
    assert asyncio.run(grow_partitions(broker.connection, names)) == {}


def test_problems_name_the_remedy(broker: Broker, client: AdminClient, names: TopicNames) -> None:
    deploy = f"streamapp deploy {names.deployment} BUNDLE"
    (line,) = asyncio.run(check_topics(broker.connection, names))
    assert line == f"there is no deployment {names.deployment} on {broker.bootstrap}: {deploy}"
    topics = [
        NewTopic(names.requests, 2, 1),
        NewTopic(names.predictions, 4, 1),
        NewTopic(names.labelled, 3, 1),
    ]
    for future in client.create_topics(topics).values():
        future.result(30)
    missing, *unequal = asyncio.run(check_topics(broker.connection, names))
    assert names.models in missing
    assert names.requests not in missing
    assert deploy in missing
    assert unequal == [
        f"{names.predictions} has 4 partitions, {names.requests} has 2: give {names.requests} 4, too",
        f"{names.labelled} has 3 partitions and must have 1, one ordered log: "
        f"delete the topic, then {deploy}",
    ]


def test_refusal_is_one_line(broker: Broker, names: TopicNames) -> None:
    with pytest.raises(BrokerError, match=rf"{broker.bootstrap} refused: .*only 1 broker") as caught:
        create(broker, names, replication_factor=3)
    assert "\n" not in str(caught.value)


def test_nobody_there(names: TopicNames) -> None:
    with pytest.raises(BrokerError, match=r"no Kafka broker answers at 127.0.0.1:1: start one with"):
        asyncio.run(check_topics(Connection("127.0.0.1:1"), names))


def test_somebody_who_never_answers(names: TopicNames) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bootstrap = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(BrokerError, match=f"{bootstrap}"):
            asyncio.run(check_topics(Connection(bootstrap), names, timeout_s=0.5))


@pytest.mark.parametrize("bootstrap", ["localhost:port", "", "[::1"])
def test_no_address(names: TopicNames, bootstrap: str) -> None:
    with pytest.raises(ConfigError, match=r"--bootstrap '.*' must be HOST:PORT"):
        asyncio.run(check_topics(Connection(bootstrap), names))
