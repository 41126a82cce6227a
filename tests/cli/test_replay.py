from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from streamapp.agents.watch import alert_record
from streamapp.drift import Watch, event_id
from streamapp.messages import Alert, Distribution, OutRecord
from streamapp.models import Bundle
from streamapp.profile import Profile
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import producer, read_topic
from streamapp.topics import TopicNames
from tests.drift.streams import distribution, panes

pytestmark = pytest.mark.broker

Cli = Callable[..., Result]
DAY_MS = 86_400_000


def log(profile: Profile, version: str) -> list[Distribution]:
    """Return 60 panes of 64 rows, a day each; from the 40th on it is far warmer."""
    rng = np.random.default_rng(7)
    n = 60 * 64
    columns = {
        "temp": rng.normal(size=n),
        "hour": rng.integers(0, 24, size=n).astype(float),
        "holiday": (rng.random(n) < 0.3).astype(float),
    }
    columns["temp"][40 * 64 :] += 3
    busy = rng.random(n)
    made = [distribution(version, pane) for pane in panes(profile, (columns, np.stack([busy, 1 - busy], 1)))]
    days = [{"from_": i * DAY_MS, "to": (i + 1) * DAY_MS - 1} for i in range(60)]
    return [pane.model_copy(update=day) for pane, day in zip(made, days, strict=True)]


def write(broker: Broker, name: str, topic: str, records: Sequence[OutRecord]) -> None:
    async def run() -> None:
        async with producer(broker.connection) as client:
            for record in records:
                await client.send_and_wait(
                    TopicNames(name)[topic], key=record.key, value=record.value, headers=list(record.headers)
                )

    asyncio.run(run())


class Deployed:
    """A deployment whose panes are recorded, with the alerts that they caused."""

    def __init__(self, broker: Broker, name: str, bundle: Bundle) -> None:
        self.broker, self.name, self.version = broker, name, bundle.version
        self.panes = log(bundle.profile, bundle.version)
        watch = Watch(name)
        self.alerts = [alert for pane in self.panes for alert in watch.fold(pane, lambda _: bundle.profile)]
        assert [alert.state for alert in self.alerts].count("opened") >= 1

    def record(self, alerts: Sequence[Alert]) -> None:
        write(self.broker, self.name, "drift-alerts", [alert_record(self.name, alert) for alert in alerts])

    def record_panes(self, values: Sequence[bytes | None]) -> None:
        write(self.broker, self.name, "distributions", [OutRecord.of(0, b"k", value, []) for value in values])


@pytest.fixture
def deployed(broker: Broker, cli: Cli, name: str, bundles: list[str]) -> Deployed:
    cli("deploy", bundles[0])
    deployed = Deployed(broker, name, Bundle.inspect(bundles[0]))
    deployed.record_panes([pane.encode() for pane in deployed.panes])
    return deployed


def objects(result: Result) -> tuple[list[Any], list[Any], dict[str, Any]]:
    """Return windows, alerts and the summary."""
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    summary = lines.pop()["summary"]
    return [line for line in lines if "round" in line], [line for line in lines if "alert" in line], summary


def test_the_recorded_log_gives_the_recorded_alerts(cli: Cli, deployed: Deployed) -> None:
    deployed.record(deployed.alerts)
    *shown, judged, compared = cli("replay").stdout.splitlines()
    assert len(shown) == len(deployed.alerts)
    for line, alert in zip(shown, deployed.alerts, strict=True):
        assert line.endswith(f"{alert.kind} alert {alert.state}: {alert.summary}")
        assert line.startswith("1970-02-")
    assert judged.startswith(
        "judged 3,840 requests in 60 panes and 57 rounds, 1970-01-01 00:00:00 to 1970-03"
    )
    opened, said = sum(alert.state == "opened" for alert in deployed.alerts), len(deployed.alerts)
    noun = "alert" if opened == 1 else "alerts"
    assert compared.startswith(f"{opened} {noun} opened; the same as recorded: {said} of {said} message")


def test_as_json_each_window_and_the_same_messages(broker: Broker, cli: Cli, deployed: Deployed) -> None:
    deployed.record(deployed.alerts)
    windows, alerts, summary = objects(cli("replay", "--json"))
    records = asyncio.run(read_topic(broker.connection, TopicNames(deployed.name).drift_alerts))
    assert [line["alert"] for line in alerts] == [json.loads(record.value) for record in records]
    assert [line["ce_id"].encode() for line in alerts] == [dict(r.headers)["ce_id"] for r in records]
    assert len({line["round"]["to"] for line in windows}) == summary["rounds"] == 57
    first = windows[0]
    assert first["round"] == {
        "from": "1970-01-01T00:00:00Z",
        "to": "1970-01-04T23:59:59.999Z",
        "events": 256,
        "partitions": {"0": [0, 256]},
    }
    assert (first["window"], first["version"], first["over"]) == (256, deployed.version, False)
    for line in windows:
        assert line["over"] == (abs(line["z"]) > line["threshold"])
    drifting = [line for line in windows if line["over"]]
    assert drifting[0]["name"] == "temp"
    assert drifting[0]["round"]["from"] >= "1970-02-10"
    assert drifting[-1]["effect"] > 0.5
    assert (summary["panes"], summary["requests"], summary["skipped"]) == (60, 3_840, {})
    assert (summary["false_alarm_every"], summary["clear_after"]) == (100_000, 5_000)
    assert summary["live_settings"]
    count = len(deployed.alerts)
    assert summary["recorded"] == {
        "opened": summary["opened"], "messages": count, "same": count, "compacted": 0,
        "first_difference": None,
    }  # fmt: skip


def test_since_and_until_select_what_is_shown(cli: Cli, deployed: Deployed) -> None:
    deployed.record(deployed.alerts)
    every, _, whole = objects(cli("replay", "--json"))
    opened = deployed.alerts[0]
    since, until = "1970-02-05T00:00:00+00:00", "1970-02-08T00:00:00Z"
    windows, alerts, summary = objects(cli("replay", "--json", "--since", since, "--until", until))
    assert windows == [line for line in every if "1970-02-05" <= line["round"]["to"] < "1970-02-08"] != []
    assert alerts == []
    assert (summary["panes"], summary["opened"], whole["opened"] > 0) == (60, 0, True)
    assert summary["recorded"]["messages"] == 0
    compared = cli("replay", "--since", since, "--until", until).stdout.splitlines()[-1]
    between = "since 1970-02-05 00:00:00 and before 1970-02-08 00:00:00"
    assert compared == f"{between}: 0 alerts opened; nothing is recorded either"
    later = objects(cli("replay", "--json", "--since", "1970-02-08T00:00:00Z"))
    assert later[1][0]["alert"]["id"] == opened.id
    assert later[2]["recorded"] == whole["recorded"]


def test_another_setting_is_told_apart_from_the_record(cli: Cli, deployed: Deployed) -> None:
    other = deployed.alerts[0].model_copy(
        update={"id": "x", "kind": "correlation", "subject": "hour~temp", "opened_at": 5, "updated_at": 5}
    )
    deployed.record([other, *deployed.alerts])
    *_, compared, only = cli("replay", "--false-alarm-every", 50_000).stdout.splitlines()
    recorded = sum(alert.state == "opened" for alert in [other, *deployed.alerts])
    assert compared.startswith("set to one in 50,000, cleared after 5,000: ")
    assert compared.endswith(f"(recorded: {recorded})")
    assert only == "only recorded: correlation alert on hour~temp, opened 1970-01-01 00:00:00"
    _, alerts, summary = objects(cli("replay", "--json", "--clear-after", 10))
    assert not summary["live_settings"]
    assert {line["alert"]["false_alarm_every"] for line in alerts} == {100_000}
    assert [each["id"] for each in summary["recorded"]["only_recorded"]] == ["x"]


def test_another_drift_policy_is_another_setting(
    cli: Cli, deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of a version that did not note its settings: they are taken to be those of the environment.
    deployed.record([each.model_copy(update={"clear_after": None}) for each in deployed.alerts])
    choices = ("--drift", "temp:watch=false", "--drift", "gone:floor=1")
    *_, unknown, compared, only = cli("replay", *choices).stdout.splitlines()
    assert unknown == f"chosen for what version {deployed.version} has not: gone"
    assert ", with choices for temp, gone: " in compared
    assert only.startswith("only recorded: input alert on temp, opened")
    _, alerts, summary = objects(cli("replay", "--json", *choices))
    assert summary["drift"] == {"temp": {"watch": False}, "gone": {"floor": 1.0}}
    assert not summary["live_settings"]
    assert not {f["name"] for line in alerts for f in line["alert"]["features"]} & {"temp"}
    monkeypatch.setenv("STREAMAPP_DRIFT", "temp:watch=false")
    _, _, summary = objects(cli("replay", "--json"))
    assert (summary["live_settings"], summary["drift"]) == (True, {"temp": {"watch": False}})
    _, _, summary = objects(cli("replay", "--json", "--drift", "temp:watch=true"))
    assert (summary["live_settings"], summary["drift"]) == (False, {"temp": {"watch": True}})
    assert summary["opened"] == sum(alert.state == "opened" for alert in deployed.alerts)
    deployed.record(deployed.alerts)
    _, _, summary = objects(cli("replay", "--json"))
    assert (summary["live_settings"], summary["drift"]) == (True, {})
    assert summary["recorded"]["same"] == len(deployed.alerts)


def test_the_recorded_setting_is_the_default(
    cli: Cli, deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMAPP_FALSE_ALARM_EVERY", "777")
    monkeypatch.setenv("STREAMAPP_CLEAR_AFTER", "888")
    _, _, summary = objects(cli("replay", "--json"))
    assert (summary["false_alarm_every"], summary["clear_after"]) == (777, 888)
    deployed.record(deployed.alerts)
    for options in ([], ["--false-alarm-every", 100_000]):
        _, _, summary = objects(cli("replay", "--json", *options))
        assert (summary["false_alarm_every"], summary["live_settings"]) == (100_000, True)
        assert (summary["clear_after"], summary["recorded"]["first_difference"]) == (5_000, None)


def test_a_message_that_differs_is_named(cli: Cli, deployed: Deployed) -> None:
    first = deployed.alerts[0].model_copy(update={"severity": "info"})
    deployed.record([first, *deployed.alerts[1:]])
    text = cli("replay").stdout
    assert f"NOT the same as recorded: {len(deployed.alerts) - 1} of {len(deployed.alerts)} message" in text
    assert "the first that differs: opened, " in text
    assert "recorded with another severity: " in text


def test_what_the_monitor_has_not_said_yet_is_no_riddle(cli: Cli, deployed: Deployed) -> None:
    assert "has the monitor role read that far" in cli("replay").stdout
    assert event_id(deployed.alerts[0]) in cli("replay", "--json").stdout


def test_panes_that_cannot_be_judged_are_counted_and_said(cli: Cli, deployed: Deployed) -> None:
    deployed.record(deployed.alerts)
    gone = deployed.panes[-1].model_copy(
        update={"version": "feedbeef", "first_offset": 5_000, "next_offset": 5_064}
    )
    deployed.record_panes([deployed.panes[-1].encode(), gone.encode(), b"\xff", None])
    skipped = cli("replay").stdout.splitlines()[-2]
    assert skipped == (
        "skipped 1 pane written twice; 1 pane of a version whose profile cannot be read; "
        f"2 records that are no panes; feedbeef: {deployed.name}.models has no record of it"
    )
    _, _, summary = objects(cli("replay", "--json"))
    assert summary["skipped"] == {"repeat": 1, "no-profile": 1, "unreadable": 2}
    assert list(summary["missing"]) == ["feedbeef"]
    assert summary["recorded"]["same"] == len(deployed.alerts)


def test_a_bundle_that_is_gone_is_one_line_and_one_that_was_moved_is_found(
    cli: Cli, deployed: Deployed, tmp_path: Path
) -> None:
    shutil.move(tmp_path / "store", tmp_path / "moved")
    said = cli("replay", status=1).stderr
    assert "none of the 60 panes can be judged: 60 panes of a version whose profile" in said
    assert f"{deployed.version}: " in said
    _, _, summary = objects(cli("replay", "--json", "--store", tmp_path / "moved"))
    assert (summary["panes"], summary["skipped"], summary["missing"]) == (60, {}, {})


def test_a_log_without_panes_is_one_line(cli: Cli, name: str, bundles: list[str]) -> None:
    cli("deploy", bundles[0])
    said = cli("replay", status=1).stderr
    assert f"nothing is recorded in {name}.distributions yet: streamapp run {name} writes there" in said


def test_a_deployment_that_is_not_there_is_one_line(cli: Cli, name: str) -> None:
    assert f"streamapp deploy {name} BUNDLE" in cli("replay", status=1).stderr


def test_no_broker_is_one_line(cli: Cli) -> None:
    assert "no Kafka broker answers" in cli("replay", bootstrap="127.0.0.1:1", status=1).stderr


def test_a_setting_out_of_bounds_is_one_line(cli: Cli) -> None:
    for option, value, bound in (("false-alarm-every", 99, 100), ("clear-after", 0, 1)):
        said = cli("replay", f"--{option}", value, status=1, bootstrap="127.0.0.1:1").stderr
        assert f"{option.replace('-', '_')} is {value}; it must be at least {bound}" in said


def test_wrong_usage_is_2(cli: Cli) -> None:
    assert "2011-05-02T08:00:00Z" in cli("replay", "--since", "soon", status=2).stderr
    assert "offset from UTC" in cli("replay", "--until", "2011-05-02", status=2).stderr
    cli("replay", "--false-alarm-every", "few", status=2)
    times = ["--since", "2011-05-02T08:00:00Z", "--until", "2011-05-02T08:00:00Z"]
    assert "must be later than" in cli("replay", *times, status=2).stderr
