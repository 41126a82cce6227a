from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from streamapp.models import Bundle
from streamapp.runtime.broker import Broker
from tests.integration.deployment import Deployment

Make = Callable[..., Deployment]


@pytest.fixture
def make(broker: Broker, tmp_path: Path) -> Iterator[Make]:
    """Make deployments whose processes end with the test."""
    made: list[Deployment] = []

    def make_one(**settings: object) -> Deployment:
        made.append(Deployment(f"it-{uuid.uuid4().hex[:8]}", broker.bootstrap, tmp_path, **settings))
        return made[-1]

    yield make_one
    for deployment in made:
        deployment.stop()


def make_bundle(seed: int = 1, *, flip: bool = False) -> Bundle:
    """A small classifier of two numbers and a category; `flip` turns its answers round."""
    X, y = draw(seed, 2_000)
    if flip:
        y = np.where(y == "busy", "calm", "busy")
    model = LogisticRegression().fit(X[["temp", "wind"]], y)
    return Bundle.create(
        model, X[["temp", "wind"]], y, name="it", holdout=(X[["temp", "wind"]], y), created_at_ms=seed
    )


def draw(seed: int, rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"temp": rng.normal(size=rows), "wind": rng.normal(size=rows)})
    return X, np.where(X["temp"] + 0.5 * rng.normal(size=rows) > 0, "busy", "calm")


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return make_bundle()
