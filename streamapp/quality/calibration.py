"""Calibration: whether answers are right as often as their probability says."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["calibration_error"]

_BINS = 10


def calibration_error(confidence: npt.ArrayLike, right: npt.ArrayLike) -> float:
    """Return the expected calibration error over ten bins of equal size.

    The mean of |share right - mean confidence| over the bins, each counted by its rows [1]_, [2]_. Of n rows
    it is about .8 sqrt(10 p (1 - p) / n) where probabilities are honest: .02 at 2,000 rows and p = .9.

    Parameters
    ----------
    confidence
        Probability of the answered class, (n,), n ≥ 1.
    right
        1 where that was the label, else 0, (n,).

    References
    ----------
    .. [1] Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI
       2015.
    .. [2] Nguyen, O'Connor, "Posterior calibration and exploratory analysis for natural language processing
       models", EMNLP 2015: bins of equal size.

    Examples
    --------
    >>> round(calibration_error([0.8] * 100, [1, 1, 1, 0, 0] * 20), 3)
    0.2
    """
    sure, hit = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    order = np.argsort(sure, kind="stable")
    gaps = [
        abs(float((hit[part] - sure[part]).sum())) for part in np.array_split(order, min(_BINS, len(order)))
    ]
    return sum(gaps) / len(order)
