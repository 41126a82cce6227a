"""Random sums of many columns' ranks: they tell of dependence where pairs are too many to watch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from streamapp.profile.column import BINS, ColumnProfile
from streamapp.profile.kinds import ColumnKind
from streamapp.profile.pairs import ALL_PAIRS, rank_table

__all__ = ["EACH_OTHER", "MixtureSums", "fit_mixtures"]

MIXTURES = 32
EACH_OTHER = "numeric columns~each other"
"""What people read of a mixture: no pair in particular; which mixture it is says nothing to them."""
_ROWS = 4_096


class MixtureSums:
    """Random sums of a row: of each column of numbers the rank, added or subtracted.

    Parameters
    ----------
    columns
        With their bins.
    names
        Of the columns of numbers.

    Notes
    -----
    The law of all projections of a vector is the law of the vector [1]_. If columns that were independent
    follow a common factor, or cease to, projections spread otherwise, whatever the signs of the factor's
    loadings; one column that drifts by itself, or ten, are a small part of each. Most columns moving at once
    move the sums as well: of that the columns themselves tell first. Signs come from the columns' names, so
    that they need not be kept; sums are of whole numbers and exact (in float32 up to 150,000 columns).

    References
    ----------
    .. [1] H. Cramér, H. Wold, "Some theorems on distribution functions", Journal of the London Mathematical
       Society 11, 1936.
    """

    def __init__(self, columns: tuple[ColumnProfile, ...], names: Sequence[str]) -> None:
        # Of others than numbers that vary the rank is 0.
        self._ranks = rank_table(columns).astype(np.float32)
        self._signs = np.stack([_signs(name) for name in names], axis=1)

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        """Return the sums (32, n) of the bins `numbers` (c, n) of the columns of numbers."""
        parts = [
            self._signs @ self._ranks.take(numbers[:, at : at + _ROWS])
            for at in range(0, max(numbers.shape[1], 1), _ROWS)
        ]
        return np.concatenate(parts, axis=1).astype(np.float64)


def fit_mixtures(
    columns: tuple[ColumnProfile, ...], names: Sequence[str], numbers: np.ndarray
) -> tuple[ColumnProfile, ...]:
    """Return the mixtures of the reference's columns; none where every pair can be watched.

    Parameters
    ----------
    columns
        With their bins.
    names
        Of the columns of numbers.
    numbers
        Their bins in the reference rows, (c, m).
    """
    if sum(column.kind.is_numeric for column in columns) <= ALL_PAIRS:
        return ()
    return tuple(_fit(f"mixture {i + 1}", own) for i, own in enumerate(MixtureSums(columns, names)(numbers)))


def _fit(name: str, sums: np.ndarray) -> ColumnProfile:
    at = np.arange(1, BINS) * len(sums) // BINS
    edges = np.unique(np.sort(sums)[at])
    counts = np.bincount(edges.searchsorted(sums, side="right"), minlength=len(edges) + 1)
    none = np.empty(0, np.uint32)
    return ColumnProfile(name, ColumnKind.MIXTURE, edges, (), none, False, np.append(counts, 0))


def _signs(name: str) -> np.ndarray:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return np.unpackbits(np.frombuffer(digest, np.uint8))[:MIXTURES] * np.float32(2) - np.float32(1)
