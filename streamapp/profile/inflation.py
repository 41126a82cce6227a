"""How much more a mean varies in an ordered stream than in independent rows: batch means of the reference."""

from __future__ import annotations

import numpy as np
from scipy.special import chdtri

__all__ = ["MIN_BLOCKS", "block_length", "inflation", "surely_above"]

MIN_BLOCKS = 24
"""Fewer blocks say too little about a variance."""
_MAX_BLOCKS = 512
_SHORTEST = 16
_DOUBT = 1e-3
"""Chance to inflate a component of independent rows, per block length."""


def block_length(rows: int) -> int:
    """Return the length of the shortest blocks that `rows` rows are cut into, 0 if they are too few."""
    if rows < MIN_BLOCKS * _SHORTEST:
        return 0
    return max(_SHORTEST, -(-rows // _MAX_BLOCKS))


def inflation(
    sums: np.ndarray, rows: np.ndarray, variance: np.ndarray, kurtosis: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the variance inflation of each component from sums over consecutive blocks.

    Parameters
    ----------
    sums
        (b, L) float64: sums over each block of a component minus its mean.
    rows
        (b, L) rows in each block.
    variance, kurtosis
        (L,) of one row.

    Returns
    -------
    factor, blocks
        (L,) each. Factor 1 where blocks vary no more than independent rows would, beyond doubt; else the
        ratio of variances at the block length at which it surely is the largest. `blocks` - 1 are its degrees
        of freedom (infinite where the factor is 1): a statistic divided by an estimated variance follows
        Student's law.

    Notes
    -----
    Blocks of 1, 2, 4, … of the given ones, as long as there are 24. Dependence longer than the longest block
    is not seen.

    References
    ----------
    .. [1] R. W. Conway, "Some tactical problems in digital simulation", Management Science 10, 1963 (batch
       means).
    """
    factor, blocks = np.ones(len(variance)), np.full(len(variance), np.inf)
    surest = np.ones(len(variance))
    while len(sums) >= MIN_BLOCKS:
        n = len(sums)
        per_block = np.maximum(rows.mean(axis=0), 1e-9)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = sums.var(axis=0, ddof=1) / (per_block * variance)
        low, _ = surely_above(ratio, np.full(len(ratio), n - 1.0), kurtosis, per_block)
        better = np.isfinite(low) & (low > surest)
        factor[better], blocks[better], surest[better] = ratio[better], n, low[better]
        even = n // 2 * 2
        sums = sums[:even].reshape(-1, 2, sums.shape[1]).sum(axis=1)
        rows = rows[:even].reshape(-1, 2, rows.shape[1]).sum(axis=1)
    return factor, blocks


def surely_above(
    ratio: np.ndarray, freedom: np.ndarray, kurtosis: np.ndarray, rows: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the bound that an estimated ratio of variances lies above beyond doubt, and its real freedom.

    Parameters
    ----------
    ratio, freedom
        (L,) estimates, and their degrees of freedom if sums were normal.
    kurtosis
        (L,) of one row: rare events make sums skewed and a ratio less certain than a chi-square's.
    rows
        Rows in each sum.
    """
    real = np.maximum(freedom * 2 / (2 + np.maximum(kurtosis - 3, 0) / rows), 1.0)
    return ratio * real / chdtri(real, _DOUBT), real
