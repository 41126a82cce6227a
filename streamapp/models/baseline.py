"""The baseline: how well a model does on rows that it was not fitted on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from streamapp.models.column import Array
from streamapp.models.losses import Floats, losses, zero_one
from streamapp.models.predictions import Predictions

__all__ = ["Baseline", "CalibrationBin"]

MAX_LOSSES = 1_000
_BINS = 10


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Rows answered with about the same confidence, the probability of the answered class.

    Attributes
    ----------
    rows
        How many.
    low, high
        Lowest and highest confidence.
    confidence
        Mean confidence: the share that would be right if probabilities were honest.
    accuracy
        The share that was right.
    """

    rows: int
    low: float
    high: float
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Baseline:
    """A model's losses on a holdout, in bounded size.

    Attributes
    ----------
    rows
        Of the holdout.
    loss
        Name of the loss.
    mean
        Of the losses.
    variance
        Of the losses, with n - 1.
    losses
        The losses themselves in increasing order if there are at most a thousand, else a thousand evenly
        spaced quantiles of them.
    calibration
        Ten bins of equal size over confidence; empty without probabilities.
    """

    rows: int
    loss: str
    mean: float
    variance: float
    losses: tuple[float, ...]
    calibration: tuple[CalibrationBin, ...] = ()

    @classmethod
    def of(cls, loss: str, predictions: Predictions, y: Array, scale: float | None = None) -> Self:
        """Return the baseline of `predictions` for labels `y` (n,), n ≥ 1; errors as in ``losses``."""
        each = losses(loss, predictions, y, scale)
        return cls(
            rows=len(each),
            loss=loss,
            mean=float(each.mean()),
            variance=float(each.var(ddof=1)) if len(each) > 1 else 0.0,
            losses=tuple(_thin(each).tolist()),
            calibration=_calibrate(predictions, y),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the baseline as JSON-able fields."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Return the baseline of :meth:`to_dict`'s fields."""
        calibration = tuple(CalibrationBin(**each) for each in fields["calibration"])
        return cls(**(fields | {"losses": tuple(fields["losses"]), "calibration": calibration}))


def _thin(each: Floats) -> Floats:
    ordered = np.sort(each)
    if len(ordered) > MAX_LOSSES:
        ordered = ordered[((np.arange(MAX_LOSSES) + 0.5) / MAX_LOSSES * len(ordered)).astype(np.intp)]
    return ordered.round(9)


def _calibrate(predictions: Predictions, y: Array) -> tuple[CalibrationBin, ...]:
    if predictions.probabilities is None:
        return ()
    confidence = predictions.probabilities.max(axis=1)
    right = 1.0 - zero_one(y, predictions.values)
    order = np.argsort(confidence, kind="stable")
    return tuple(
        CalibrationBin(
            rows=len(part),
            low=float(confidence[part[0]]),
            high=float(confidence[part[-1]]),
            confidence=float(confidence[part].mean()),
            accuracy=float(right[part].mean()),
        )
        for part in np.array_split(order, min(_BINS, len(order)))
    )
