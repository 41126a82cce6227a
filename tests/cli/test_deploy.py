from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from streamapp.messages import CHAMPION_KEY, Champion, Model
from streamapp.models import Bundle
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import latest_models, partition_counts, read_topic
from streamapp.runtime.topic_problems import check_topics
from streamapp.topics import TopicNames

pytestmark = pytest.mark.broker

Cli = Callable[..., Result]


def records(broker: Broker, name: str) -> list[Any]:
    return asyncio.run(read_topic(broker.connection, TopicNames(name).models))


def test_the_first_deployment_makes_topics_stores_the_bundle_and_points_at_it(
    broker: Broker,
    cli: Cli,
    name: str,
    bundles: list[str],
    tmp_path: Path,
) -> None:
    version = Bundle.inspect(bundles[0]).version
    out = cli("deploy", bundles[0], "--partitions", 3).stdout
    assert f"{version} is the champion of {name}" in out
    assert out.endswith(f"next: streamapp run {name}\n")
    names = TopicNames(name)
    assert asyncio.run(check_topics(broker.connection, names)) == []
    assert asyncio.run(partition_counts(broker.connection, [names.requests])) == {names.requests: 3}
    record, pointer = records(broker, name)
    model = Model.decode(record.value)
    bundle = Bundle.load(model.bundle, sha256=model.sha256)
    assert bundle.version == model.version == version == record.key.decode()
    assert model.bundle.startswith(f"file://{tmp_path}/store/")
    assert (model.state, model.format) == ("champion", "joblib")
    assert pointer.key == CHAMPION_KEY
    assert Champion.decode(pointer.value).version == version
    for one in (record, pointer):
        headers = dict(one.headers)
        assert headers["ce_type"] == b"streamapp.model.v1"
        assert headers["ce_source"] == f"/streamapp/{name}".encode()
        assert headers["ce_id"]


def test_doing_it_again_changes_nothing(broker: Broker, cli: Cli, name: str, bundles: list[str]) -> None:
    cli("deploy", bundles[0])
    before = len(records(broker, name))
    out = cli("deploy", bundles[0]).stdout
    assert "already" in out
    assert "created" not in out
    assert len(records(broker, name)) == before


def test_another_bundle_replaces_the_champion_and_says_so(
    broker: Broker, cli: Cli, name: str, bundles: list[str], versions: list[str]
) -> None:
    cli("deploy", bundles[0])
    out = cli("deploy", bundles[1]).stdout
    assert f"it replaces {versions[0]}; with --challenger" in out
    models = asyncio.run(latest_models(broker.connection, TopicNames(name)))
    assert models.serving is not None
    assert models.serving.version == versions[1]
    # The former champion's record is JUDGE's to write.
    assert [r.key for r in records(broker, name)].count(versions[0].encode()) == 1


def test_a_challenger_does_not_move_the_pointer(
    broker: Broker, cli: Cli, name: str, bundles: list[str], versions: list[str]
) -> None:
    cli("deploy", bundles[0])
    done = json.loads(cli("deploy", bundles[1], "--challenger", "--json").stdout)
    assert (done["version"], done["state"], done["replaced"]) == (versions[1], "challenger", None)
    models = asyncio.run(latest_models(broker.connection, TopicNames(name)))
    assert models.champion is not None
    assert models.champion.version == versions[0]
    assert models.versions[versions[1]].state == "challenger"
    again = json.loads(cli("deploy", bundles[1], "--challenger", "--json").stdout)
    assert again["changed"] is False


def test_there_must_be_a_champion_to_challenge(cli: Cli, name: str, bundles: list[str]) -> None:
    error = cli("deploy", bundles[0], "--challenger", status=1).stderr
    assert (
        error == f"streamapp deploy: {name} has no champion to challenge yet: deploy without --challenger\n"
    )


def test_the_champion_cannot_challenge_itself(
    cli: Cli, name: str, bundles: list[str], versions: list[str]
) -> None:
    cli("deploy", bundles[0])
    assert f"{versions[0]} is champion already" in cli("deploy", bundles[0], "--challenger", status=1).stderr


def test_a_bundle_that_was_changed_is_refused_before_anything_is_written(
    broker: Broker, cli: Cli, name: str, bundles: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(bundles[0], folder)
    [model] = [path for path in folder.rglob("*") if path.is_file() and path.suffix == ".joblib"]
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    cli("deploy", folder, status=1)
    assert asyncio.run(partition_counts(broker.connection, list(TopicNames(name)))) == {}


def test_a_bundle_of_another_name_is_deployed_with_a_note(cli: Cli, name: str, bundles: list[str]) -> None:
    assert f"the bundle is named 'bikes'; it serves here as '{name}'" in cli("deploy", bundles[0]).stdout


def test_no_bundle_and_no_broker_are_one_line_each(cli: Cli, bundles: list[str], tmp_path: Path) -> None:
    assert str(tmp_path) in cli("deploy", tmp_path / "none", status=1).stderr
    error = cli("deploy", bundles[0], bootstrap="127.0.0.1:1", status=1).stderr
    assert "no Kafka broker answers at 127.0.0.1:1" in error


def test_other_partitions_than_there_are_is_an_error(cli: Cli, name: str, bundles: list[str]) -> None:
    cli("deploy", bundles[0], "--partitions", 2)
    assert "exists with 2" in cli("deploy", bundles[0], "--partitions", 5, status=1).stderr
    cli("deploy", bundles[0], "--partitions", 0, status=2)


def test_the_champion_moves_to_another_store(  # noqa: PLR0917
    broker: Broker, cli: Cli, name: str, bundles: list[str], versions: list[str], tmp_path: Path
) -> None:
    cli("deploy", bundles[0])
    before = asyncio.run(latest_models(broker.connection, TopicNames(name)))
    assert before.serving is not None
    done = json.loads(cli("deploy", before.serving.bundle, "--store", tmp_path / "new", "--json").stdout)
    after = asyncio.run(latest_models(broker.connection, TopicNames(name)))
    assert after.pointers == before.pointers
    assert after.serving is not None
    assert after.serving.bundle == done["bundle"]
    assert done["bundle"].startswith(f"file://{tmp_path}/new/")
    assert Bundle.load(done["bundle"]).version == versions[0]
