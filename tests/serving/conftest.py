from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from streamapp.models import Bundle


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    """A classifier of rows with every kind of column."""
    rng = np.random.default_rng(1)
    n = 200
    X = pd.DataFrame(
        {
            "temp": rng.normal(size=n),
            "humidity": rng.random(n),
            "hour": rng.integers(0, 24, n),
            "holiday": rng.random(n) < 0.3,
            "weather": rng.choice(["mist", "clear", "rain"], n),
            "station": rng.choice(["north", "south"], n),
            "pressure": rng.normal(1013, 5, n),
        }
    )
    X.loc[::7, "humidity"] = np.nan
    X.loc[::11, "weather"] = None
    y = np.where(X["temp"] + rng.normal(size=n) > 0, "busy", "calm")
    model = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), ["weather", "station"]),
            (SimpleImputer(), ["temp", "humidity", "hour", "holiday", "pressure"]),
        ),
        LogisticRegression(max_iter=1_000),
    ).fit(X, y)
    return Bundle.create(
        model,
        X,
        y,
        name="bikes",
        created_at_ms=0,
        holdout=(X, y),
        closed=["station"],
        bounds={"pressure": (900.0, 1_100.0), "hour": (0, None)},
    )
