from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from streamapp.models import Bundle
from streamapp.runtime.broker import Broker
from tests.integration.deployment import Deployment

Make = Callable[..., Deployment]


@contextmanager
def making(broker: Broker, folder: Path) -> Iterator[Make]:
    """Give a function that makes deployments in `folder`, whose processes end with the block."""
    made: list[Deployment] = []

    def make_one(**settings: object) -> Deployment:
        name = f"it-{uuid.uuid4().hex[:8]}"
        (folder / name).mkdir()
        made.append(Deployment(name, broker.bootstrap, folder / name, **settings))
        return made[-1]

    try:
        yield make_one
    finally:
        for deployment in made:
            deployment.stop()


@pytest.fixture
def make(broker: Broker, tmp_path: Path) -> Iterator[Make]:
    """Make deployments whose processes end with the test."""
    with making(broker, tmp_path) as make_one:
        yield make_one


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
