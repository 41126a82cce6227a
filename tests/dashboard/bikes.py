"""Rows of a made-up deployment, bikes, and versions that were fitted on some."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from streamapp.models import Bundle


def draw(
    seed: int, rows: int, *, warmer: float = 0.0, broken: bool = False
) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows and labels; `broken` turns the relation of temperature and traffic round."""
    rng = np.random.default_rng(seed)
    temp = rng.normal(12 + 8 * warmer, 8, rows)
    humidity = np.clip(70 - 1.2 * (temp - 12) + rng.normal(0, 10, rows), 5, 100)
    X = pd.DataFrame(
        {
            "temp": temp,
            "humidity": humidity,
            "wind": rng.gamma(2.0, 2.5, rows),
            "hour": rng.integers(0, 24, rows) + 0.0,
            "weather": rng.choice(
                ["clear", "mist", "rain"], rows, p=[0.6 - 0.25 * warmer, 0.3, 0.1 + 0.25 * warmer]
            ),
            "station": rng.choice([f"station {i}" for i in range(20)], rows),
        }
    )
    score = (temp - 12) / 8 - 0.3 * X["wind"].to_numpy() / 5 + rng.normal(0, 0.7, rows)
    return X, np.where((score > 0) != broken, "busy", "calm")


@cache
def bundle(seed: int = 1, *, has_holdout: bool = True) -> Bundle:
    """A version; another seed, another version."""
    X, y = draw(seed, 3_000)
    model = make_pipeline(
        make_column_transformer(
            (StandardScaler(), ["temp", "humidity", "wind", "hour"]), (OneHotEncoder(), ["weather"])
        ),
        LogisticRegression(),
    ).fit(X[:2000], y[:2000])
    holdout = (X[2000:], y[2000:]) if has_holdout else None
    return Bundle.create(model, X[:2000], y[:2000], name="bikes", holdout=holdout, created_at_ms=seed)


def bundle_of(version: str) -> Bundle:
    known = (bundle(1), bundle(2), bundle(1, has_holdout=False))
    return next(made for made in known if made.version == version)
