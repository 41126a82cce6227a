"""Means of rows that do not all count alike, with an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamapp.quality.metrics import Z_95, wilson_interval

__all__ = ["Estimate", "weighted_mean"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean in [0, 1], and its 95 % interval."""

    mean: float
    low: float
    high: float


def weighted_mean(values: npt.ArrayLike, weights: npt.ArrayLike, variance: float = 0.0) -> Estimate:
    """Return Hájek's estimate of a mean from rows of unequal chance to be seen.

    Parameters
    ----------
    values
        (n,) in [0, 1], n ≥ 1.
    weights
        One over the chance of each row, (n,) above 0.
    variance
        What not knowing the weights adds to that of the mean.

    Notes
    -----
    Rows are taken as independent; the variance is that of a ratio of sums [1]_, with n / (n - 1). Where all
    values are 0 or 1 the interval is Wilson's for as many rows of equal weight as have that variance [2]_, or
    where all are alike as Kish's effective number; else the normal one, cut to [0, 1]. It speaks of what
    other rows of the same stream would have shown, and so all the more of those that are still out.

    References
    ----------
    .. [1] Särndal, Swensson, Wretman, "Model assisted survey sampling", Springer 1992, 5.7.
    .. [2] Korn, Graubard, "Confidence intervals for proportions with small expected number of positive counts
       estimated from survey data", Survey Methodology 24, 1998.

    Examples
    --------
    >>> found = weighted_mean([1.0, 1.0, 0.0, 0.0], [2.0, 2.0, 10.0, 10.0])
    >>> round(found.mean, 3)
    0.167
    """
    each, weight = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    weight = weight / weight.sum()
    n, mean = len(each), min(max(float(weight @ each), 0.0), 1.0)
    own = float(np.square(weight * (each - mean)).sum()) * n / max(n - 1, 1)
    if n == 1 or ((each == 0.0) | (each == 1.0)).all():
        spread = mean * (1.0 - mean)
        worth = spread / (own + variance) if own > 0.0 else 1.0 / float(weight @ weight)
        return Estimate(mean, *wilson_interval(mean, worth))
    half = Z_95 * math.sqrt(own + variance)
    return Estimate(mean, max(mean - half, 0.0), min(mean + half, 1.0))
