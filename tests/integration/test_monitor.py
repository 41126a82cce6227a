"""The monitor role on a real broker: what was joined and seen survives a kill and a lost disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson

from streamapp.messages import format_time
from streamapp.models import Bundle
from tests.integration.conftest import Make, draw
from tests.integration.deployment import PARTITIONS, Deployment, Sending, labels, requests
from tests.integration.running import Running, until


def joined(monitor: Running, outcome: str) -> float:
    return monitor.metric(f'streamapp_labels_total{{outcome="{outcome}"}}')


def ids(deployment: Deployment) -> Counter[str]:
    """Return how often each distinct ce_id stands in ``labelled``, by the id of its request."""
    messages = deployment.consume("labelled")
    by_ce_id = {dict(message.headers())["ce_id"]: orjson.loads(message.value())["id"] for message in messages}
    return Counter(by_ce_id.values())


def test_a_killed_monitor_joins_every_label_once(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    deployment.start("score").wait_ready()
    monitor = deployment.start("monitor", instance="one")
    monitor.wait_ready()
    count = 0
    for chunk in range(30):
        deployment.produce("requests", requests(100, first=count))
        deployment.produce("feedback", labels(100, first=count))
        count += 100
        if chunk in {10, 20}:
            monitor.kill()
            monitor = deployment.start("monitor", instance="one")
            monitor.wait_ready()
    until(lambda: sum(ids(deployment).values()) >= count, what="all labels joined")
    assert ids(deployment) == Counter({f"r-{i}": 1 for i in range(count)})


def test_a_lost_disk_is_rebuilt_from_the_topics(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    deployment.start("score").wait_ready()
    monitor = deployment.start("monitor", instance="one")
    monitor.wait_ready()
    deployment.produce("requests", requests(400))
    deployment.produce("feedback", labels(100))
    until(lambda: monitor.metric('streamapp_answers_total{outcome="answers"}') >= 400, what="answers read")
    until(lambda: joined(monitor, "joined") >= 100, what="labels joined")
    assert monitor.terminate() == 0
    shutil.rmtree(deployment.folder / "state")
    deployment.start("monitor", instance="one").wait_ready()
    deployment.produce("feedback", labels(300, first=100))
    until(lambda: sum(ids(deployment).values()) >= 400, what="labels of answers from before")
    assert ids(deployment) == Counter({f"r-{i}": 1 for i in range(400)})
    assert deployment.count("labelled") == 400, "rows from before were delivered again"


def test_what_is_over_the_horizon_is_forgotten_under_steady_traffic(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1, label_horizon_s=600)
    deployment.deploy(bundle, partitions=PARTITIONS)
    deployment.start("score").wait_ready()
    monitor = deployment.start("monitor", instance="one")
    monitor.wait_ready()
    deployment.produce("feedback", [Sending(b'{"id": "ghost", "label": "busy"}')])
    sent = 0

    def are_forgotten() -> bool:
        nonlocal sent
        chunk = [
            each._replace(headers=[("ce_time", format_time(1_300_000_000_000 + 1_000 * i).encode())])
            for i, each in enumerate(requests(300, first=sent), sent)
        ]
        deployment.produce("requests", chunk)
        deployment.produce("feedback", labels(150, first=sent))
        sent += 300
        return monitor.metric("streamapp_unlabelled_total") >= 300 and joined(monitor, "unknown-id") == 1

    until(are_forgotten, what="forgotten answers")
    until(lambda: sum(ids(deployment).values()) >= sent // 2, what="all labels joined")
    assert ids(deployment) == Counter({f"r-{i}": 1 for i in range(sent) if i % 300 < 150})


def drawn(count: int, *, first: int, shift: float = 0.0) -> list[Sending]:
    """Requests like the rows of the bundle's reference, or with `shift` added to the temperature."""
    X, _ = draw(first, count)
    return [
        Sending(
            orjson.dumps({"id": f"r-{first + i}", "features": {"temp": temp + shift, "wind": wind}}),
            partition=i % PARTITIONS,
        )
        for i, (temp, wind) in enumerate(zip(X["temp"].tolist(), X["wind"].tolist(), strict=True))
    ]


def feed(deployment: Deployment, chunks: Sequence[int], *, first: int = 0, shift: float = 0.0) -> int:
    """Send chunks of requests and return the next number; each chunk in panes of its own.

    All at once would be a few large panes, and one round.
    """
    for count in chunks:
        deployment.produce("requests", drawn(count, first=first, shift=shift))
        first += count
        until(partial(are_in_panes, deployment, first), what="all answers in closed panes")
    return first


def are_in_panes(deployment: Deployment, count: int) -> bool:
    total: int = sum(pane["events"] for pane in deployment.values("distributions"))
    return total == count


def replayed(deployment: Deployment, *options: str) -> list[dict[str, Any]]:
    line = [sys.executable, "-m", "streamapp", "replay", deployment.name, "--json", *options]
    done = subprocess.run(
        line, env={**os.environ, **deployment.env}, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [orjson.loads(each) for each in done.stdout.splitlines()]


def test_the_drift_policy_of_the_settings_holds_and_what_no_column_has_is_warned_of_once(
    make: Make, bundle: Bundle
) -> None:
    choices = "temp:watch=false temp|busy:floor=1 gone:weight=2"
    deployment = make(pane_seconds=0.2, commit_interval=0.1, false_alarm_every=50_000, drift=choices)
    deployment.deploy(bundle, partitions=PARTITIONS)
    deployment.start("score").wait_ready()
    monitor = deployment.start("monitor", instance="one")
    monitor.wait_ready()
    feed(deployment, [150] * 8, shift=1.0)
    until(
        lambda: deployment.committed("monitor", "distributions") == deployment.count("distributions"),
        what="all panes judged",
    )
    named = {f["name"] for alert in deployment.values("drift-alerts") for f in alert["features"]}
    assert "temp" not in named
    assert "confidence" in named or "probability:calm" in named or "prediction" in named
    (warning,) = [line for line in monitor.log.read_text().splitlines() if "setting drift names" in line]
    assert warning.endswith("has not: gone, temp|busy")


def test_a_replay_says_what_the_monitor_said(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=0.2, commit_interval=0.1, clear_after=300, false_alarm_every=50_000)
    deployment.deploy(bundle, partitions=PARTITIONS)
    deployment.start("score").wait_ready()
    monitor = deployment.start("monitor", instance="one")
    monitor.wait_ready()
    count = feed(deployment, [150] * 6)
    count = feed(deployment, [150] * 5, first=count, shift=1.0)
    monitor.kill()
    deployment.start("monitor", instance="one").wait_ready()
    count = feed(deployment, [300] * 10, first=count)
    until(
        lambda: deployment.committed("monitor", "distributions") == deployment.count("distributions"),
        what="all panes judged",
    )
    records = {
        dict(message.headers())["ce_id"]: message.value() for message in deployment.consume("drift-alerts")
    }
    # A verdict comes from rows, not from what a replay reads.
    said = {ce_id.decode(): orjson.loads(value) | {"verdict": None} for ce_id, value in records.items()}
    assert {alert["state"] for alert in said.values()} >= {"opened", "resolved"}

    *lines, last = replayed(deployment)
    again = {line["ce_id"]: line["alert"] for line in lines if "alert" in line}
    assert again == said
    summary = last["summary"]
    assert (summary["requests"], summary["false_alarm_every"]) == (count, 50_000)
    assert summary["recorded"]["same"] == summary["recorded"]["messages"] == len(said)
    assert sum(line.get("over", False) for line in lines) > 0

    *lines, last = replayed(deployment, "--false-alarm-every", "100")
    assert not last["summary"]["live_settings"]
    assert {line["ce_id"] for line in lines if "alert" in line} != set(said)


def test_when_nothing_comes_any_more_it_says_so_until_something_does(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=0.2, commit_interval=0.1, no_data_after_s=3)
    deployment.deploy(bundle, partitions=PARTITIONS)
    deployment.start("score").wait_ready()
    monitor = deployment.start("monitor", instance="one")
    monitor.wait_ready()
    count = feed(deployment, [100])

    def said() -> list[tuple[str, str]]:
        alerts = [each for each in deployment.values("drift-alerts") if each["kind"] == "no-data"]
        return [(alert["id"], alert["state"]) for alert in alerts]

    until(lambda: len(said()) > 0, what="the alert")
    monitor.terminate()
    deployment.start("monitor", instance="one").wait_ready()
    feed(deployment, [100], first=count)
    until(lambda: len(said()) > 1, what="its end")
    opened, resolved = said()[:2]  # three seconds later it may have opened again
    assert (opened[1], resolved[1]) == ("opened", "resolved")
    assert opened[0] == resolved[0]


def test_requests_that_waited_long_are_an_alert(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=0.2, commit_interval=0.1, latency_limit_s=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    monitor = deployment.start("monitor", instance="one")
    deployment.produce("requests", drawn(100, first=0))
    monitor.wait_ready()
    time.sleep(1)
    deployment.start("score").wait_ready()
    until(lambda: deployment.count("drift-alerts") > 0, what="the alert")
    (alert,) = deployment.values("drift-alerts")
    assert (alert["kind"], alert["state"], alert["subject"]) == ("latency", "opened", "requests")
    assert alert["summary"].endswith("waited longer than 1 s for it")
    assert sum(pane["late"] for pane in deployment.values("distributions")) == 100
    is_open = 'streamapp_open_alerts{kind="latency"}'
    until(lambda: monitor.metric(is_open) == 1, what="it is shown")
    monitor.terminate()
    monitor = deployment.start("monitor", instance="one")
    monitor.wait_ready()
    until(lambda: monitor.metric(is_open) == 1, what="it is open after a restart")


def test_accuracy_is_estimated_before_labels_come_until_they_say_otherwise(
    make: Make, bundle: Bundle
) -> None:
    deployment = make(pane_seconds=0.2, commit_interval=0.1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    deployment.start("score").wait_ready()
    monitor = deployment.start("monitor", instance="one")
    monitor.wait_ready()

    def is_state(role: Running, state: str) -> bool:
        return role.metric(f'streamapp_accuracy_estimate_state{{state="{state}"}}') == 1

    def estimated(role: Running) -> float:
        return role.metric('streamapp_quality{metric="estimated-accuracy"}')

    count = feed(deployment, [200] * 2)
    until(lambda: is_state(monitor, "unverified"), what="the estimate")
    assert bundle.baseline is not None
    assert abs(estimated(monitor) - (1 - bundle.baseline.mean)) < 0.1
    answers = {value["id"]: value["prediction"] for value in deployment.values("predictions")}
    wrong = [
        Sending(orjson.dumps({"id": id_, "label": "busy" if said == "calm" else "calm"}), partition=0)
        for id_, said in answers.items()
    ]
    deployment.produce("feedback", wrong)
    until(lambda: is_state(monitor, "invalid"), what="labels that disagree")
    until(lambda: estimated(monitor) < 0.05, what="what labels say")
    until(lambda: deployment.count("labelled") == count, what="all labels joined")
    until(lambda: deployment.committed("monitor", "labelled") == count, what="all of them judged")
    monitor.terminate()
    again = deployment.start("monitor", instance="one")
    again.wait_ready()
    feed(deployment, [50], first=count)
    until(lambda: is_state(again, "invalid"), what="what was known before the restart")
