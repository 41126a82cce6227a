"""An online challenger on a real broker: it learns while it is judged, wins, and goes on learning."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import numpy as np
import pytest
from river import naive_bayes

from streamapp.messages import Prediction
from streamapp.models import Bundle
from streamapp.models.lineage import learned_until
from streamapp.runtime.client import latest_models
from tests.integration.conftest import Make, draw
from tests.integration.deployment import Deployment
from tests.integration.running import until
from tests.integration.test_loop import PARTITIONS, World, champion, is_all_judged


def challenger_of_the_old_world() -> Bundle:
    """A model of river that has seen a little of what the champion was fitted on."""
    X, y = draw(5, 200)
    model = naive_bayes.GaussianNB()
    for row, label in zip(X.to_dict("records"), y.tolist(), strict=True):
        model.learn_one({"temp": row["temp"], "wind": row["wind"]}, label)
    return Bundle.create(model, X, y, name="it", format="river", created_at_ms=1)


def models_of(deployment: Deployment) -> Any:
    return asyncio.run(latest_models(deployment.settings.connection, deployment.settings.topics))


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_it_learns_wins_and_goes_on_learning(make: Make, bundle: Bundle) -> None:
    # Row by row it is slow, and slower where others use the machine: admission has tests of its own.
    deployment = make(
        training_min_rows=100_000, online_snapshot_rows=200, gate_max_rows=5_000, gate_latency_ms=5_000
    )
    deployment.deploy(bundle, partitions=PARTITIONS)
    first = challenger_of_the_old_world()
    deployment.deploy(first, challenger=True)
    score, monitor, train = (deployment.start(role) for role in ("score", "monitor", "train"))
    for role in (score, monitor, train):
        role.wait_ready()
    world = World(deployment, turns=0)
    world.go_on(120)
    until(lambda: deployment.count("labelled") > 0, what="the first rows joined")
    until(partial(is_all_judged, deployment), what="and judged")
    assert champion(deployment).version == bundle.version

    # What it has learned is nowhere but in the rows, and the gate's state too.
    monitor.kill()
    monitor = deployment.start("monitor", instance="monitor-again")
    monitor.wait_ready()

    def is_snapshot() -> bool:
        world.go_on(60)
        return champion(deployment).caused_by == first.version

    until(is_snapshot, what=lambda: f"a snapshot serves; {monitor.tail()}", patience_s=100, every_s=1.0)
    assert "have learned labelled rows 0 to" in monitor.log.read_text()
    won = models_of(deployment).versions[first.version]
    assert won.scores["zero-one"] < won.scores["champion-zero-one"]
    assert [(part.partition, part.start) for part in won.training_data] == [(0, 0)]
    snapshot = champion(deployment)
    assert snapshot.training_data[0].start == 0
    assert learned_until(snapshot) >= learned_until(won)
    assert snapshot.note == f"snapshot of {first.version}, which goes on learning"

    # A restart of TRAIN goes on behind the rows of the snapshot that serves.
    train.kill()
    train = deployment.start("train", instance="train-again")
    train.wait_ready()
    goal = learned_until(snapshot) + 200

    def goes_on() -> bool:
        world.go_on(60)
        return learned_until(champion(deployment)) >= goal

    until(goes_on, what=lambda: f"a later snapshot serves; {train.tail()}", patience_s=100, every_s=1.0)
    latest = champion(deployment)
    assert latest.caused_by == first.version
    line = f'streamapp_model_info{{format="river",version="{latest.version}"}}'
    until(lambda: score.metric(line) == 1, what="the snapshot serves")
    world.go_on(300)
    until(lambda: deployment.count("predictions") >= world.count, what="all answered")

    answers = [Prediction.parse(value) for value in deployment.values("predictions")]
    assert len({answer.id for answer in answers}) == world.count
    truth = {f"r-{i}": label for i, label in enumerate(world.labels)}
    last = [answer for answer in answers if int(answer.id[2:]) >= world.count - 300]
    is_right = np.mean([answer.prediction == truth[answer.id] for answer in last])
    first_would_say = first.predict([answer.features for answer in last]).values
    would_be = np.mean([said == truth[a.id] for a, said in zip(last, first_would_say, strict=True)])
    assert is_right > would_be + 0.1
    bundles = [model for model in models_of(deployment).versions.values() if model.caused_by == first.version]
    ends = [learned_until(model) for model in bundles]
    assert len(ends) == len(set(ends)), "what was learned is published once"

    # The old world again: the version before comes back. With the new one so does what had served last.
    world.turns = 10**9

    def serves(is_learner: bool) -> bool:
        world.go_on(60)
        return (champion(deployment).caused_by == first.version) == is_learner

    until(
        partial(serves, False), what=lambda: f"the old serves; {monitor.tail()}", patience_s=100, every_s=1.0
    )
    assert champion(deployment).version == bundle.version
    world.turns = 0
    until(
        partial(serves, True),
        what=lambda: f"a snapshot is back; {monitor.tail()}",
        patience_s=100,
        every_s=1.0,
    )
    pointers = [pointer.version for pointer in models_of(deployment).pointers]
    at = len(pointers) - 1 - pointers[::-1].index(bundle.version)
    assert pointers[at + 1] == pointers[at - 1] != first.version
