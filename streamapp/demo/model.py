"""January's model: what the year begins with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from streamapp.demo.flights import LATE, ON_TIME, Flights
from streamapp.models import Bundle

__all__ = ["DEPLOYMENT", "new_estimator", "pack_january", "pack_spoiled", "year_day_ms"]

DEPLOYMENT = "flights"

_CATEGORIES = ["carrier", "origin", "dest"]
# Any of these is missing sometime in the year, in January or not.
_NULLABLE = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]
_FIT_SHARE = 0.8


def new_estimator() -> Any:
    """Return the estimator, not fitted: gradient boosting as scikit-learn offers it, with fewer trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415

    return HistGradientBoostingClassifier(
        max_iter=60, categorical_features=_CATEGORIES, early_stopping=False, random_state=2013
    )


def pack_january(january: Flights, *, known_by_ms: int) -> Bundle:
    """Return the bundle of a model fitted on the older part of January, with the newer as its holdout.

    Parameters
    ----------
    january
        All flights of the month.
    known_by_ms
        Flights whose label is not known by then are left out.
    """
    return _pack(january, lambda labels: labels, known_by_ms=known_by_ms)


def pack_spoiled(january: Flights, *, known_by_ms: int) -> Bundle:
    """Return January's model with a mistake in how it was fitted: the labels the wrong way round.

    Nothing else tells it from the other: it loads, answers its golden rows, and takes as long.
    """
    return _pack(january, lambda labels: np.where(labels == LATE, ON_TIME, LATE), known_by_ms=known_by_ms)


def _pack(january: Flights, taught: Callable[[Any], Any], *, known_by_ms: int) -> Bundle:
    known = january.known_ms <= known_by_ms
    X, y = january.features[known].reset_index(drop=True), january.labels[known]
    fit = int(len(X) * _FIT_SHARE)
    return Bundle.create(
        new_estimator().fit(X[:fit], taught(y[:fit])),
        X[:fit],
        y[:fit],
        name=DEPLOYMENT,
        holdout=(X[fit:].reset_index(drop=True), y[fit:]),
        loss="brier",
        nullable=_NULLABLE,
        target="arrival",
        created_at_ms=known_by_ms,
        trained_at_ms=known_by_ms,
        newest_training_data_at_ms=int(january.known_ms[known].max()),
    )


def year_day_ms(month: int, day: int = 1) -> int:
    """Return a day's beginning in New York's winter time, in 2013, milliseconds since the epoch.

    Examples
    --------
    >>> year_day_ms(2), year_day_ms(13)
    (1359694800000, 1388552400000)
    """
    year, month = 2013 + (month - 1) // 12, (month - 1) % 12 + 1
    return int(datetime(year, month, day, 5, tzinfo=UTC).timestamp() * 1000)
