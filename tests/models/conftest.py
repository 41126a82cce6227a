from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from streamapp.models import Bundle
from tests.models.hostile import Target, make_target


@pytest.fixture(autouse=True)
def keys_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keys of this test alone, never those of the person who runs it."""
    folder = tmp_path / "keys"
    monkeypatch.setenv("STREAMAPP_KEYS", str(folder))
    return folder


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    """300 rows of every kind of column, with missing values."""
    rng = np.random.default_rng(1)
    n = 300
    X = pd.DataFrame(
        {
            "temp": rng.normal(size=n),
            "hour": rng.integers(0, 24, n),
            "holiday": rng.random(n) < 0.3,
            "weather": rng.choice(["mist", "clear", "rain"], n),
            "station": pd.Categorical(
                rng.choice(["north", "south"], n), categories=["south", "north", "west"]
            ),
        }
    )
    X.loc[::7, "temp"] = np.nan
    X.loc[::11, "weather"] = None
    X.loc[::13, "station"] = None
    return X


@pytest.fixture(scope="session")
def matrix() -> tuple[np.ndarray, np.ndarray]:
    """200 rows of three numbers, and two classes."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(200, 3))
    return X, (X[:, 0] + rng.normal(size=200) > 0).astype(int)


@pytest.fixture
def bundle(matrix: tuple[np.ndarray, np.ndarray]) -> Bundle:
    """A small model, packed."""
    X, y = matrix
    return Bundle.create(LogisticRegression().fit(X, y), X, y, name="bikes", created_at_ms=0, holdout=(X, y))


@pytest.fixture
def target(bundle: Bundle, tmp_path: Path) -> Target:
    """The same with a canary in it, to be spoiled."""
    return make_target(bundle, tmp_path)
