"""The baseline: how well a model does on rows that it was not fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np

from streamapp.models.column import Array
from streamapp.models.losses import Floats, losses, zero_one
from streamapp.models.predictions import Predictions

__all__ = ["Baseline", "CalibrationBin", "SegmentBaseline"]

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
class SegmentBaseline:
    """The losses of the holdout's rows of one segment.

    Attributes
    ----------
    column, level
        Which rows, see :class:`~streamapp.models.Segments`.
    rows, mean, variance
        As of the :class:`Baseline`.
    """

    column: str
    level: str
    rows: int
    mean: float
    variance: float

    @classmethod
    def pooled(cls, column: str, level: str, parts: Sequence[SegmentBaseline]) -> Self:
        """Return what all rows of `parts` have as the level `level`.

        Examples
        --------
        >>> north, south = SegmentBaseline("hub", "n", 1, 0.0, 0.0), SegmentBaseline("hub", "s", 1, 1.0, 0.0)
        >>> SegmentBaseline.pooled("hub", "other", [north, south])
        SegmentBaseline(column='hub', level='other', rows=2, mean=0.5, variance=0.5)
        """
        rows = sum(part.rows for part in parts)
        mean = sum(part.rows * part.mean for part in parts) / max(rows, 1)
        squares = sum((part.rows - 1) * part.variance + part.rows * (part.mean - mean) ** 2 for part in parts)
        return cls(column, level, rows, mean, squares / (rows - 1) if rows > 1 else 0.0)


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
    segments
        The levels of segment columns that the holdout has, by column.
    """

    rows: int
    loss: str
    mean: float
    variance: float
    losses: tuple[float, ...] = field(repr=False)
    calibration: tuple[CalibrationBin, ...] = ()
    segments: tuple[SegmentBaseline, ...] = ()

    @classmethod
    def of(
        cls,
        loss: str,
        predictions: Predictions,
        y: Array,
        scale: float | None = None,
        levels: Mapping[str, Array] | None = None,
    ) -> Self:
        """Return the baseline of `predictions` for labels `y` (n,), n ≥ 1.

        `levels` gives the level of each row by segment column, (n,) objects; `loss`, `scale` and errors are
        as of ``losses``.
        """
        each = losses(loss, predictions, y, scale)
        return cls.of_losses(loss, each, levels, _calibrate(predictions, y))

    @classmethod
    def of_losses(
        cls,
        loss: str,
        each: Floats,
        levels: Mapping[str, Array] | None = None,
        calibration: tuple[CalibrationBin, ...] = (),
    ) -> Self:
        """Return the baseline of losses `each` (n,), n ≥ 1, by the loss of name `loss`.

        `levels` as in :meth:`of`, None for rows of no segment; `calibration` if there is one.
        """
        mean, variance = _moments(each)
        return cls(
            rows=len(each),
            loss=loss,
            mean=mean,
            variance=variance,
            losses=tuple(_thin(each).tolist()),
            calibration=calibration,
            segments=tuple(
                SegmentBaseline(column, level, int((own == level).sum()), *_moments(each[own == level]))
                for column, own in (levels or {}).items()
                for level in sorted({level for level in own.tolist() if level is not None})
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the baseline as JSON-able fields; without segments as it was before there were any."""
        fields = asdict(self)
        return fields if self.segments else {key: fields[key] for key in fields if key != "segments"}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Return the baseline of :meth:`to_dict`'s fields."""
        calibration = tuple(CalibrationBin(**each) for each in fields["calibration"])
        segments = tuple(SegmentBaseline(**each) for each in fields.get("segments", ()))
        own = {"losses": tuple(fields["losses"]), "calibration": calibration, "segments": segments}
        return cls(**(fields | own))


def _moments(each: Floats) -> tuple[float, float]:
    return float(each.mean()), float(each.var(ddof=1)) if len(each) > 1 else 0.0


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
