"""A deployment whose store is a bucket: what lies there may be hostile, and the store may go away."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from streamapp.agents.judge import judge_limits
from streamapp.agents.lineup import candidate_of
from streamapp.messages import Distribution, event_time_ms
from streamapp.models import Bundle, Keys
from streamapp.quality import LabelledRows
from streamapp.rollout import Judge
from streamapp.runtime.deploy import promote
from tests.integration.conftest import Make, draw, make_bundle
from tests.integration.deployment import PARTITIONS, Deployment, Sending, labels, requests
from tests.integration.running import until
from tests.integration.test_models_topic import point_at, served_by, write
from tests.integration.test_rollout import alerts, feed, has, models
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


def empty_pane(version: str) -> Sending:
    """A pane without a request, of a partition that is no real one."""
    pane = Distribution(
        version=version, partition=99, first_offset=0, next_offset=0, events=0, from_=0, to=0
    )  # fmt: skip
    return Sending(pane.encode(), pane.key)


def labelled_rows(deployment: Deployment) -> LabelledRows:
    records = deployment.consume("labelled")
    times = [event_time_ms(record.headers(), record.timestamp()[1])[0] for record in records]
    return LabelledRows.read(
        [record.value() for record in records], [record.offset() for record in records], times
    )


def test_a_new_champion_is_watched_though_its_store_was_away_when_it_came(make: Make, bundle: Bundle) -> None:
    """Its panes wait, and labels do not: what is joined is committed meanwhile."""
    deployment = make(pane_seconds=0.2, commit_interval=0.1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    score, monitor = deployment.start("score"), deployment.start("monitor", instance="one")
    score.wait_ready()
    deployment.produce("requests", requests(90))

    def has_judged_all() -> bool:
        panes = deployment.count("distributions")
        return 0 < panes == deployment.committed("monitor", "distributions")

    until(has_judged_all, what="the first panes are judged")
    monitor.kill()
    successor = make_bundle(2, flip=True)
    deployment.deploy(successor)
    until(lambda: served_by(score, successor.version), what="the successor serves")
    store = Path(deployment.settings.store)
    store.rename(store.with_name("away"))
    store.touch()
    deployment.produce("distributions", [empty_pane(successor.version)])
    deployment.produce("requests", requests(90, first=90))
    deployment.produce("feedback", labels(180))
    monitor = deployment.start("monitor", instance="one")
    until(lambda: "waiting for the store" in monitor.page("ready")[1], what=monitor.tail)
    until(lambda: deployment.count("labelled") == 180, what="labels are joined")
    until(lambda: deployment.committed("monitor", "feedback") == 180, what="and committed")
    assert monitor.page("health") == (200, "ok\n")
    assert not has_judged_all()
    store.unlink()
    store.with_name("away").rename(store)
    until(has_judged_all, what=lambda: f"all panes are judged; {monitor.tail()}")
    monitor.wait_ready()
    unjudged = [
        monitor.metric(f'streamapp_panes_unjudged{{reason="{why}"}}') for why in ("empty", "no-profile")
    ]
    assert unjudged == [1, 0]


def test_rows_of_a_new_champion_are_judged_though_its_store_was_away_when_they_came(
    make: Make, bundle: Bundle
) -> None:
    """All of them, once, and as if the store had been there: a spoiled champion is rolled back."""
    deployment = make(pane_seconds=0.5, commit_interval=0.1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    score, monitor = deployment.start("score"), deployment.start("monitor", instance="one")
    score.wait_ready()
    feed(deployment, 100, first=0)
    until(lambda: deployment.committed("monitor", "labelled") == 100, what="the first rows are judged")
    monitor.kill()
    spoiled = make_bundle(5, flip=True)
    deployment.deploy(spoiled)
    until(lambda: served_by(score, spoiled.version), what="the spoiled model serves")
    store = Path(deployment.settings.store)
    store.rename(store.with_name("away"))
    store.mkdir()  # as where nothing is mounted
    monitor = deployment.start("monitor", instance="one")
    feed(deployment, 300, first=100)
    until(lambda: deployment.committed("monitor", "feedback") == 400, what="what is joined is committed")
    waits = f"waiting for the store, which has the bundle of version {spoiled.version}"
    until(lambda: waits in monitor.page("ready")[1], what=monitor.tail)
    assert monitor.page("health") == (200, "ok\n")
    assert deployment.committed("monitor", "labelled") == 100
    store.rmdir()
    store.with_name("away").rename(store)
    until(lambda: deployment.committed("monitor", "labelled") == 400, what=monitor.tail)
    until(partial(has, deployment, bundle.version, "champion"), what=monitor.tail)

    old, new = candidate_of(bundle), candidate_of(spoiled)
    judge, rows = Judge(deployment.name, **judge_limits(deployment.settings)), labelled_rows(deployment)
    judge.follow(old, {})
    judged = [judge.fold(rows.take(np.arange(100)))]
    judge.follow(new, {}, {old.version: old})
    judged += [judge.fold(rows.take(np.arange(100, 400)))]
    said = [alert.model_dump(mode="json", by_alias=True) for each in judged for alert in each.alerts]
    assert [alert["state"] for alert in said].count("opened") > 0
    assert alerts(deployment, "accuracy") == said
    decision = judged[-1].promoted
    assert decision is not None
    record = models(deployment).versions[bundle.version]
    assert (decision.version, decision.rolled_back) == (bundle.version, spoiled.version)
    assert (record.scores, record.note) == (decision.scores, decision.note)


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
