"""A regressor that was packed without a holdout: labelled rows say which error counts as a loss of 1."""

from __future__ import annotations

import numpy as np
import orjson
from sklearn.linear_model import LinearRegression

from streamapp.models import Bundle
from tests.integration.conftest import Make
from tests.integration.deployment import PARTITIONS, Deployment, Sending
from tests.integration.running import until


def send(deployment: Deployment, count: int, *, first: int = 0) -> None:
    """Requests of one number, answered by it, and labels a normal error away."""
    errors = np.random.default_rng(first).normal(size=count).tolist()
    asked = [(f"r-{i}", i % 9, i % PARTITIONS) for i in range(first, first + count)]
    requests = [
        Sending(orjson.dumps({"id": id_, "features": {"temp": temp}}), id_.encode(), partition)
        for id_, temp, partition in asked
    ]
    labels = [
        Sending(orjson.dumps({"id": id_, "label": temp + error}), id_.encode(), partition)
        for (id_, temp, partition), error in zip(asked, errors, strict=True)
    ]
    deployment.produce("requests", requests)
    deployment.produce("feedback", labels)


def test_its_losses_are_known_from_the_first_labelled_rows_on(make: Make) -> None:
    X = np.arange(90.0).reshape(-1, 1)
    bundle = Bundle.create(LinearRegression().fit(X, X[:, 0]), {"temp": X[:, 0]}, X[:, 0], name="it")
    deployment = make(commit_interval=0.2)
    deployment.deploy(bundle, partitions=PARTITIONS)
    deployment.start("score").wait_ready()
    monitor = deployment.start("monitor", instance="one")
    monitor.wait_ready()

    def scale() -> float | None:
        records = [record for record in deployment.values("models") if "state" in record]
        return records[-1].get("loss_scale")

    send(deployment, 1_500)
    until(lambda: deployment.committed("monitor", "labelled") == 1_500, what="the first rows are judged")
    assert scale() is None
    assert orjson.loads(monitor.page("quality")[1])["rows"] == 0
    assert monitor.terminate() == 0
    monitor = deployment.start("monitor", instance="one")
    send(deployment, 600, first=1_500)
    until(lambda: scale() is not None, what=lambda: f"a scale; {monitor.tail()}")
    assert 2.2 < (scale() or 0.0) < 3.0, "the 99th percentile of a normal error is 2.58"
    until(lambda: orjson.loads(monitor.page("quality")[1] or b"{}").get("rows") == 100, what="losses")
    assert 0.2 < monitor.metric('streamapp_quality{metric="loss"}') < 0.5
