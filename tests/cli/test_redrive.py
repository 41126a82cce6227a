from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from click.testing import Result

from streamapp.errors import BrokerError
from streamapp.messages import Header, InRecord, dead_letter
from streamapp.runtime import originals
from streamapp.runtime import redrive as module
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import producer, read_topic
from streamapp.runtime.redrive import Selection, redrive
from streamapp.topics import TopicNames

pytestmark = pytest.mark.broker

Cli = Callable[..., Result]


@pytest.fixture
def names(cli: Cli, name: str, bundles: list[str]) -> TopicNames:
    cli("deploy", bundles[0], "--partitions", 2)
    return TopicNames(name)


def send(broker: Broker, topic: str, partition: int, *values: bytes | None) -> list[InRecord]:
    """Write records, and return them as they lie there."""
    headers: list[Header] = [("traceparent", b"00")]

    async def run() -> list[InRecord]:
        async with producer(broker.connection) as client:
            found = []
            for value in values:
                at = await client.send_and_wait(topic, value, b"k", partition, headers=headers)
                found.append(InRecord(partition, at.offset, at.timestamp, b"k", value, headers))
            return found

    return asyncio.run(run())


def set_aside(
    broker: Broker,
    names: TopicNames,
    records: Sequence[InRecord],
    *,
    code: str = "no-model",
    topic: str | None = None,
    max_bytes: int | None = None,
) -> None:
    async def run() -> None:
        async with producer(broker.connection) as client:
            for record in records:
                out = dead_letter(
                    record, topic=topic or names.requests, code=code, message="no", max_bytes=max_bytes
                )
                await client.send_and_wait(names.dead_letters, out.value, out.key, 0, headers=out.headers)

    asyncio.run(run())


def read(broker: Broker, topic: str, count: int) -> list[Any]:
    """Read `count` records, waiting for them: a commit is known a moment before readers see what it holds."""
    found: list[Any] = []
    while len(found) < count:
        found = asyncio.run(read_topic(broker.connection, topic))
    assert len(found) == count
    return found


def shown(records: Sequence[Any]) -> list[tuple[Any, ...]]:
    return [(r.partition, r.key, r.value, list(r.headers)) for r in records]


def test_each_letter_is_sent_once_as_it_was(broker: Broker, cli: Cli, name: str, names: TopicNames) -> None:
    requests = send(broker, names.requests, 1, b'{"a": 1}', b"\xff", b"x" * 2_000, None)
    set_aside(broker, names, requests[:2])
    set_aside(broker, names, requests[2:], code="too-large", max_bytes=700)
    feedback = send(broker, names.feedback, 0, b'{"id": "r"}')
    set_aside(broker, names, feedback, code="wrong-type", topic=names.feedback)

    counts = {"no-model": 2, "too-large": 2, "wrong-type": 1}
    planned = json.loads(cli("redrive", "--dry-run", "--json").stdout)
    assert planned == {"dry_run": True, "sent": counts, "before": 0, "others": {}, "skipped": []}
    read(broker, names.requests, 4)
    read(broker, names.redrives, 0)

    [said, others] = cli("redrive", "--code", "no-model", "--code", "wrong-type").stdout.splitlines()
    assert said == f"3 dead letters of {name} sent: no-model 2, wrong-type 1"
    assert others == "2 with other codes: too-large 2"
    assert shown(read(broker, names.requests, 6)) == shown([*requests, *requests[:2]])
    assert shown(read(broker, names.feedback, 2)) == shown(feedback * 2)

    again = json.loads(cli("redrive", "--json").stdout)
    assert (again["sent"], again["before"]) == ({"too-large": 2}, 3)
    found = read(broker, names.requests, 8)
    assert shown(found) == shown([*requests, *requests])
    assert cli("redrive").stdout.splitlines() == [f"0 dead letters of {name} sent", "5 sent before"]

    marks = [json.loads(record.value) for record in read(broker, names.redrives, 5)]
    assert [mark["dead_letter"] for mark in marks] == [0, 1, 4, 2, 3]
    where = {(record.partition, record.offset): record.value for record in found}
    assert [
        where[mark["partition"], mark["offset"]] for mark in marks if mark["topic"] == names.requests
    ] == [record.value for record in requests]


def test_time_chooses_letters(broker: Broker, cli: Cli, names: TopicNames) -> None:
    set_aside(broker, names, send(broker, names.requests, 0, b"1", b"2"))
    [first, second] = read(broker, names.dead_letters, 2)
    set_aside(broker, names, send(broker, names.requests, 0, b"3"))
    third = read(broker, names.dead_letters, 3)[2]

    def planned(since_ms: int | None, until_ms: int | None) -> int:
        selection = Selection(since_ms=since_ms, until_ms=until_ms)
        return asyncio.run(redrive(broker.connection, names, selection, dry_run=True)).sent.total()

    assert third.timestamp > second.timestamp
    assert planned(third.timestamp, None) == 1
    assert planned(None, third.timestamp) == 2
    assert planned(first.timestamp, third.timestamp + 1) == 3
    assert json.loads(cli("redrive", "--since", "2100-01-01T00:00:00Z", "--json").stdout)["sent"] == {}


def test_what_cannot_be_sent_is_named_and_the_rest_is_sent(
    broker: Broker, cli: Cli, name: str, names: TopicNames
) -> None:
    good, large, *changed = send(
        broker, names.requests, 0, b"good", bytes(range(256)) * 800, b"x" * 2_000, b"z" * 2_000
    )
    gone = InRecord(0, 99, 0, b"k", b"y" * 2_000, [])
    nowhere = InRecord(7, 0, 0, b"k", b"v", [])
    set_aside(broker, names, [InRecord(0, 3, changed[0].timestamp, b"k", b"x" * 2_000)], max_bytes=700)
    set_aside(broker, names, [gone], max_bytes=700)
    set_aside(broker, names, [nowhere, large, good])
    send(broker, names.dead_letters, 0, b"what is this")

    async def shrink() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        await admin.start()
        limit = {"max.message.bytes": "100000"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, names.requests, limit)])
        await admin.close()

    asyncio.run(shrink())
    lines = cli("redrive").stdout.splitlines()
    assert lines[0] == f"1 dead letter of {name} sent: no-model 1"
    assert [line.partition(":")[0] for line in sorted(lines[1:])] == [
        "skipped 0, source-changed",
        "skipped 1, source-gone",
        "skipped 2, no-partition",
        "skipped 3, too-large",
        "skipped 5, broken",
    ]
    assert read(broker, names.requests, 5)[-1].value == b"good"
    assert [json.loads(record.value)["dead_letter"] for record in read(broker, names.redrives, 1)] == [4]


def test_values_left_behind_are_found_wherever_they_lie(
    broker: Broker, names: TopicNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(originals, "_GAP", 5)
    value = b"x" * 800
    lie = [send(broker, names.requests, p, *(b"%d %b" % (i, value) for i in range(20))) for p in (0, 1)]
    chosen = [lie[1][17], lie[0][2], lie[1][17], lie[0][3], lie[0][19], lie[1][0], lie[1][4]]
    set_aside(broker, names, chosen, max_bytes=700)
    done = asyncio.run(redrive(broker.connection, names, Selection()))
    assert (done.sent.total(), done.skipped) == (7, [])
    again = [record for record in read(broker, names.requests, 47) if record.offset >= 20]
    assert sorted(shown(again)) == sorted(shown(chosen))
    # After what was sent lies the end of its transaction, which is no record.
    end = max(record.offset for record in again if record.partition == 0) + 1
    send(broker, names.requests, 0, b"later")
    set_aside(broker, names, [InRecord(0, end, 0, b"k", value, [])], max_bytes=700)
    done = asyncio.run(redrive(broker.connection, names, Selection()))
    assert [skipped.reason for skipped in done.skipped] == ["source-gone"]


def test_an_interruption_leaves_nothing_half_done(
    broker: Broker, names: TopicNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = send(broker, names.requests, 0, b"1", b"2", b"3")
    set_aside(broker, names, requests)
    monkeypatch.setattr(module, "_LETTERS", 2)
    marked = module._mark

    async def stop(*arguments: Any) -> Any:
        if arguments[2].dead_letter == 2:  # its request has been delivered, and nothing is committed
            raise KeyboardInterrupt
        return await marked(*arguments)

    monkeypatch.setattr(module, "_mark", stop)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(redrive(broker.connection, names, Selection()))
    assert [record.value for record in read(broker, names.requests, 5)[3:]] == [b"1", b"2"]
    monkeypatch.undo()
    done = asyncio.run(redrive(broker.connection, names, Selection()))
    assert (done.sent.total(), done.before) == (1, 2)
    assert [record.value for record in read(broker, names.requests, 6)[3:]] == [b"1", b"2", b"3"]


def test_of_two_at_once_the_later_goes_on(
    broker: Broker, names: TopicNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_aside(broker, names, send(broker, names.requests, 0, b"1"))
    sent = module._send

    async def overtaken(*arguments: Any) -> None:
        monkeypatch.setattr(module, "_send", sent)
        assert (await redrive(broker.connection, names, Selection())).sent.total() == 1
        await sent(*arguments)

    monkeypatch.setattr(module, "_send", overtaken)
    with pytest.raises(BrokerError, match=r"another redrive of .* has begun"):
        asyncio.run(redrive(broker.connection, names, Selection()))
    assert [record.value for record in read(broker, names.requests, 2)] == [b"1", b"1"]


def test_wrong_usage_is_2(cli: Cli) -> None:
    cli("redrive", "--since", "soon", status=2)
    cli("redrive", "--since", "2011-05-02T08:00:00Z", "--until", "2011-05-02T08:00:00Z", status=2)


def test_a_deployment_that_is_not_there_is_one_line(cli: Cli, name: str) -> None:
    assert f"streamapp deploy {name} BUNDLE" in cli("redrive", status=1).stderr


def test_no_broker_is_one_line(cli: Cli) -> None:
    assert "no Kafka broker answers" in cli("redrive", bootstrap="127.0.0.1:1", status=1).stderr
