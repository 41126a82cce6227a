"""Sums of rank products of pairs of columns: what correlations of live rows are told by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamapp.profile.coder import Coder
from streamapp.profile.column import ColumnProfile
from streamapp.profile.pairs import PairProfile, rank_table

__all__ = ["PairProducts", "none_apart"]

_CHUNK = 16_384
"""Rows at once: more would not stay in a core's cache."""


class PairProducts:
    """Sums products of ranks, with what a profile knows of its pairs laid out beforehand.

    Parameters
    ----------
    columns
        Of the profile.
    pairs
        Which of them belong together.
    coder
        Of the columns that are watched: what makes numbers of bins out of rows.
    """

    def __init__(self, columns: Sequence[ColumnProfile], pairs: PairProfile, coder: Coder) -> None:
        used = np.unique(np.concatenate([pairs.first, pairs.second]))
        missing = [coder.starts[i] + len(columns[i].edges) + 1 for i in used.tolist()]
        self._members = np.array([coder.number_at[columns[i].name] for i in used.tolist()], dtype=np.intp)
        self._missing = np.array(missing)[:, None].astype(np.intp)
        self._first = np.searchsorted(used, pairs.first)
        self._second = np.searchsorted(used, pairs.second)
        self._ranks = rank_table(tuple(columns))

    def of(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sum of rank products of every pair, and what there is of rows with one missing.

        Parameters
        ----------
        numbers
            Bins of n rows, (columns, n), as the coder gives them.

        Returns
        -------
        products
            (pairs,).
        apart
            (3, pairs): rows in which one of both is missing, or both; the sum of the first's ranks where the
            second is missing, and the other way round.
        """
        first, second = self._first, self._second
        if not len(first):
            return (nothing := np.zeros(0, np.int64)), none_apart(nothing)
        if numbers.shape[1] > _CHUNK:
            parts = [self.of(numbers[:, at : at + _CHUNK]) for at in range(0, numbers.shape[1], _CHUNK)]
            return sum((p for p, _ in parts[1:]), parts[0][0]), sum((a for _, a in parts[1:]), parts[0][1])
        if len(self._members) != len(numbers):
            numbers = numbers[self._members]
        ranks = self._ranks.take(numbers)
        products = (ranks @ ranks.T)[first, second].astype(np.int64)
        missing = numbers == self._missing
        if not missing.any():
            return products, none_apart(products)
        gone = missing.astype(np.float64)
        total, strays = gone.sum(axis=1), ranks @ gone.T
        apart = total[first] + total[second] - (gone @ gone.T)[first, second]
        return products, np.stack([apart, strays[first, second], strays[second, first]]).astype(np.int64)


def none_apart(pairs: np.ndarray) -> np.ndarray:
    """Return what there is of rows with one missing where there are none: zeros, (3, pairs)."""
    return np.zeros((3, len(pairs)), np.int64)
