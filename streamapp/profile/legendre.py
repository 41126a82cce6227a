"""The smooth components of a column: Legendre polynomials of the mid-rank, on the bins of the reference."""

from __future__ import annotations

import numpy as np

__all__ = ["legendre", "mid_ranks"]


def mid_ranks(counts: np.ndarray) -> np.ndarray:
    """Return the mid-rank of each bin, (b,) in [0, 1]: the share of rows below plus half of those inside.

    Examples
    --------
    >>> mid_ranks(np.array([0, 2, 2, 0])).tolist()
    [0.0, 0.25, 0.75, 1.0]
    """
    counts = np.asarray(counts, dtype=np.float64)
    total = counts.sum()
    if total == 0:
        return np.full(len(counts), 0.5)
    return np.asarray((np.cumsum(counts) - counts / 2) / total)


def legendre(u: np.ndarray) -> np.ndarray:
    """Return the first four orthonormal Legendre polynomials on [0, 1] at `u`.

    Parameters
    ----------
    u
        (b,) ranks in [0, 1].

    Returns
    -------
    np.ndarray
        (4, b): location, scale, skew, tails. On uniform ranks each has mean 0 and variance 1, and they
        are uncorrelated.

    References
    ----------
    .. [1] J. Neyman, "'Smooth test' for goodness of fit", Skandinavisk Aktuarietidskrift 20, 1937.

    Examples
    --------
    >>> legendre(np.array([0.5, 1.0])).round(3).tolist()
    [[0.0, 1.732], [-1.118, 2.236], [-0.0, 2.646], [1.125, 3.0]]
    """
    t = 2 * np.asarray(u, dtype=np.float64) - 1
    t2 = t * t
    return np.stack(
        [
            np.sqrt(3) * t,
            np.sqrt(5) * (1.5 * t2 - 0.5),
            np.sqrt(7) * (2.5 * t2 - 1.5) * t,
            3.0 * ((4.375 * t2 - 3.75) * t2 + 0.375),
        ]
    )
