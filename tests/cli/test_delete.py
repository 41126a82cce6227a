from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import NewTopic
from click.testing import Result

from streamapp.messages import Model
from streamapp.models import Bundle
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import (
    Publication,
    admin_client,
    all_partition_counts,
    latest_models,
    producer,
    publish,
)
from streamapp.topics import CHANGELOGS, TOPICS, TopicNames

pytestmark = pytest.mark.broker

Cli = Callable[..., Result]


def topics(broker: Broker, name: str) -> set[str]:
    async def look() -> set[str]:
        async with admin_client(broker.connection) as admin:
            return {t for t in await all_partition_counts(admin) if t.startswith((f"{name}.", f"{name}-"))}

    return asyncio.run(look())


def groups(broker: Broker, name: str) -> set[str]:
    async def look() -> set[str]:
        async with admin_client(broker.connection) as admin:
            return {group for group, *_ in await admin.list_consumer_groups() if group.startswith(name)}

    return asyncio.run(look())


def in_group(broker: Broker, name: str, role: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        TopicNames(name).requests,
        bootstrap_servers=broker.bootstrap,
        group_id=f"{name}-{role}",
        client_id="the-role",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )


def commit(broker: Broker, name: str, role: str) -> None:
    """Leave a group behind, without members."""

    async def run() -> None:
        consumer = in_group(broker, name, role)
        await consumer.start()
        at = dict.fromkeys(consumer.assignment(), 0)
        await consumer.commit(at)
        await consumer.stop()

    asyncio.run(run())


@pytest.fixture
def state(name: str, tmp_path: Path) -> Path:
    folder = tmp_path / "state" / name / "join" / "0"
    folder.mkdir(parents=True)
    (folder / "data").write_bytes(b"x")
    return tmp_path / "state" / name


def bundle_folder(broker: Broker, name: str) -> Path:
    serving = asyncio.run(latest_models(broker.connection, TopicNames(name))).serving
    assert serving is not None
    return Path(serving.bundle.removeprefix("file://"))


def test_all_of_it_and_nothing_else_is_deleted(
    broker: Broker, cli: Cli, name: str, bundles: list[str], state: Path
) -> None:
    cli("deploy", bundles[0])
    other = f"{name}x"
    cli("deploy", other, bundles[1], own_name=False)
    for each in (name, other):
        commit(broker, each, "score")
    folder, elsewhere = bundle_folder(broker, name), topics(broker, other)
    mine = topics(broker, name)
    assert len(mine) == len(TOPICS) + len(CHANGELOGS)

    shown = cli("delete", "--dry-run").stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["topic"] * len(mine) + ["group", "state"]
    assert {line.split()[1] for line in shown} == {*mine, f"{name}-score", str(state)}
    assert topics(broker, name) == mine

    said = cli("delete", input=name.encode()).stdout.splitlines()
    assert said[:-1] == shown
    assert said[-1].startswith(f"{name} is deleted")
    assert topics(broker, name) == set()
    assert groups(broker, f"{name}-") == set()
    assert not state.exists()
    assert folder.exists()
    assert topics(broker, other) == elsewhere
    assert groups(broker, other) == {f"{other}-score"}
    assert f"there is nothing of {name} on" in cli("delete", "--yes", status=1).stderr


@pytest.mark.parametrize("typed", [b"", b"yes\n", b"bike\n"])
def test_another_name_deletes_nothing(
    broker: Broker, cli: Cli, name: str, bundles: list[str], typed: bytes
) -> None:
    cli("deploy", bundles[0])
    result = cli("delete", input=typed, status=1)
    assert f"nothing was deleted: that was not {name}" in result.stderr
    assert len(topics(broker, name)) == len(TOPICS) + len(CHANGELOGS)


def test_a_role_that_runs_is_named_and_keeps_everything(
    broker: Broker, cli: Cli, name: str, bundles: list[str], state: Path
) -> None:
    cli("deploy", bundles[0])

    async def run() -> tuple[Result, Result]:
        consumer = in_group(broker, name, "monitor")
        await consumer.start()
        try:
            planned = await asyncio.to_thread(cli, "delete", "--dry-run", "--json")
            return planned, await asyncio.to_thread(cli, "delete", "--yes", status=1)
        finally:
            await consumer.stop()

    planned, refused = asyncio.run(run())
    who = f"{name}-monitor at 127.0.0.1 (the-role)"
    assert json.loads(planned.stdout)["members"] == [who]
    assert f"{name} is run by {who}: end it first" in refused.stderr
    assert len(topics(broker, name)) == len(TOPICS) + len(CHANGELOGS)
    assert state.exists()
    assert groups(broker, f"{name}-") == {f"{name}-monitor"}


def test_a_role_that_starts_meanwhile_keeps_everything(
    broker: Broker, cli: Cli, name: str, bundles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamapp.runtime import deletion  # noqa: PLC0415

    cli("deploy", bundles[0])
    commit(broker, name, "score")
    delete = deletion.delete_deployment

    async def started(*arguments: object) -> None:
        consumer = in_group(broker, name, "score")
        await consumer.start()
        try:
            await delete(*arguments)  # type: ignore[arg-type]
        finally:
            await consumer.stop()

    monkeypatch.setattr(deletion, "delete_deployment", started)
    assert f"{name} is run by somebody in {name}-score" in cli("delete", "--yes", status=1).stderr
    assert len(topics(broker, name)) == len(TOPICS) + len(CHANGELOGS)


def test_bundles_go_where_nobody_else_has_them_and_they_lie_in_the_store(
    broker: Broker, cli: Cli, name: str, bundles: list[str], tmp_path: Path
) -> None:
    cli("deploy", bundles[0])
    cli("deploy", bundles[1], "--challenger")
    own = bundle_folder(broker, name)
    shared = own.parent / Bundle.inspect(bundles[1]).version
    cli("deploy", f"{name}x", bundles[1], own_name=False)
    treasure = tmp_path / "treasure"
    treasure.mkdir()
    (treasure / "gold").touch()
    hostile = {
        "v": f"file://{treasure}",
        "treasure": f"file://{tmp_path}/store/../treasure",
        "..": f"file://{tmp_path}/store/..",
    }
    names = TopicNames(name)
    for version, url in hostile.items():
        message = Model(version=version, state="candidate", bundle=url, sha256="s", format="joblib")
        publication = Publication(
            topic=names.models, key=version.encode(), message=message, ce_id="x", time_ms=1
        )
        asyncio.run(publish(broker.connection, name, [publication]))

    done = json.loads(cli("delete", "--bundles", "--yes", "--json").stdout)
    assert done["deleted"] is True
    assert done["bundles"] == [f"file://{own}"]
    assert done["kept"][f"file://{shared}"] == f"{name}x has it, too"
    assert all("does not lie in" in done["kept"][url] for url in hostile.values())
    assert not own.exists()
    assert shared.exists()
    assert (treasure / "gold").exists()


def test_topics_of_others_that_are_called_models_are_not_read(
    broker: Broker, cli: Cli, name: str, bundles: list[str]
) -> None:
    cli("deploy", bundles[0])
    own = bundle_folder(broker, name)
    copy = Model(version="v", state="candidate", bundle=f"file://{own}", sha256="s", format="joblib")

    async def write(topic: str) -> None:
        async with producer(broker.connection) as client:
            await client.send_and_wait(topic, copy.encode(), b"v")

    async def create(*topics: str) -> None:
        async with admin_client(broker.connection) as admin:
            await admin.create_topics([NewTopic(topic, 1, 1) for topic in topics])

    asyncio.run(create(f"{name}y.models", f"a.{name}.models", f"a.{name}.distributions"))
    asyncio.run(write(f"{name}y.models"))
    planned = json.loads(cli("delete", "--bundles", "--dry-run", "--json").stdout)
    assert (planned["bundles"], planned["kept"]) == ([f"file://{own}"], {})


def test_json_does_not_ask(cli: Cli) -> None:
    cli("delete", "--json", status=2)


def test_no_broker_is_one_line(cli: Cli) -> None:
    assert "no Kafka broker answers" in cli("delete", "--yes", bootstrap="127.0.0.1:1", status=1).stderr
