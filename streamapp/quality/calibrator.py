"""How often answers of a confidence are right, as a baseline knows it, by the bins of a profile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from streamapp.models import Baseline, CalibrationBin
from streamapp.models.losses import Floats
from streamapp.profile.outputs import OutputProfile
from streamapp.quality.labelled_rows import Ints

__all__ = ["Calibrator", "ExpectedAccuracy"]

_Z = 1.959963984540054  # two-sided 95 %


@dataclass(frozen=True, slots=True)
class ExpectedAccuracy:
    """The share of answers that are right, as far as their confidence tells.

    Attributes
    ----------
    rows
        How many answers.
    accuracy
        Expected.
    low, high
        95 % interval of what will be realised: for chance, and for what the holdout leaves open.
    """

    rows: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Calibrator:
    """Isotonic calibration of confidence, the probability of the answered class.

    Attributes
    ----------
    start
        Where the bins of confidence begin among the counts of outputs.
    edges
        Of these bins, increasing: below, between two, from the last on; the last bin counts what is missing.
    accuracy
        Calibrated, of each bin but that of missing ones, (k,).
    shares
        What the accuracy of each bin takes of each bin of the baseline, (k, b).
    variances
        Of the accuracy of each bin of the baseline, (b,).

    Notes
    -----
    The baseline has ten bins of equal size, the profile up to 32, both over the holdout's answers in the
    order of their confidence. So they are matched by rank. Accuracies are made monotone in confidence by
    pooling adjacent violators [1]_, interpolated, and moved so that of the holdout itself the estimate is its
    accuracy. The mean over other answers is the confidence-based performance estimate (CBPE) [2]_: right
    while the inputs move and what they mean stays.

    References
    ----------
    .. [1] Zadrozny, Elkan, "Transforming classifier scores into accurate multiclass probability estimates",
       KDD 2002.
    .. [2] Białek, Kuberski, Perrakis, Bifet, "Estimating model performance under covariate shift without
       labels", 2024.
    """

    start: int
    edges: Floats
    accuracy: Floats
    shares: Floats
    variances: Floats

    @classmethod
    def of(cls, outputs: OutputProfile | None, baseline: Baseline | None) -> Self | None:
        """Return the calibration of a version; None if its answers have no probabilities, or no holdout."""
        columns = () if outputs is None else outputs.columns
        place = next((i for i, column in enumerate(columns) if column.name == "confidence"), None)
        if place is None or baseline is None or not baseline.calibration:
            return None
        column = columns[place]
        counts = column.counts[:-1]
        if not column.is_numbers or not counts.any():
            return None
        bins = baseline.calibration
        rows = np.array([each.rows for each in bins], dtype=np.float64)
        right = _isotonic(bins)
        ranks = _middles(counts.astype(np.float64))
        shares = np.column_stack([np.interp(ranks, _middles(rows), unit) for unit in np.eye(len(bins))])
        accuracy = shares @ right
        accuracy += (rows @ right) / rows.sum() - (counts @ accuracy) / counts.sum()
        smooth = (rows * right + 0.5) / (rows + 1.0)
        return cls(
            start=sum(len(other.counts) for other in columns[:place]),
            edges=column.edges,
            accuracy=np.clip(accuracy, 0.0, 1.0),
            shares=shares,
            variances=smooth * (1.0 - smooth) / rows,
        )

    def counts_of(self, outputs: Sequence[int]) -> Ints:
        """Return the counts of confidence (k,) among a summary's counts of outputs."""
        return np.array(outputs[self.start : self.start + len(self.accuracy)], dtype=np.int64)

    def count(self, confidence: Floats) -> Ints:
        """Return how many of the confidences (n,) lie in each bin, (k,)."""
        places = self.edges.searchsorted(confidence, side="right")
        return np.bincount(places, minlength=len(self.accuracy))

    def expect(self, counts: Ints) -> ExpectedAccuracy:
        """Return what is expected of answers with these counts of confidence (k,), at least one of them."""
        rows = int(counts.sum())
        share = counts / rows
        mean = float(share @ self.accuracy)
        chance = float(share @ (self.accuracy * (1.0 - self.accuracy))) / rows
        unknown = float((share @ self.shares) ** 2 @ self.variances)
        half = _Z * math.sqrt(chance + unknown)
        return ExpectedAccuracy(rows, mean, max(mean - half, 0.0), min(mean + half, 1.0))


def _middles(rows: Floats) -> Floats:
    """Return the middle rank of bins of `rows` (b,), as a share of all."""
    middles: Floats = (rows.cumsum() - rows / 2.0) / rows.sum()
    return middles


def _isotonic(bins: Sequence[CalibrationBin]) -> Floats:
    """Return accuracies (b,) that do not fall with confidence, by pooling adjacent violators."""
    pools: list[tuple[float, float, int]] = []  # right, rows, bins
    for each in bins:
        right, rows, count = each.accuracy * each.rows, float(each.rows), 1
        while pools and pools[-1][0] / pools[-1][1] >= right / rows:
            before = pools.pop()
            right, rows, count = right + before[0], rows + before[1], count + before[2]
        pools.append((right, rows, count))
    return np.repeat([right / rows for right, rows, _ in pools], [count for *_, count in pools])
