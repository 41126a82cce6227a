"""The model under measurement, once as peers take it and once as streamapp's bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from streamapp.models import Bundle
from tests.benchmarks.peers.load import COLUMNS

__all__ = ["KINDS", "Made", "make"]

_ROWS = 6_000

KINDS: dict[str, Any] = {
    "logistic": LogisticRegression(),
    "boosting": HistGradientBoostingClassifier(random_state=0),
    "forest": RandomForestClassifier(50, random_state=0),
}


@dataclass(frozen=True, slots=True)
class Made:
    """One model in both forms."""

    file: Path
    """Fitted on a matrix: what a hand-written loop builds from its requests."""
    bundle: Bundle
    """Fitted on a frame: what its users have."""


def make(kind: str, folder: Path) -> Made:
    """Fit a model of `kind` on rows of which the requests could be more."""
    rng = np.random.default_rng(7)
    X = rng.normal(0, 2, (_ROWS, len(COLUMNS)))
    y = np.where(X @ rng.normal(0, 0.5, len(COLUMNS)) + rng.normal(size=_ROWS) > 0, "busy", "calm")
    frame, half = pd.DataFrame(X, columns=COLUMNS), _ROWS // 2
    model = Pipeline([("scale", StandardScaler()), ("model", KINDS[kind])])
    bundle = Bundle.create(
        clone(model).fit(frame[:half], y[:half]),
        frame[:half],
        y[:half],
        name="peers",
        holdout=(frame[half:], y[half:]),
    )
    file = folder / "model.joblib"
    joblib.dump(clone(model).fit(X[:half], y[:half]), file)
    return Made(file, bundle)
