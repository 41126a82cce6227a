"""What becomes of versions on a real broker: rolled back, refused before any comparison, grown old."""

from __future__ import annotations

import asyncio
import urllib.parse
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from sklearn.linear_model import LogisticRegression

from streamapp.models import Bundle
from streamapp.runtime.client import Models, latest_models
from tests.integration.conftest import Make, draw, make_bundle
from tests.integration.deployment import PARTITIONS, Deployment, Sending
from tests.integration.faulty_models import ROOT, faulty_bundle
from tests.integration.running import until


def feed(deployment: Deployment, rows: int, *, first: int) -> None:
    """Send rows like those of the reference as requests, with their labels."""
    X, y = draw(first + 100, rows)
    requests, feedback = [], []
    drawn = zip(X["temp"].tolist(), X["wind"].tolist(), y.tolist(), strict=True)
    for n, (temp, wind, label) in enumerate(drawn, start=first):
        value = orjson.dumps({"id": f"r-{n}", "features": {"temp": temp, "wind": wind}})
        requests.append(Sending(value, b"k%d" % n, n % PARTITIONS))
        value = orjson.dumps({"id": f"r-{n}", "label": label})
        feedback.append(Sending(value, b"k%d" % n, n % PARTITIONS))
    deployment.produce("requests", requests)
    deployment.produce("feedback", feedback)
    until(lambda: deployment.count("labelled") >= first + rows, what="labels joined")


def models(deployment: Deployment) -> Models:
    return asyncio.run(latest_models(deployment.settings.connection, deployment.settings.topics))


def serves(deployment: Deployment, version: str) -> bool:
    serving = models(deployment).serving
    return serving is not None and serving.version == version


def has(deployment: Deployment, version: str, state: str) -> bool:
    known = models(deployment).versions
    return version in known and known[version].state == state


def alerts(deployment: Deployment, kind: str) -> list[dict[str, Any]]:
    return [alert for alert in deployment.values("drift-alerts") if alert["kind"] == kind]


def test_a_spoiled_champion_is_rolled_back_by_itself(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    score, monitor = deployment.start("score"), deployment.start("monitor")
    score.wait_ready()
    monitor.wait_ready()
    feed(deployment, 100, first=0)
    spoiled = make_bundle(5, flip=True)
    deployment.deploy(spoiled)
    info = f'streamapp_model_info{{format="joblib",version="{spoiled.version}"}}'
    until(lambda: score.metric(info) == 1, what="the spoiled model serves")
    feed(deployment, 300, first=100)
    until(partial(serves, deployment, bundle.version), what="back")
    until(partial(has, deployment, spoiled.version, "retired"), what="the spoiled version has retired")
    until(partial(has, deployment, bundle.version, "champion"), what="the record follows")
    records = models(deployment).versions
    note = records[spoiled.version].note or ""
    assert note.startswith(f"rolled back to {bundle.version}, back: its zero-one loss")
    scores = records[bundle.version].scores
    assert scores["zero-one"] < 0.3 < scores["champion-zero-one"]
    opened, resolved = (a for a in alerts(deployment, "accuracy") if a["subject"] == "rollback")
    assert (opened["state"], resolved["state"]) == ("opened", "resolved")
    assert f"from {spoiled.version} to {bundle.version}" in opened["summary"]
    until(
        lambda: monitor.metric('streamapp_promotions_total{outcome="rolled-back"}') == 1, what="it is counted"
    )


def test_what_fails_a_check_is_rejected_before_any_comparison(
    make: Make, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    damaged, slow, fine = make_bundle(2), faulty_bundle(0.2), make_bundle(3)
    for challenger in (damaged, slow, fine):
        deployment.deploy(challenger, challenger=True)
    url = models(deployment).versions[damaged.version].bundle
    folder = Path(urllib.parse.unquote(urllib.parse.urlsplit(url).path))
    (file,) = folder.glob("model*")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    score, monitor = deployment.start("score"), deployment.start("monitor")
    score.wait_ready()
    monitor.wait_ready()
    feed(deployment, 50, first=0)
    for version in (damaged.version, slow.version):
        until(partial(has, deployment, version, "rejected"), what="a rejection")
    records = models(deployment).versions
    assert (records[damaged.version].note or "").startswith("rejected before any comparison: ")
    assert "a hundred rows take it 2" in (records[slow.version].note or "")
    assert records[slow.version].scores["predict-ms"] >= 200
    passed = records[fine.version]
    assert passed.state == "challenger"
    assert passed.scores["predict-ms"] < 200


def aged(trained_at_ms: int) -> Bundle:
    X, y = draw(trained_at_ms, 500)
    model = LogisticRegression().fit(X, y)
    return Bundle.create(model, X, y, name="it", created_at_ms=trained_at_ms, trained_at_ms=trained_at_ms)


def test_a_champion_that_grows_old_is_said_once(make: Make) -> None:
    deployment = make(stale_after_s=3_600, retrain_age_s=1_000_000_000)
    old, young = aged(1), aged(2_000_000_000_000)
    deployment.deploy(old, partitions=PARTITIONS)
    monitor = deployment.start("monitor", instance="one")
    monitor.wait_ready()
    until(lambda: bool(alerts(deployment, "stale-model")), what="an alert")
    until(lambda: bool(deployment.values("retrain-events")), what="an event")
    monitor.kill()
    monitor = deployment.start("monitor", instance="one")
    monitor.wait_ready()
    is_open = 'streamapp_open_alerts{kind="stale-model"}'
    until(lambda: monitor.metric(is_open) == 1, what="it knows of the alert")
    deployment.deploy(young)
    until(lambda: monitor.metric(is_open) == 0, what="another version serves")
    opened, resolved = alerts(deployment, "stale-model")
    assert (opened["subject"], opened["state"], opened["from_clock"]) == (old.version, "opened", True)
    assert (resolved["id"], resolved["state"]) == (opened["id"], "resolved")
    (event,) = deployment.values("retrain-events")
    assert (event["reason"], event["caused_by"]) == ("age", opened["id"])
