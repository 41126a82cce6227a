"""Quantiles of latencies, from counts in bins that widen with what they hold."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["Counts", "add_latency", "no_latencies", "quantiles"]

Counts = npt.NDArray[np.uint32]

_ERROR = 0.02
_RATIO = (1.0 + _ERROR) / (1.0 - _ERROR)
_LOWEST_MS, _HIGHEST_MS = 0.1, 3_600_000.0
_BINS = math.ceil(math.log(_HIGHEST_MS / _LOWEST_MS, _RATIO)) + 1
_MIDDLES = _LOWEST_MS * _RATIO ** np.arange(_BINS) * 2.0 / (1.0 + _RATIO)


def no_latencies() -> Counts:
    """Return how many of no latencies lie in each bin, (bins,); counts of parts add up to those of all."""
    return np.zeros(_BINS, dtype=np.uint32)


def add_latency(counts: Counts, latency_ms: float) -> None:
    """Count one latency, in place."""
    kept = min(max(latency_ms, _LOWEST_MS), _HIGHEST_MS)
    counts[math.ceil(math.log(kept / _LOWEST_MS, _RATIO))] += 1


def quantiles(counts: Counts, levels: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return quantiles of m sets of latencies, milliseconds, NaN of a set without any.

    Parameters
    ----------
    counts
        Of each set, (m, bins).
    levels
        k of them, in [0, 1].

    Returns
    -------
    array
        (m, k), each within 2 % of the latency that has this rank, if that lies between .1 ms and an hour.

    References
    ----------
    .. [1] Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error
       guarantees", VLDB 2019.

    Examples
    --------
    >>> counts = no_latencies()
    >>> for latency_ms in (10.0, 11.0, 500.0):
    ...     add_latency(counts, latency_ms)
    >>> [[half, most]] = quantiles(counts[None], [0.5, 0.99]).tolist()
    >>> abs(half / 11 - 1) < 0.02, abs(most / 500 - 1) < 0.02
    (True, True)
    """
    below = counts.cumsum(axis=1)
    ranks = np.ceil(np.outer(below[:, -1], levels)).clip(1)
    at = (below[:, None, :] < ranks[:, :, None]).sum(axis=2)
    return np.where(below[:, -1:] > 0, _MIDDLES[at.clip(max=_BINS - 1)], np.nan)
