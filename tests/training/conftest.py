from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from streamapp.messages import Model, OffsetRange, format_time
from streamapp.models import Bundle, Keys, Store
from streamapp.training import Job, TrainingOptions

MakeJob = Callable[..., Job]


def frame_of(n: int, seed: int, *, turned: bool = False) -> tuple[pd.DataFrame, Any]:
    """Rows whose label hangs on temp, and on the opposite of it when the world has turned."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"temp": rng.normal(size=n), "weather": rng.choice(["mist", "rain"], n)})
    sign = -1 if turned else 1
    y = np.where(sign * X["temp"] + 0.3 * rng.normal(size=n) > 0, "busy", "calm")
    return X, y


def values_of(X: pd.DataFrame, y: Any, *, first_ms: int = 0, step_ms: int = 1_000) -> list[bytes]:
    """Labelled records: row i was requested at second i, and labelled a minute later."""
    return [
        orjson.dumps(
            {
                "id": f"r-{i}",
                "model": {"name": "bikes", "version": "0" * 12},
                "prediction": "busy",
                "probabilities": {"busy": 0.5, "calm": 0.5},
                "features": row,
                "request": {
                    "topic": "bikes.requests",
                    "partition": 0,
                    "offset": i,
                    "timestamp": format_time(0),
                },
                "predicted_at": format_time(0),
                "label": label,
                "source": "system",
                "labelled_at": format_time(first_ms + i * step_ms + 60_000),
                "revision": 0,
            }
        )
        for i, (row, label) in enumerate(zip(X.to_dict("records"), np.asarray(y).tolist(), strict=True))
    ]


def times_of(n: int, *, first_ms: int = 0, step_ms: int = 1_000) -> list[int]:
    return [first_ms + i * step_ms for i in range(n)]


def pack_champion(model: Any, X: Any, y: Any, folder: Path, **options: Any) -> Model:
    """Store a bundle as the champion's, sealed by a key in the same folder."""
    bundle = Bundle.create(model, X, y, name="bikes", created_at_ms=0, **options)
    url = Store(folder / "store").put(bundle, key=Keys(folder / "keys").local()[0])
    return Model(version=bundle.version, state="champion", bundle=url, sha256=bundle.sha256, format="joblib")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of keys and store."""
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="session")
def champion(home: Path) -> Model:
    X, y = frame_of(300, seed=1)
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["weather"]), remainder="passthrough"
    )
    model = make_pipeline(encode, LogisticRegression()).fit(X, y)
    return pack_champion(model, X, y, home, loss="brier", holdout=frame_of(100, seed=2))


@pytest.fixture(scope="session")
def make_job(home: Path, champion: Model) -> MakeJob:
    """Return a job on `values`, by default 900 rows of a world that has turned."""

    def make(
        values: list[bytes] | None = None,
        times_ms: list[int] | None = None,
        *,
        bundle: Model = champion,
        **options: Any,
    ) -> Job:
        values = values_of(*frame_of(900, seed=3, turned=True)) if values is None else values
        return Job(
            deployment="bikes",
            bundle=bundle.bundle,
            sha256=bundle.sha256,
            keys=home / "keys",
            store=(home / "store").as_uri(),
            values=values,
            times_ms=times_of(len(values)) if times_ms is None else times_ms,
            data=(OffsetRange(topic="bikes.labelled", partition=0, start=0, end=len(values)),),
            caused_by="e-1",
            trained_at_ms=5_000_000,
            options=TrainingOptions(**options),
        )

    return make
