from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from click.testing import Result

from streamapp.messages import CHAMPION_KEY, Champion, Model, event_headers
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import Publication, latest_models, producer, publish
from streamapp.topics import TopicNames
from tests.cli.answers import write_answers
from tests.cli.conftest import make_bundle

pytestmark = pytest.mark.broker

Cli = Callable[..., Result]


def lines(cli: Cli, *arguments: object, status: int = 0) -> dict[str, list[dict[str, Any]]]:
    """Run doctor, and return its lines by check."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in json.loads(cli("doctor", "--json", *arguments, status=status).stdout):
        found.setdefault(line["check"], []).append(line)
    return found


def administer(broker: Broker, action: Callable[[AIOKafkaAdminClient], Any]) -> None:
    async def run() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        await admin.start()
        try:
            await action(admin)
        finally:
            await admin.close()

    asyncio.run(run())


def recreate(broker: Broker, topic: str, configs: dict[str, str] | None, partitions: int = 1) -> None:
    """Delete a topic and, with settings, make it anew."""

    async def run(admin: AIOKafkaAdminClient) -> None:
        await admin.delete_topics([topic])
        while topic in {one["topic"] for one in await admin.describe_topics()}:
            await asyncio.sleep(0.05)
        if configs is not None:
            await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
            while topic not in {one["topic"] for one in await admin.describe_topics()}:
                await asyncio.sleep(0.05)

    administer(broker, run)


def test_a_new_deployment_is_well_but_for_what_does_not_run_yet(
    broker: Broker, cli: Cli, name: str, bundles: list[str], versions: list[str]
) -> None:
    cli("deploy", bundles[0], "--partitions", 2)
    found = lines(cli)
    assert {check: [line["status"] for line in own] for check, own in found.items()} == {
        "broker": ["ok"],
        "topics": ["ok"],
        "topic settings": ["ok"],
        "store": ["ok"],
        "champion": ["ok"],
        "bundle": ["ok"],
        "versions": ["ok"],
        "baseline": ["warn"],
        "answers": ["ok"],
        "features": ["ok"],
        "trainer": ["ok"],
        "roles": ["warn"] * 3,
        "clocks": ["ok"],
        "labels": ["ok"],
        "false alarms": ["ok"] * 2,
    }
    assert all((line["status"] == "ok") == (not line["mistake"]) for own in found.values() for line in own)
    assert broker.bootstrap in found["broker"][0]["message"]
    assert "requests, predictions and feedback have 2 partitions" in found["topics"][0]["message"]
    assert versions[0] in found["champion"][0]["message"]
    assert "sealed by trusted key" in found["bundle"][0]["message"]
    assert found["baseline"][0]["message"].startswith("no-baseline: packed without --holdout")
    for role, line in zip(("score", "monitor", "train"), found["roles"], strict=True):
        assert line["message"].startswith(f"nobody runs {role} (0 records to read)")
        assert f"streamapp run {name} --role {role}" in line["message"]


def test_a_person_sees_a_line_for_each_finding(cli: Cli, bundles: list[str]) -> None:
    cli("deploy", bundles[0])
    shown = cli("doctor").stdout.splitlines()
    assert len(shown) == 18
    assert shown[0].startswith("ok    broker          Kafka answers at")
    assert all(line.split()[0] in {"ok", "warn"} for line in shown)


def test_a_broker_that_is_away_fails_and_what_needs_it_is_not_looked_at(cli: Cli) -> None:
    first = json.loads(cli("doctor", "--json", bootstrap="127.0.0.1:1", status=1).stdout)[0]
    assert (first["check"], first["mistake"]) == ("broker", "no-broker")
    result = cli("doctor", bootstrap="127.0.0.1:1", status=1)
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [
        ["FAIL", "broker"],
        ["ok", "store"],
        ["ok", "trainer"],
    ]
    assert "no Kafka broker answers at 127.0.0.1:1: start one with streamapp broker" in result.stdout
    assert result.stderr == "streamapp doctor: 1 of 3 findings FAIL\n"


def test_a_deployment_that_is_unknown_fails_once(cli: Cli, name: str) -> None:
    found = lines(cli, status=1)
    assert list(found) == ["broker", "topics", "store", "trainer"]
    [topics] = found["topics"]
    assert topics["status"] == "FAIL"
    assert topics["mistake"] == "no-deployment"
    assert f"streamapp deploy {name} BUNDLE" in topics["message"]


def test_a_topic_that_is_missing_is_named(broker: Broker, cli: Cli, name: str, bundles: list[str]) -> None:
    cli("deploy", bundles[0])
    recreate(broker, f"{name}.feedback", None)
    found = lines(cli, status=1)
    [topics] = found["topics"]
    assert topics["mistake"] == "missing-topic"
    assert topics["status"] == "FAIL"
    assert topics["message"].startswith(f"{name}.feedback missing: streamapp deploy {name} BUNDLE")
    assert found["champion"][0]["status"] == "ok"


def test_partitions_that_differ_are_named(broker: Broker, cli: Cli, name: str, bundles: list[str]) -> None:
    cli("deploy", bundles[0], "--partitions", 2)

    async def grow(admin: AIOKafkaAdminClient) -> None:
        await admin.create_partitions({f"{name}.requests": NewPartitions(3)})
        await admin.create_partitions({f"{name}.labelled": NewPartitions(2)})

    administer(broker, grow)
    found = lines(cli, status=1)["topics"]
    assert {line["mistake"] for line in found} == {"co-partitioning", "one-partition"}
    problems = [line["message"] for line in found]
    assert any(p.startswith(f"{name}.predictions has 2 partitions, {name}.requests has 3") for p in problems)
    assert any(p.startswith(f"{name}.labelled has 2 partitions and must have 1") for p in problems)


def test_a_topic_that_forgets_is_a_failure_and_one_that_keeps_too_little_a_warning(
    broker: Broker, cli: Cli, name: str, bundles: list[str]
) -> None:
    cli("deploy", bundles[0])
    recreate(broker, f"{name}.drift-alerts", {"cleanup.policy": "delete"})
    recreate(broker, f"{name}.models", {"cleanup.policy": "compact"})
    recreate(broker, f"{name}.review", {"retention.ms": "1000", "max.message.bytes": "1000"})
    settings = lines(cli, status=1)["topic settings"]
    assert [line["status"] for line in settings] == ["FAIL", "warn", "warn", "warn", "warn"]
    mistakes = [line["mistake"] for line in settings]
    assert mistakes == ["cleanup-policy", "retention", "retention", "retention", "message-size"]
    assert f"{name}.drift-alerts has cleanup.policy=delete and must have compact" in settings[0]["message"]
    assert "--add-config cleanup.policy=compact" in settings[0]["message"]
    for line, topic in zip(settings[1:3], ("drift-alerts", "models"), strict=True):
        assert f"{name}.{topic} has min.compaction.lag.ms=0 and should have 2592000000" in line["message"]
    assert f"{name}.review has retention.ms=1000 and should have" in settings[3]["message"]
    assert f"{name}.review has max.message.bytes=1000 and should have" in settings[4]["message"]


def test_without_a_champion_it_says_how_to_get_one(
    broker: Broker, cli: Cli, name: str, bundles: list[str]
) -> None:
    cli("deploy", bundles[0])
    names = TopicNames(name)

    def point_at(version: str) -> None:
        pointer = Champion(version=version, at=1_000)
        publication = Publication(
            topic=names.models, key=CHAMPION_KEY, message=pointer, ce_id="x", time_ms=1_000
        )
        asyncio.run(publish(broker.connection, name, [publication]))

    point_at("abcdef012345")
    found = lines(cli, status=1)
    assert "the champion is abcdef012345, of which there is no record" in found["champion"][0]["message"]
    assert found["champion"][0]["mistake"] == "no-champion"
    assert f"streamapp models {name} promote VERSION" in found["champion"][0]["message"]
    assert "bundle" not in found
    recreate(broker, names.models, {"cleanup.policy": "compact"})
    [champion] = lines(cli, status=1)["champion"]
    assert champion["message"] == f"no version is champion: streamapp deploy {name} BUNDLE"


def stored(broker: Broker, name: str) -> Model:
    serving = asyncio.run(latest_models(broker.connection, TopicNames(name))).serving
    assert serving is not None
    return serving


def test_a_bundle_that_was_changed_or_is_gone_fails(
    broker: Broker, cli: Cli, name: str, bundles: list[str], versions: list[str]
) -> None:
    cli("deploy", bundles[0])
    folder = Path(stored(broker, name).bundle.removeprefix("file://"))
    model = next(folder.rglob("*.joblib"))
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    found = lines(cli, status=1)
    assert found["bundle"][0]["status"] == "FAIL"
    assert found["bundle"][0]["mistake"] == "bad-bundle"
    assert found["bundle"][0]["message"].startswith(f"{versions[0]} cannot be read")
    assert "was changed" in found["bundle"][0]["message"]
    assert f"streamapp models {name} rollback" in found["bundle"][0]["message"]
    assert "versions" not in found
    shutil.rmtree(folder)
    assert "no bundle at" in lines(cli, status=1)["bundle"][0]["message"]


def test_a_seal_that_nobody_trusts_fails(
    cli: Cli, bundles: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("deploy", bundles[0])
    monkeypatch.setenv("STREAMAPP_KEYS", str(tmp_path / "other-keys"))
    [line] = lines(cli, status=1)["bundle"]
    assert line["status"] == "FAIL"
    assert line["mistake"] == "no-trust"
    assert "which is not trusted here, and joblib can run code: streamapp keys trust" in line["message"]


def test_a_holdout_is_a_baseline(cli: Cli, keys_folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"temp": rng.normal(size=80), "hour": rng.integers(0, 24, 80), "holiday": False})
    labels = np.where(rows["hour"] > 12, "busy", "calm")
    cli("deploy", make_bundle(tmp_path / "held", seed=9, keys=keys_folder, holdout=(rows, labels)))
    [line] = lines(cli)["baseline"]
    assert (line["status"], line["message"]) == (
        "ok",
        "80 holdout rows: outputs and accuracy are watched",
    )


def test_the_first_live_rows_are_a_baseline_once_there_are_enough(
    broker: Broker, cli: Cli, name: str, bundles: list[str], versions: list[str]
) -> None:
    cli("deploy", bundles[0], "--partitions", 1)
    record = stored(broker, name).model_copy(update={"since": {"0": 0}})
    publication = Publication(
        topic=TopicNames(name).models, key=versions[0].encode(), message=record, ce_id="x", time_ms=1_000
    )
    asyncio.run(publish(broker.connection, name, [publication]))

    async def write(topic: str, value: dict[str, Any], count: int) -> None:
        headers = event_headers(name, "streamapp.labelled.v1", "x", 1_000)
        async with producer(broker.connection) as client:
            for _ in range(count):
                await client.send(f"{name}.{topic}", json.dumps(value).encode(), partition=0, headers=headers)

    row = {"model": {"version": versions[0]}, "revision": 0}
    asyncio.run(write("requests", {"features": {}}, 2_100))
    asyncio.run(write("labelled", row, 1_990))
    asyncio.run(write("labelled", row | {"revision": 1}, 50))
    asyncio.run(write("labelled", row | {"model": {"version": "abcdef012345"}}, 50))
    found = lines(cli, status=1)
    [line], score = found["baseline"], found["roles"][0]
    assert (score["status"], score["mistake"]) == ("FAIL", "role-down")
    assert score["message"].startswith("nobody runs score (2,100 records to read)")
    assert line["mistake"] == "no-baseline"
    assert line["status"] == "warn"
    assert "(about 2,100 so far)" in line["message"]
    assert "(1,990 so far)" in line["message"]
    asyncio.run(write("labelled", row, 10))
    [line] = lines(cli, status=1)["baseline"]
    assert (line["status"], line["message"]) == (
        "ok",
        "its first 2,000 live rows: outputs and accuracy are watched",
    )


def test_a_store_that_cannot_be_one_fails(
    cli: Cli, bundles: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("deploy", bundles[0])
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STREAMAPP_STORE", str(tmp_path / "file" / "store"))
    found = lines(cli, status=1)
    assert found["store"][0]["status"] == "FAIL"
    assert found["store"][0]["mistake"] == "no-store"
    assert "a file stands where a folder is needed" in found["store"][0]["message"]
    assert found["bundle"][0]["status"] == "ok"  # it lies where it was put


def test_answers_without_features_are_a_warning(
    broker: Broker, cli: Cli, name: str, bundles: list[str], versions: list[str]
) -> None:
    cli("deploy", bundles[0])
    write_answers(broker, name, versions[0], 8)
    assert lines(cli)["features"][0]["status"] == "ok"
    write_answers(broker, name, versions[0], 8, with_features=False)
    [line] = lines(cli)["features"]
    assert line["mistake"] == "no-features"
    assert line["status"] == "warn"
    assert line["message"].startswith("8 of the newest 16 answers leave the features out")
    assert lines(cli)["answers"][0]["message"] == "none of the newest 16 are rejections"


def test_a_role_that_runs_is_known_by_its_group(
    broker: Broker, cli: Cli, name: str, bundles: list[str], versions: list[str]
) -> None:
    cli("deploy", bundles[0], "--partitions", 4)
    write_answers(broker, name, versions[0], 12)
    names = TopicNames(name)

    async def join_and_look() -> dict[str, list[dict[str, Any]]]:
        sources = [names.predictions, names.feedback, names.distributions, names.labelled]
        consumer = AIOKafkaConsumer(
            *sources,
            bootstrap_servers=broker.bootstrap,
            group_id=names.app_id("monitor"),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            taken = 0
            while taken < 12:
                taken += sum(map(len, (await consumer.getmany(timeout_ms=200)).values()))
            before = await asyncio.to_thread(lines, cli)
            await consumer.commit()
            after = await asyncio.to_thread(lines, cli)
        finally:
            await consumer.stop()
        return {"before": before["roles"], "after": after["roles"]}

    found = asyncio.run(join_and_look())
    assert found["before"][1]["message"] == "monitor: 1 process, 12 records to read"
    assert found["after"][1]["message"] == "monitor: 1 process, 0 records to read"
    assert found["after"][1]["status"] == "ok"
    assert found["after"][0]["status"] == "warn"
    assert found["after"][0]["mistake"] == "role-down"


def test_a_score_role_that_hangs_is_no_score_role(
    broker: Broker, cli: Cli, name: str, bundles: list[str]
) -> None:
    cli("deploy", bundles[0], "--partitions", 2)
    names = TopicNames(name)

    async def ask(partition: int, at_ms: int) -> None:
        async with producer(broker.connection) as client:
            await client.send_and_wait(names.requests, b"{}", partition=partition, timestamp_ms=at_ms)

    async def join_and_look() -> list[dict[str, Any]]:
        consumer = AIOKafkaConsumer(
            names.requests,
            bootstrap_servers=broker.bootstrap,
            group_id=names.app_id("score"),
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            now_ms = int(time.time() * 1000)
            await ask(0, now_ms)
            found = [await asyncio.to_thread(lines, cli)]
            await ask(1, now_ms - 120_000)
            found.append(await asyncio.to_thread(lines, cli, status=1))
        finally:
            await consumer.stop()
        return [each["roles"][0] for each in found]

    [fresh, hangs] = asyncio.run(join_and_look())
    assert (fresh["status"], fresh["message"]) == ("ok", "score: 1 process, 1 record to read")
    assert (hangs["status"], hangs["mistake"]) == ("FAIL", "no-answers")
    assert f"in {names.requests}/1, where requests wait" in hangs["message"]


def test_partitions_that_a_role_does_not_read_are_named(
    broker: Broker, cli: Cli, name: str, bundles: list[str]
) -> None:
    cli("deploy", bundles[0])
    names = TopicNames(name)

    async def join_and_look() -> dict[str, list[dict[str, Any]]]:
        consumer = AIOKafkaConsumer(
            names.models, bootstrap_servers=broker.bootstrap, group_id=names.app_id("train")
        )
        await consumer.start()
        try:
            return await asyncio.to_thread(lines, cli)
        finally:
            await consumer.stop()

    train = asyncio.run(join_and_look())["roles"][2]
    assert (train["status"], train["mistake"]) == ("warn", "no-reader")
    assert f"1 partitions have no reader ({names.retrain_events}/0)" in train["message"]


def test_labels_and_clocks_are_read_from_the_topics(
    broker: Broker, cli: Cli, name: str, bundles: list[str]
) -> None:
    cli("deploy", bundles[0], "--partitions", 1)
    names = TopicNames(name)

    async def label_and_read() -> None:
        async with producer(broker.connection) as client:
            for i in range(20):
                value = json.dumps({"id": f"order-{i}", "label": "busy"}).encode()
                await client.send(names.feedback, value, partition=0)
            late = int(time.time() * 1000) + 60_000
            await client.send(names.requests, b"{}", partition=0, timestamp_ms=late)
        consumer = AIOKafkaConsumer(
            names.feedback, bootstrap_servers=broker.bootstrap, group_id=names.app_id("monitor")
        )
        await consumer.start()
        [partition] = consumer.assignment()
        await consumer.commit({partition: 20})
        await consumer.stop()

    assert lines(cli)["labels"][0]["message"] == "no labels have been read yet"
    asyncio.run(label_and_read())
    found = lines(cli, status=1)  # nobody runs score
    [label], [clock] = found["labels"], found["clocks"]
    assert (label["status"], label["mistake"]) == ("warn", "label-ids")
    assert "labels have ids such as 'order-19'" in label["message"]
    assert (clock["status"], clock["mistake"]) == ("warn", "clock-skew")
    assert f"records of {names.requests} were written" in clock["message"]


def test_false_alarms_that_come_more_than_once_a_day_are_a_warning(
    broker: Broker, cli: Cli, name: str, bundles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("deploy", bundles[0])
    topic, now_ms = TopicNames(name).predictions, int(time.time() * 1000)

    async def answer_for_two_hours() -> None:
        async with producer(broker.connection) as client:
            for minute in range(120, 0, -1):
                await client.send(topic, b"{}", partition=0, timestamp_ms=now_ms - 60_000 * minute)

    asyncio.run(answer_for_two_hours())
    monkeypatch.setenv("STREAMAPP_FALSE_ALARM_EVERY", "300")
    [drift, accuracy] = lines(cli)["false alarms"]
    assert (drift["status"], drift["mistake"]) == ("warn", "false-alarms")
    assert drift["message"].startswith("one false drift alarm in 5 hours, at ")
    assert "STREAMAPP_FALSE_ALARM_EVERY=10000 for monitor sets it to one a week" in drift["message"]
    assert "times as many requests to be found" in drift["message"]
    assert drift["figures"]["one_a_week"] == 10_000
    assert accuracy["message"].endswith("there were no labelled rows yet")
