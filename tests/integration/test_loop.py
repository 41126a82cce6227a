"""The whole loop on a real broker: the world changes, a new model is trained, judged and swapped in."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from functools import partial

import numpy as np
import orjson
from prometheus_client import generate_latest

from streamapp.messages import DecisionRecord, Distribution, Labelled, Model, Prediction, Retrain, format_time
from streamapp.models import Bundle
from streamapp.runtime.client import latest_models
from streamapp.runtime.metrics import Metrics
from tests.integration.conftest import Make
from tests.integration.deployment import Deployment, Sending
from tests.integration.running import until
from tests.operations.pages import names_of

PARTITIONS = 2
START_MS = 1_300_000_000_000
STEP_MS = 60_000
LABEL_AFTER = 20
"""Requests between a request and its label."""


class World:
    """Sends requests and, a while later, what was true; after `turns` the world is another one.

    Labels that are held back are sent with the first rows after `holds_labels` is taken back.
    """

    def __init__(self, deployment: Deployment, turns: int) -> None:
        self.deployment = deployment
        self.turns = turns
        self.count = 0
        self.told = 0
        self.holds_labels = False
        self.rng = np.random.default_rng(7)
        self.labels: list[str] = []

    def go_on(self, rows: int) -> None:
        requests, feedback = [], []
        for _ in range(rows):
            i = self.count
            has_turned = i >= self.turns
            temp, wind = self.rng.normal(size=2) + np.array([1.5 if has_turned else 0.0, 0.0])
            busy = (wind if has_turned else temp) + 0.5 * self.rng.normal() > 0  # as the reference has it
            self.labels.append("busy" if busy else "calm")
            time = ("ce_time", format_time(START_MS + i * STEP_MS).encode())
            value = orjson.dumps({"id": f"r-{i}", "features": {"temp": float(temp), "wind": float(wind)}})
            requests.append(Sending(value, b"k%d" % i, i % PARTITIONS, [time]))
            at = format_time(START_MS + i * STEP_MS)
            while self.told <= i - LABEL_AFTER and not self.holds_labels:
                value = orjson.dumps({"id": f"r-{self.told}", "label": self.labels[self.told], "at": at})
                feedback.append(Sending(value, b"k%d" % self.told, self.told % PARTITIONS))
                self.told += 1
            self.count += 1
        self.deployment.produce("requests", requests)
        self.deployment.produce("feedback", feedback)


def champion(deployment: Deployment) -> Model:
    models = asyncio.run(latest_models(deployment.settings.connection, deployment.settings.topics))
    assert models.champion is not None
    return models.versions[models.champion.version]


def is_all_judged(deployment: Deployment) -> bool:
    topics = ("labelled", "distributions")
    return all(deployment.committed("monitor", topic) == deployment.count(topic) for topic in topics)


def test_drift_is_seen_and_a_better_model_takes_over(make: Make, bundle: Bundle) -> None:
    deployment = make(
        pane_seconds=1,
        false_alarm_every=20_000,
        training_min_rows=400,
        retrain_cooldown_rows=600,
        retrain_every_rows=800,
        training_rows=600,
        gate_max_rows=3_000,
    )
    deployment.deploy(bundle, partitions=PARTITIONS)
    roles = [deployment.start(role) for role in ("score", "monitor", "train")]
    for role in roles:
        role.wait_ready()
    world = World(deployment, turns=1_000)
    world.go_on(1_000)
    until(lambda: deployment.count("labelled") >= 1_000 - LABEL_AFTER, what="labels joined")
    assert not deployment.values("drift-alerts"), "an alarm although nothing has changed"

    def waits_for_labels() -> bool:
        """Return whether training waits to see what the new inputs have done to accuracy."""
        world.go_on(100)
        decisions = [DecisionRecord.parse(value) for value in deployment.values("decisions")]
        inputs = {value["id"] for value in deployment.values("retrain-events") if value["reason"] == "input"}
        return any(
            each.outcome == "waiting" and "harm" in each.reason and inputs & set(each.events)
            for each in decisions
        )

    # Inputs move before the labels of those rows come.
    world.holds_labels = True
    until(waits_for_labels, what="the input alert's training held back", patience_s=60, every_s=1.0)
    world.holds_labels = False

    def knows_it(model: Model) -> bool:
        """Return whether most of what a version was trained on is of the new world."""
        return sum(max(data.end - max(data.start, world.turns), 0) for data in model.training_data) >= 400

    def knows_the_new_world() -> bool:
        # One trained by the schedule just after the turn may win too, until the next one does.
        world.go_on(100)
        return knows_it(champion(deployment))

    until(knows_the_new_world, what="a champion of the new world", patience_s=100, every_s=1.0)
    successor = champion(deployment).version
    until(
        lambda: roles[0].metric(f'streamapp_model_info{{format="joblib",version="{successor}"}}') == 1,
        what="the new champion serves",
    )
    # By the wall clock, though the stream is of 2011.
    assert roles[0].metric("streamapp_model_deployed_timestamp_seconds") > time.time() - 600
    world.go_on(500)
    until(lambda: deployment.count("predictions") >= world.count, what="all answered")
    until(lambda: deployment.count("labelled") >= world.count - LABEL_AFTER, what="all labels joined")
    until(partial(is_all_judged, deployment), what="all of it judged")

    labelled = world.count - LABEL_AFTER

    def is_shown() -> bool:
        quality = orjson.loads(roles[1].page("quality")[1])
        return (
            bool(quality["windows"])
            and quality["windows"][-1]["state"] == "early"
            and (sum(window["rows"] for window in quality["windows"]) == labelled)
        )

    until(is_shown, what="the quality of the answers")
    assert 0 < roles[1].metric('streamapp_quality{metric="accuracy"}') < 1
    for role in roles:  # what rules and dashboard are compared with
        assert names_of(role.page("metrics")[1]) == names_of(generate_latest(Metrics().registry).decode())
    assert roles[1].metric('streamapp_store_bytes{store="join"}') > 100_000
    answers = [Prediction.parse(value) for value in deployment.values("predictions")]
    assert Counter(answer.id for answer in answers) == Counter({f"r-{i}": 1 for i in range(world.count)})
    truth = {f"r-{i}": label for i, label in enumerate(world.labels)}
    last = [answer for answer in answers if int(answer.id[2:]) >= world.count - 300]
    records = {
        value["version"]: Model.parse(value) for value in deployment.values("models") if "state" in value
    }
    assert all(knows_it(records[answer.model.version]) for answer in last)
    first_would_say = bundle.predict([answer.features for answer in last]).values
    is_right = np.mean([answer.prediction == truth[answer.id] for answer in last])
    would_be = np.mean([said == truth[answer.id] for answer, said in zip(last, first_would_say, strict=True)])
    assert is_right > would_be + 0.1

    rows = [Labelled.parse(value) for value in deployment.values("labelled")]
    assert len(rows) == world.count - LABEL_AFTER
    assert all(row.label == truth[row.id] for row in rows)
    alerts = deployment.values("drift-alerts")
    opened = {alert["kind"] for alert in alerts if alert["state"] == "opened"}
    assert {"input", "accuracy", "target"} <= opened
    first = next(alert for alert in alerts if alert["kind"] == "input")
    assert first["subject"] == "temp"
    assert first["features"][0]["name"] == "temp"
    assert any(a["state"] == "resolved" and a["resolution"] == "rebased" for a in alerts)
    events = {value["id"]: Retrain.parse(value) for value in deployment.values("retrain-events")}
    assert {event.reason for event in events.values()} >= {"input", "accuracy", "target"}
    assert all(
        event.caused_by in {alert["id"] for alert in alerts}
        for event in events.values()
        if event.reason != "schedule"
    )
    decisions = [DecisionRecord.parse(value) for value in deployment.values("decisions")]
    assert max(Counter(decision.id for decision in decisions).values()) == 1
    assert {id for decision in decisions for id in decision.events} <= events.keys()
    trained = next(each for each in decisions if each.version == successor)
    assert trained.outcome == "trained"
    assert trained.candidates
    assert trained.data[0].end >= world.turns + 400

    models = asyncio.run(latest_models(deployment.settings.connection, deployment.settings.topics))
    model = models.versions[successor]
    assert model.state in {"champion", "retired"}  # a later one, with more of the new rows, may follow it
    assert model.caused_by in events
    assert model.training_data[0].topic == deployment.settings.topics.labelled
    assert model.newest_training_data_at is not None
    assert model.since.keys() == {"0", "1"}
    assert models.versions[bundle.version].state == "retired"
    decided = {
        m.version: m for m in models.versions.values() if m.state in {"rejected", "champion", "retired"}
    }
    assert isinstance(decided[successor], Model)
    panes = {value["first_offset"]: value for value in deployment.values("distributions")}
    assert panes, Distribution


def test_a_user_asks_for_a_new_model(make: Make, bundle: Bundle) -> None:
    deployment = make(training_min_rows=300, training_rows=1_000)
    deployment.deploy(bundle, partitions=PARTITIONS)
    roles = [deployment.start(role) for role in ("score", "monitor", "train")]
    for role in roles:
        role.wait_ready()
    world = World(deployment, turns=10_000)
    world.go_on(600)
    until(lambda: deployment.count("labelled") >= 580, what="labels joined")
    event = orjson.dumps({"id": "asked", "reason": "user"})
    deployment.produce("retrain-events", [Sending(event, deployment.name.encode())])

    def versions() -> list[Model]:
        models = asyncio.run(latest_models(deployment.settings.connection, deployment.settings.topics))
        return [model for model in models.versions.values() if model.version != bundle.version]

    until(lambda: bool(versions()), what="a challenger", patience_s=90)
    (model,) = versions()
    assert model.caused_by == "asked"
    assert model.state in {"challenger", "rejected", "champion"}
