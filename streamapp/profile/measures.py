"""The components of a column whose drift is measured: what they are called, and their sums over a summary."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from streamapp.profile.column import TAIL, ColumnProfile
from streamapp.profile.kinds import ColumnKind
from streamapp.profile.legendre import legendre, mid_ranks
from streamapp.profile.shares import Share, name_shares, text_shares, time_shares
from streamapp.profile.text import CHARACTERS

__all__ = ["ASPECTS", "SMOOTH", "Component", "Measures"]

SMOOTH = ("location", "scale", "skew", "tails")
_LENGTH = ("length", "length spread")
"""What location and scale are called where they are those of a text's length; the scale of a mixture is its
"dependence"."""
ASPECTS = (
    *SMOOTH, "low tail", "high tail", "below range", "above range", "levels", "rare", "unseen",
    *_LENGTH, "characters", "hour", "weekday", "unreadable", "missing", "dependence", "correlation",
)  # fmt: skip
"""What there is to a column, and at the end to many and to two of them."""
_ROW = {aspect: row for names in (SMOOTH, _LENGTH) for row, aspect in enumerate(names)} | {"dependence": 1}
_UNIT = 4096
"""Smooth components are rounded to this grid, so that their sums are integers."""
_LOW, _HIGH = 4, 5
"""Rows of the weights behind the four smooth ones: in the low tail, in the high tail."""


@dataclass(frozen=True, slots=True)
class Component:
    """One function of a value whose mean over rows is compared with the reference."""

    column: int
    aspect: str
    """One of the smooth ones, low tail, high tail, below range, above range, levels, rare, unseen, missing;
    of texts length, length spread, characters; of times hour, weekday, unreadable; of mixtures dependence."""
    level: str | None = None
    """The level whose share this is."""
    is_share: bool = True
    """Whether it is 0 or 1 in each row; else it is a smooth function with variance about 1."""


class Measures:
    """Components of several columns, computed from their counts per bin.

    Parameters
    ----------
    columns
        In the order of the bins. Those without reference rows have no components but exist as columns.
    """

    def __init__(self, columns: tuple[ColumnProfile, ...]) -> None:
        self.columns = columns
        bins = [len(column.counts) for column in columns]
        self.starts = np.concatenate([[0], np.cumsum(bins)[:-1]]).astype(np.intp)
        self.missing_bins = (self.starts + bins - 1).astype(np.intp)
        self._weights = np.zeros((6, sum(bins)), dtype=np.int64)
        parts: list[Component] = []
        take: list[int] = []  # place in [bins..., weights x columns, shares of several bins]
        self._several: list[list[int]] = []
        for i, (column, start) in enumerate(zip(columns, self.starts.tolist(), strict=True)):
            self._lay_out(i, column, start, parts, take)
        self.components = tuple(parts)
        self._take = np.array(take, dtype=np.intp)
        self._gather = np.array([bin_ for bins_ in self._several for bin_ in bins_], dtype=np.intp)
        ends = np.cumsum([len(bins_) for bins_ in self._several], dtype=np.intp)
        self._cuts = np.concatenate([[0], ends[:-1]]).astype(np.intp)
        self.column_of = np.array([part.column for part in parts], dtype=np.intp)
        self.is_share = np.array([part.is_share for part in parts], dtype=bool)
        self.is_missing = np.array([part.aspect == "missing" for part in parts], dtype=bool)
        self._scale = np.where(self.is_share, 1.0, 1.0 / _UNIT)

    def sums(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the components' sums, in their own grid, and the rows that they are sums over.

        Parameters
        ----------
        counts
            (..., bins) int64.

        Returns
        -------
        sums, rows
            (..., L) int64 each: rows that have a value, or all rows where absence itself is counted.
        """
        weighed = np.add.reduceat(counts[..., None, :] * self._weights, self.starts, axis=-1)
        every = [counts, weighed.reshape(*counts.shape[:-1], -1)]
        if len(self._gather):
            every.append(np.add.reduceat(counts[..., self._gather], self._cuts, axis=-1))
        total = np.add.reduceat(counts, self.starts, axis=-1)
        present = total - counts[..., self.missing_bins]
        rows = np.where(self.is_missing, total[..., self.column_of], present[..., self.column_of])
        return np.concatenate(every, axis=-1)[..., self._take], rows

    def means(self, sums: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the components' means; 0 where there are no rows."""
        return np.asarray(sums * self._scale / np.maximum(rows, 1))

    @cached_property
    def reference_counts(self) -> np.ndarray:
        """The reference's counts of all columns, (bins,) int64."""
        return np.concatenate([column.counts for column in self.columns])

    @cached_property
    def reference(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Mean, variance, kurtosis of each component in the reference, and its rows: (L,) each."""
        sums, rows = self.sums(self.reference_counts)
        mean = self.means(sums, rows)
        variance = np.where(self.is_share, mean * (1 - mean), 1.0)
        kurtosis = np.full(len(mean), 3.0)
        for k in np.flatnonzero(~self.is_share).tolist():
            column = self.columns[self.components[k].column]
            _, values = self.values(k)
            share = column.counts[:-1] / max(column.rows, 1)
            centred = values - mean[k]
            variance[k] = share @ centred**2
            kurtosis[k] = share @ centred**4 / variance[k] ** 2
        return mean, variance, kurtosis, rows

    def values(self, k: int) -> tuple[int, np.ndarray]:
        """Return the first bin of the column of the smooth component `k`, and its value in each but the last.

        The last bin is of missing values.
        """
        part = self.components[k]
        start = int(self.starts[part.column])
        end = start + len(self.columns[part.column].counts) - 1
        return start, self._weights[_ROW[part.aspect], start:end] / _UNIT

    def _lay_out(
        self, i: int, column: ColumnProfile, start: int, parts: list[Component], take: list[int]
    ) -> None:
        """Append the components of one column, and where their sums are found."""
        if column.counts.sum() == 0:
            return
        bins = len(self._weights[0])
        last = len(column.counts) - 1
        shares: list[Share] = []
        weighed: list[tuple[int, str]] = []
        if column.is_names:
            shares = name_shares(column)
        elif column.kind is ColumnKind.TEXT:
            weighed, shares = self._weigh_lengths(column, start), text_shares(column)
        elif column.kind is ColumnKind.MIXTURE:
            parts.append(Component(i, "dependence", is_share=False))
            take.append(bins + _ROW["dependence"] * len(self.columns) + i)
            self._weights[: len(SMOOTH), start : start + last] = _smooth(column.counts[:-1])
            return
        elif column.kind is ColumnKind.DATETIME:
            shares = time_shares(column)
        elif column.kind is not ColumnKind.ID_LIKE:
            weighed = self._weigh(column, start)
            if column.kind is ColumnKind.BOOLEAN:
                shares = [((2,), "levels", "1")]
            if len(column.edges):
                shares += [((0,), "below range", None), ((last - 1,), "above range", None)]
        for row, aspect in weighed:
            parts.append(Component(i, aspect, is_share=row >= len(SMOOTH)))
            take.append(bins + row * len(self.columns) + i)
        for own, aspect, level in [*shares, ((last,), "missing", None)]:
            parts.append(Component(i, aspect, level))
            if len(own) == 1:
                take.append(start + own[0])
            else:
                take.append(bins + len(self._weights) * len(self.columns) + len(self._several))
                self._several.append([start + bin_ for bin_ in own])

    def _weigh(self, column: ColumnProfile, start: int) -> list[tuple[int, str]]:
        """Fill in the weights of a column of numbers, and return those rows of them that are components."""
        inside = column.counts[:-1]
        end = start + len(inside)
        self._weights[: len(SMOOTH), start:end] = _smooth(inside)
        if not column.kind.is_numeric or column.kind is ColumnKind.BOOLEAN:
            return []
        # As many as the occupied bins allow: on three levels the third polynomial is made of the first two.
        weighed = list(enumerate(SMOOTH))[: max(int(np.count_nonzero(inside)) - 1, 0)]
        if column.kind is ColumnKind.CONTINUOUS:
            self._weights[_LOW, start : start + 2] = 1
            self._weights[_HIGH, end - 2 : end] = 1
            thin = 2 * TAIL * inside.sum()  # strong ties can swallow a tail
            tails = ((_LOW, "low tail", inside[:2]), (_HIGH, "high tail", inside[-2:]))
            weighed += [(row, aspect) for row, aspect, ends in tails if 0 < ends.sum() <= thin]
        return weighed

    def _weigh_lengths(self, column: ColumnProfile, start: int) -> list[tuple[int, str]]:
        """Fill in the weights of a column of texts, whose length is in ranks as numbers are."""
        lengths = column.counts[:-1].reshape(-1, len(CHARACTERS)).sum(axis=1)
        end = start + len(column.counts) - 1
        self._weights[: len(SMOOTH), start:end] = np.repeat(_smooth(lengths), len(CHARACTERS), axis=1)
        return list(enumerate(_LENGTH))[: max(int(np.count_nonzero(lengths)) - 1, 0)]


def _smooth(inside: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(legendre(mid_ranks(inside)) * _UNIT), dtype=np.int64)
