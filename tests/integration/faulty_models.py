"""A model that fails on some rows, in a module of its own: a role imports it as it would a user's."""

from __future__ import annotations

import contextlib
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from streamapp.models import Bundle
from tests.integration.conftest import draw

__all__ = [
    "CLASSES",
    "FINE",
    "HANGS",
    "NAN",
    "RAISES",
    "ROOT",
    "TOO_FEW",
    "Faulty",
    "Talkative",
    "faulty_bundle",
    "talkative_bundle",
]

ROOT = Path(__file__).parents[2]
"""What ``PYTHONPATH`` must hold for a process that loads such a model."""

# What the column `temp` asks for; the rows that the model is made from stay below them all.
RAISES, NAN, TOO_FEW, CLASSES, FINE, HANGS = 101.0, 102.0, 103.0, 104.0, 105.0, 106.0


class Faulty(LogisticRegression):  # type: ignore[misc]
    """Fails with all rows of a call if one of them asks for it; with NaN, for that row alone.

    Parameters
    ----------
    seconds
        What a call takes.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.seconds = seconds

    def predict_proba(self, X: Any) -> Any:
        time.sleep(self.seconds)
        asked = np.asarray(X, dtype=float)[:, 0]
        while (asked == HANGS).any():
            with contextlib.suppress(Exception):  # as those do that try again and again
                time.sleep(60)
        probabilities = super().predict_proba(X)
        if (asked == RAISES).any():
            raise RuntimeError("no such weather \ud800")  # half a pair: no JSON can hold it
        if (asked == TOO_FEW).any():
            return probabilities[:-1]
        if (asked == CLASSES).any():
            return np.column_stack([probabilities, probabilities[:, 0]])
        probabilities[asked == NAN] = np.nan
        return probabilities


class Talkative(LogisticRegression):  # type: ignore[misc]
    """Quotes what it is asked, in a warning and in an error, if that is beyond all bounds."""

    def predict_proba(self, X: Any) -> Any:
        asked = np.asarray(X, dtype=float)[:, 0]
        if (asked > FINE).any():
            warnings.warn(f"asked for {asked.tolist()}", stacklevel=1)
            raise ValueError(f"{asked.max()} is too much")
        return super().predict_proba(X)


def faulty_bundle(seconds: float = 0.0) -> Bundle:
    X, y = draw(1, 500)
    return Bundle.create(Faulty(seconds).fit(X, y), X, y, name="it", holdout=(X, y), created_at_ms=1)


def talkative_bundle() -> Bundle:
    X, y = draw(1, 500)
    return Bundle.create(Talkative().fit(X, y), X, y, name="it", holdout=(X, y), created_at_ms=1)
