from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from streamapp.messages import CHAMPION_KEY, Alert, Model, OffsetRange, Retrain
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import Publication, latest_models, publish, read_topic
from streamapp.topics import TopicNames

pytestmark = pytest.mark.broker

Cli = Callable[..., Result]


@pytest.fixture
def deployed(cli: Cli, bundles: list[str]) -> None:
    """Two versions: the first was champion, the second is."""
    cli("deploy", bundles[0])
    cli("deploy", bundles[1])


def champion(broker: Broker, name: str) -> str:
    pointer = asyncio.run(latest_models(broker.connection, TopicNames(name))).champion
    assert pointer is not None
    return pointer.version


def listed(cli: Cli) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(cli("models", "--json").stdout)
    return answer


@pytest.mark.usefixtures("deployed")
def test_versions_are_listed_with_the_state_that_the_pointer_gives(cli: Cli, versions: list[str]) -> None:
    answer = listed(cli)
    assert answer["champion"]["version"] == versions[1]
    assert {v["version"]: v["state"] for v in answer["versions"]} == {
        versions[0]: "retired",
        versions[1]: "champion",
    }
    assert all(v["bundle"].startswith("file:///") and v["sha256"] for v in answer["versions"])


@pytest.mark.usefixtures("deployed")
def test_a_person_sees_a_table_and_why(cli: Cli, name: str, broker: Broker) -> None:
    names = TopicNames(name)
    alert = Alert(
        id="a1", state="opened", kind="accuracy", subject="brier", summary="brier loss is 0.31", opened_at=0,
        updated_at=0,
    )  # fmt: skip
    event = Retrain(id="e1", reason="accuracy", caused_by="a1")
    record = Model(
        version="abcdef012345",
        state="rejected",
        bundle="file:///m",
        sha256="0" * 64,
        format="joblib",
        trained_at=1_304_323_200_000,
        newest_training_data_at=1_304_319_600_000,
        training_data=[OffsetRange(topic=names.labelled, partition=0, start=100, end=1_100)],
        scores={"brier": 0.31234, "champion-brier": 0.30001, "rows": 10_000.0},
        caused_by="e1",
        note="rejected, undecided after 10,000 rows: " + "its brier loss is as that of the champion, " * 3,
    )
    asyncio.run(
        publish(
            broker.connection,
            name,
            [
                Publication(topic=names.drift_alerts, key=b"x", message=alert, ce_id="x", time_ms=0),
                Publication(topic=names.retrain_events, key=b"x", message=event, ce_id="x", time_ms=0),
                Publication(topic=names.models, key=b"abcdef012345", message=record, ce_id="x", time_ms=0),
            ],
        )
    )
    lines = cli("models").stdout.splitlines()
    assert lines[0].split() == "version state served from reason data until loss beside".split()  # noqa: SIM905
    assert lines[1].split()[1] == "champion"
    assert all(len(line) <= 100 for line in lines)
    [at] = [i for i, line in enumerate(lines) if line.startswith("abcdef012345")]
    assert lines[at].split()[1:] == ["rejected", "-", "accuracy", "2011-05-02", "0.3123", "0.3000"]
    assert lines[at + 1].startswith("  rejected, undecided after 10,000 rows: its")
    story = " ".join(cli("models", "abc").stdout.split())
    for part in (
        "trained 2011-05-02 08:00, for accuracy (accuracy alert on brier: brier loss is 0.31), event e1",
        f"data {names.labelled} partition 0, offsets 100 to 1,100 (1,000 records)",
        "newest label given 2011-05-02 07:00,",
        (record.note or "").strip(),
    ):
        assert part in story
    told = json.loads(cli("models", "abc", "--json").stdout)
    assert (told["event"]["reason"], told["alert"]["id"], told["reigns"]) == ("accuracy", "a1", [])
    assert "'b1' is unknown" in cli("models", "b1", status=1).stderr


@pytest.mark.usefixtures("deployed")
def test_promote_moves_the_pointer_and_nothing_else(
    broker: Broker, cli: Cli, name: str, versions: list[str]
) -> None:
    before = asyncio.run(read_topic(broker.connection, TopicNames(name).models))
    out = cli("models", "promote", versions[0][:5]).stdout
    assert out == f"{versions[0]} is the champion of {name}, no longer {versions[1]}\n"
    assert champion(broker, name) == versions[0]
    after = asyncio.run(read_topic(broker.connection, TopicNames(name).models))
    assert [record.key for record in after[len(before) :]] == [CHAMPION_KEY]
    assert "already" in cli("models", "promote", versions[0]).stdout


@pytest.mark.usefixtures("deployed")
def test_rollback_goes_back_and_forth(broker: Broker, cli: Cli, name: str, versions: list[str]) -> None:
    cli("models", "rollback")
    assert champion(broker, name) == versions[0]
    assert json.loads(cli("models", "rollback", "--json").stdout) == {
        "before": versions[0],
        "champion": versions[1],
    }
    assert champion(broker, name) == versions[1]


def test_there_must_be_a_champion_to_go_back_to(cli: Cli, bundles: list[str]) -> None:
    cli("deploy", bundles[0])
    assert "nothing to go back to" in cli("models", "rollback", status=1).stderr


@pytest.mark.usefixtures("deployed")
def test_a_version_that_is_not_there_is_named_with_those_that_are(cli: Cli, versions: list[str]) -> None:
    error = cli("models", "promote", "zzz", status=1).stderr
    assert "'zzz' is unknown" in error
    assert all(version in error for version in versions)
    assert "more than one" in cli("models", "promote", "", status=1).stderr


def test_wrong_usage_is_2(cli: Cli) -> None:
    cli("models", "promote", status=2)
    cli("models", "rollback", "abc", status=2)
    cli("models", "demote", "abc", status=2)
    cli("models", "abc", "promote", status=2)


def test_a_deployment_that_is_not_there_is_one_line(cli: Cli, name: str) -> None:
    assert f"streamapp deploy {name} BUNDLE" in cli("models", status=1).stderr
