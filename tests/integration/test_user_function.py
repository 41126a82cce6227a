"""A user's function in a real role: found in the working directory, ended when it hangs, asked again."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from streamapp.messages import Model
from streamapp.models import Bundle
from streamapp.runtime.client import latest_models
from tests.integration.conftest import Make
from tests.integration.deployment import Deployment, Sending
from tests.integration.running import until
from tests.integration.test_loop import PARTITIONS, World

OWN = """
import signal
from pathlib import Path

from sklearn.linear_model import LogisticRegression


class OwnModel(LogisticRegression):
    pass


def fit(data):
    asked_before = Path("asked")
    if not asked_before.exists():
        asked_before.touch()
        signal.pause()
    return OwnModel(C=0.5).fit(data.X, data.y)
"""


def ask(deployment: Deployment, event: str) -> None:
    value = orjson.dumps({"id": event, "reason": "user"})
    deployment.produce("retrain-events", [Sending(value, deployment.name.encode())])


def test_a_function_that_hangs_fails_once_and_is_asked_again(
    make: Make, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = make(
        training_min_rows=300, training_rows=1_000, trainer="own_models:fit", training_timeout_s=15
    )
    (deployment.working_directory / "own_models.py").write_text(OWN)
    deployment.deploy(bundle, partitions=PARTITIONS)
    roles = [deployment.start(role) for role in ("score", "monitor", "train")]
    for role in roles:
        role.wait_ready()
    train = roles[2]
    world = World(deployment, turns=10_000)
    world.go_on(600)
    until(lambda: deployment.count("labelled") >= 580, what="labels joined")

    ask(deployment, "first")
    outcome = 'streamapp_retrains_total{outcome="%s",reason="user"}'
    until(lambda: train.metric(outcome % "failed") == 1, what="a failed training", patience_s=90)
    assert "gave no model: the training was ended after 15 s, of which training_timeout_s" in train.tail()
    assert train.page("health")[0] == 200

    ask(deployment, "second")

    def versions() -> list[Model]:
        models = asyncio.run(latest_models(deployment.settings.connection, deployment.settings.topics))
        return [model for model in models.versions.values() if model.version != bundle.version]

    until(lambda: bool(versions()), what=lambda: f"a challenger: {train.tail()}", patience_s=90)
    (model,) = versions()
    assert model.caused_by == "second"
    monkeypatch.syspath_prepend(str(deployment.working_directory))
    made = Bundle.load(model.bundle, trust=deployment.settings.keys)
    assert (type(made.estimator).__name__, made.estimator.C) == ("OwnModel", 0.5)
    assert train.metric(outcome % "failed") == 1
    assert train.process.poll() is None
    assert "Traceback" not in train.log.read_text()
