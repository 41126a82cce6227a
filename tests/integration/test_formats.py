"""One deployment in format after format: each champion is taken over by a role that goes on running."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import orjson

from streamapp.models import Bundle
from streamapp.models.convert import to_onnx
from streamapp.models.formats.tensorflow import import_tensorflow
from streamapp.runtime.deploy import deploy
from streamapp.settings import Settings
from tests.integration.checks import check_answered_once
from tests.integration.conftest import Make, draw
from tests.integration.deployment import PARTITIONS, Deployment, requests
from tests.integration.running import Running, until

ROWS = [orjson.loads(each.value or b"")["features"] for each in requests(7)]
"""All rows that ``requests`` has."""


def as_onnx(bundle: Bundle) -> Bundle:
    X, y = draw(1, 2_000)
    made = to_onnx(bundle.estimator, X, y)
    return Bundle.create(made.network, X, y, name="it", format="onnx", classes=made.classes, created_at_ms=2)


def deploy_network(settings: Settings) -> tuple[str, Any]:
    """Deploy a SavedModel; return its version and what it answers. For a process with TensorFlow in it."""
    keras = import_tensorflow().keras
    X, y = draw(1, 2_000)
    layers = [keras.Input((2,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(2, "softmax")]
    model = keras.Sequential(layers)
    bundle = Bundle.create(model, X, y, name="it", format="tensorflow", created_at_ms=3)
    asyncio.run(deploy(settings, bundle))
    return bundle.version, bundle.predict(ROWS).outputs


class Asking:
    """Requests in rounds: the next ones are sent when all have been answered."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.sent = 0

    def versions(self) -> set[str]:
        """Ask all rows, and return which versions answered."""
        before = self.sent
        self.sent += 3 * len(ROWS)
        self.deployment.produce("requests", requests(self.sent - before, first=before))
        until(lambda: self.deployment.count("predictions") >= self.sent, what="answers", every_s=0.02)
        new = {f"r-{i}" for i in range(before, self.sent)}
        return {a["model"]["version"] for a in self.deployment.values("predictions") if a["id"] in new}


def serves(running: Running, format_name: str, version: str) -> bool:
    return running.metric(f'streamapp_model_info{{format="{format_name}",version="{version}"}}') == 1


def test_joblib_then_onnx_then_tensorflow_by_a_role_that_runs_on(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    running = deployment.start("score")
    running.wait_ready()
    asking = Asking(deployment)
    assert asking.versions() == {bundle.version}

    converted = as_onnx(bundle)
    deployment.deploy(converted)
    until(lambda: serves(running, "onnx", converted.version), what=running.tail)
    assert asking.versions() == {converted.version}

    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as elsewhere:
        network, by_network = elsewhere.submit(deploy_network, deployment.settings).result()
        rounds = []
        while not serves(running, "tensorflow", network):
            rounds.append(asking.versions())
    # A role that stood still while it imported TensorFlow would have answered one round until it was done.
    assert rounds.count({converted.version}) >= 2
    assert asking.versions() == {network}

    assert check_answered_once(deployment, asking.sent) == 0, "answered twice: the partitions were lost"
    outputs = {
        bundle.version: bundle.predict(ROWS).outputs,
        converted.version: converted.predict(ROWS).outputs,
        network: by_network,
    }
    for answer in deployment.values("predictions"):
        given = [answer["probabilities"][label] for label in ("busy", "calm")]
        wanted = outputs[answer["model"]["version"]][int(answer["id"][2:]) % len(ROWS)]
        np.testing.assert_allclose(given, wanted, atol=1e-6)
    assert running.page("health") == (200, "ok\n")
    assert not deployment.count("drift-alerts")
    assert "Traceback" not in running.log.read_text()
