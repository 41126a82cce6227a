"""A deployment whose store is a bucket: what lies there may be hostile, and the store may go away."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression

from streamapp.models import Bundle, Keys
from streamapp.runtime.deploy import promote
from tests.integration.conftest import Make, draw, make_bundle
from tests.integration.deployment import PARTITIONS, Deployment, requests
from tests.integration.running import until
from tests.integration.test_models_topic import point_at, served_by, write
from tests.models.hostile import Canary
from tests.s3_server import SECRET, S3Server, as_client


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    running = S3Server()
    running.put("models")
    as_client(monkeypatch, running.url)
    yield running
    running.stop()


def forge(deployment: Deployment, folder: Path) -> str:
    """Put a model with a canary into the store under a stranger's seal, announce it, return its version."""
    X, y = draw(9, 500)
    model = LogisticRegression().fit(X, y)
    song = pickle.dumps(Canary(folder / "song"))
    forged = Bundle.create(model, X, y, name="it", model_files={"model.joblib": song})
    url = f"{deployment.settings.store}/it/{forged.version}"
    forged.save(url, key=Keys(folder / "stranger").local()[0])
    write(deployment, (forged.version.encode(), forged.record(url, "champion").encode()))
    point_at(deployment, forged.version)
    return forged.version


def test_neither_a_hostile_bundle_nor_a_lost_store_ends_the_champions_answers(
    make: Make, bundle: Bundle, server: S3Server, tmp_path: Path
) -> None:
    deployment = make(pane_seconds=1, store="s3://models/it")
    assert deployment.deploy(bundle, partitions=PARTITIONS).bundle.startswith("s3://models/it/it/")
    running = deployment.start("score", instance="one")
    running.wait_ready()
    sent = 0

    def check_answers() -> None:
        nonlocal sent
        deployment.produce("requests", requests(30, first=sent))
        sent += 30
        until(lambda: deployment.count("predictions") >= sent, what="answers")
        assert {answer["model"]["version"] for answer in deployment.values("predictions")} == {bundle.version}

    def said_of(version: str) -> list[str]:
        alerts = [a for a in deployment.values("drift-alerts") if a["kind"] == "model-refused"]
        return [f"{a['state']}: {a['summary']}" for a in alerts if a["subject"] == version]

    check_answers()
    forged = forge(deployment, tmp_path)
    until(lambda: bool(said_of(forged)), what="an alert")
    assert "which is not trusted here" in said_of(forged)[0]
    check_answers()
    assert not (tmp_path / "song").exists()

    successor = make_bundle(2, flip=True)
    deployment.deploy(successor, challenger=True)
    server.stop()
    asyncio.run(promote(deployment.settings, successor.version))
    until(lambda: bool(said_of(successor.version)), what="an alert")
    assert "the store does not answer: look at the network" in said_of(successor.version)[0]
    check_answers()
    server.start()
    until(lambda: served_by(running, successor.version), what="the successor serves")
    until(lambda: said_of(successor.version)[-1].startswith("resolved"), what="the alert is resolved")
    assert running.page("health") == (200, "ok\n")
    assert SECRET not in running.log.read_text() + str(deployment.values("models"))
