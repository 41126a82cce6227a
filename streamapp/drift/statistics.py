"""The statistics: each is standard normal while nothing drifts, at any size of window and reference."""

from __future__ import annotations

import numpy as np
from scipy.special import bdtrc, ndtri

__all__ = ["discoveries", "exact_small_counts", "location_in_sd", "normal_of_student", "psi", "signed_root"]

_TINY = 1e-300


def signed_root(k: np.ndarray, n: np.ndarray, k0: np.ndarray, n0: np.ndarray) -> np.ndarray:
    """Return the signed root of the likelihood ratio of two binomial samples.

    Parameters
    ----------
    k, n
        Hits and rows of the window; arrays that broadcast.
    k0, n0
        Hits and rows of the reference.

    Returns
    -------
    np.ndarray
        Positive where the window's share is the higher one; 0 where a sample is empty.

    Examples
    --------
    >>> signed_root(np.array([30]), np.array([100]), np.array([200]), np.array([1000])).round(3).tolist()
    [2.252]
    """
    k, n, k0, n0 = (np.asarray(a, dtype=np.float64) for a in (k, n, k0, n0))
    own = _entropy(k) + _entropy(n - k) - _entropy(n) + (_entropy(k0) + _entropy(n0 - k0) - _entropy(n0))
    both = _entropy(k + k0) + _entropy(n + n0 - k - k0) - _entropy(n + n0)
    more = k * n0 - k0 * n
    # Up to rounding both are equal where the shares are, or a sample is empty.
    return np.where(more != 0, np.sign(more) * np.sqrt(2 * np.maximum(own - both, 0)), 0.0)


def exact_small_counts(
    z: np.ndarray, k: np.ndarray, n: np.ndarray, k0: np.ndarray, n0: np.ndarray, *, few: int = 60
) -> np.ndarray:
    """Return `z` of :func:`signed_root`, no larger than small counts allow.

    With few hits the root of the likelihood ratio is too large in its tail. Where it matters (|z| > 3) it is
    held to the root with half a hit less of difference (no hit in 64 where 12 are expected: 5.1 becomes 4.6,
    for a chance of 2 in a million), and, with at most `few` hits or misses in both samples together, to the
    tail of the binomial law of the window's hits given all hits (three of three in a window of 64 against
    4,000: 5.0 becomes 4.5, for a chance of 4 in a million).

    Parameters
    ----------
    z, k, n, k0, n0
        As :func:`signed_root` returns and takes them, all of one shape or broadcast to that of `z`.
    few
        Up to so many the exact law is taken.

    References
    ----------
    .. [1] J. Przyborowski, H. Wilenski, "Homogeneity of results in testing samples from Poisson series",
       Biometrika 31, 1940.
    """
    large = np.nonzero(np.abs(z) > 3)
    if not len(large[0]):
        return z
    k, n, k0, n0 = (np.broadcast_to(a, z.shape)[large] for a in (k, n, k0, n0))
    sign = np.sign(z[large])
    bound = np.abs(signed_root(k - sign / 2, n, k0, n0))
    by_hits = k + k0 <= (n + n0) / 2
    count, total = np.where(by_hits, k, n - k), np.where(by_hits, k + k0, n - k + n0 - k0)
    share = n / (n + n0)
    up = (sign > 0) == by_hits  # more of what is counted in the window than its share
    own = np.where(up, count, total - count)
    tail = bdtrc(own - 1, np.rint(total).astype(np.int64), np.where(up, share, 1 - share))
    exact = np.where(total <= few, -ndtri(np.clip(tail, 1e-300, 0.5)), np.inf)
    z = z.copy()
    z[large] = sign * np.minimum(np.minimum(np.abs(z[large]), bound), exact)
    return z


def normal_of_student(t: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Return the normal deviate with the tail of Student's `t`: an estimated variance has heavier tails.

    Parameters
    ----------
    t
        Deviates.
    freedom
        Degrees of freedom; broadcast to `t`.

    Notes
    -----
    Wallace's approximation, within 1 % of |z| up to z = 8 from 10 degrees of freedom on; `t` itself where
    they are infinite.

    References
    ----------
    .. [1] D. L. Wallace, "Bounds on normal approximations to Student's and the chi-square distributions",
       Annals of Mathematical Statistics 30, 1959.

    Examples
    --------
    >>> normal_of_student(np.array([5.0, 5.0]), np.array([30.0, np.inf])).round(2).tolist()
    [4.23, 5.0]
    """
    finite = np.where(np.isinf(freedom), 1.0, freedom)
    scale = (8 * finite + 1) / (8 * finite + 3)
    return np.where(
        np.isinf(freedom), t, np.sign(t) * scale * np.sqrt(finite * np.log1p(np.square(t) / finite))
    )


def location_in_sd(shift: float) -> float:
    """Return the shift of a normal distribution, in sd, that moves the mean location component by `shift`.

    Examples
    --------
    >>> round(location_in_sd(0.741), 2)
    0.8
    """
    return float(np.sqrt(2) * ndtri(0.5 + np.clip(shift / np.sqrt(12), -0.4995, 0.4995)))


def psi(counts: np.ndarray, reference: np.ndarray) -> float:
    """Return the population stability index in nats; half a row is added to every bin.

    An effect size for people: it is no test, its noise depends on the number of rows.

    Parameters
    ----------
    counts, reference
        (b,) rows per bin.

    Examples
    --------
    >>> round(psi(np.array([10, 90]), np.array([500, 500])), 2)
    0.85
    """
    bins = len(counts)
    q = (counts + 0.5) / (counts.sum() + 0.5 * bins)
    p = (reference + 0.5) / (reference.sum() + 0.5 * bins)
    return float(((q - p) * np.log(q / p)).sum())


def discoveries(p: np.ndarray, rate: float, *, dependent: bool = False) -> np.ndarray:
    """Return which of the hypotheses with p-values `p` (k,) are false, with false discovery rate `rate`.

    Parameters
    ----------
    p
        (k,) in [0, 1].
    rate
        Expected share of wrong ones among those found.
    dependent
        Allow for any dependence among them (Benjamini and Yekutieli).

    References
    ----------
    .. [1] Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", JRSS B 57, 1995.
    .. [2] Y. Benjamini, D. Yekutieli, "The control of the false discovery rate in multiple testing under
       dependency", Annals of Statistics 29, 2001.

    Examples
    --------
    >>> discoveries(np.array([0.001, 0.02, 0.9]), 0.05).tolist()
    [True, True, False]
    """
    k = len(p)
    if dependent:
        rate /= float((1 / np.arange(1, k + 1)).sum()) if k else 1.0
    ordered = np.sort(p)
    below = np.flatnonzero(ordered <= rate * np.arange(1, k + 1) / max(k, 1))
    return np.asarray(p <= ordered[below[-1]]) if len(below) else np.zeros(k, dtype=bool)


def _entropy(x: np.ndarray) -> np.ndarray:
    """Return x ln x, 0 at 0."""
    return np.asarray(x * np.log(np.maximum(x, _TINY)))
