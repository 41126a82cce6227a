"""Measures of quality for people: what they say is shown, and never decided on."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from streamapp.models.losses import Floats

__all__ = ["Z_95", "auc", "log_losses", "mean_interval", "wilson_interval"]

Z_95 = 1.959963984540054
"""Of a standard normal number, 95 % lie within this of 0."""
_EPSILON = float(np.finfo(np.float64).eps)


def log_losses(own: npt.ArrayLike) -> Floats:
    """Return the log-loss of each row in nats.

    Parameters
    ----------
    own
        Probability that the row's own label was given, (n,). Clipped to machine precision, so that one
        probability of 0 does not make the mean infinite.

    Examples
    --------
    >>> log_losses([0.5, 1.0]).round(3).tolist()
    [0.693, -0.0]
    """
    return -np.log(np.clip(np.asarray(own, dtype=np.float64), _EPSILON, 1.0))


def auc(positive: npt.ArrayLike, scores: npt.ArrayLike) -> float | None:
    """Return the chance that a positive row has a higher score than a negative one, ties counting half.

    Parameters
    ----------
    positive
        Which rows are, (n,).
    scores
        (n,).

    Returns
    -------
    float or None
        None if all rows are of one class.

    References
    ----------
    .. [1] Hanley, McNeil, "The meaning and use of the area under a receiver operating characteristic curve",
       Radiology 143, 1982.

    Examples
    --------
    >>> auc([True, True, False, False], [0.9, 0.4, 0.4, 0.1])
    0.875
    """
    is_positive = np.asarray(positive, dtype=np.bool_)
    _, index, counts = np.unique(
        np.asarray(scores, dtype=np.float64), return_inverse=True, return_counts=True
    )
    n_positive = int(is_positive.sum())
    n_negative = len(is_positive) - n_positive
    if not n_positive or not n_negative:
        return None
    mid_ranks = counts.cumsum() - (counts - 1) / 2.0
    won = float(mid_ranks[index][is_positive].sum()) - n_positive * (n_positive + 1) / 2.0
    return won / (n_positive * n_negative)


def mean_interval(values: npt.ArrayLike) -> tuple[float, float]:
    """Return a 95 % interval of the mean of `values` (n,) in [0, 1], n ≥ 1.

    Wilson's score interval [1]_ where all are 0 or 1, or there is only one; else the normal interval, cut to
    [0, 1]. Both take rows as independent: in a stream whose neighbours resemble each other the true interval
    is wider.

    References
    ----------
    .. [1] Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
       American Statistical Association 22, 1927.

    Examples
    --------
    >>> low, high = mean_interval(np.repeat([0.0, 1.0], [90, 10]))
    >>> round(low, 3), round(high, 3)
    (0.055, 0.174)
    """
    each = np.asarray(values, dtype=np.float64)
    n, mean = len(each), float(each.mean())
    if n == 1 or ((each == 0.0) | (each == 1.0)).all():
        return wilson_interval(mean, n)
    half = Z_95 * math.sqrt(float(each.var(ddof=1)) / n)
    return max(mean - half, 0.0), min(mean + half, 1.0)


def wilson_interval(mean: float, n: float) -> tuple[float, float]:
    """Return Wilson's 95 % score interval of a share, observed as `mean` in `n` > 0 rows (not always whole).

    Examples
    --------
    >>> low, high = wilson_interval(0.0, 10)
    >>> low, round(high, 3)
    (0.0, 0.278)
    """
    spread = 1.0 + Z_95**2 / n
    centre = (mean + Z_95**2 / (2 * n)) / spread
    half = Z_95 / spread * math.sqrt(mean * (1.0 - mean) / n + Z_95**2 / (4 * n**2))
    return max(centre - half, 0.0), min(centre + half, 1.0)
