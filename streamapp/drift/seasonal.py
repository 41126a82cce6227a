"""What is expected of a window with its own mix of hours, and its sums less the daily cycle."""

from __future__ import annotations

import numpy as np

from streamapp.profile import Measures, PairProfile
from streamapp.profile.pairs import rank_table
from streamapp.profile.season import Season
from streamapp.profile.seasonal_means import SeasonalMeans, rank_means

__all__ = ["SeasonalReference"]

_UNIT = 1024
"""Shares of the parts of the day, and variances, are rounded to this grid, so that sums are whole numbers."""


class SeasonalReference:
    """The reference by part of the day, mixed as the rows of a window are.

    Parameters
    ----------
    measures
        Components of the columns.
    pairs
        Rank correlations, after the cycle; None for none.
    season
        An adopted one.

    Notes
    -----
    A pane adds *weights*: for each part of the day and each seasonal column the rows that have it, by the
    share of the part. They are whole numbers, so windows are exact sums of panes. Ranks of a pane are counted
    from what is expected at its time, rounded to their grid. When exactly the rows of a long pane came is not
    known: what the cycle moves meanwhile adds to their variance. Between two parts the reference may as well
    change at once (a shop opens) as little by little; both are expected. What changes at once within a part,
    at half past nine, is not.
    """

    def __init__(self, measures: Measures, pairs: PairProfile | None, season: Season) -> None:
        self.season = season
        self._measures, self._pairs = measures, pairs
        self.means = known = SeasonalMeans(measures, season)
        self.components = known.components
        place = np.searchsorted(known.columns, measures.column_of[self.components])
        # Where a component is of all rows, the weights are too: the last ones.
        self._place = np.where(measures.is_missing[self.components], len(known.columns), place)
        self._inverse_rows = 1 / np.maximum(known.rows, 1)
        self._inverse_level = 1 / season.level_rows if season.level_rows else 0.0
        self._smooth = np.flatnonzero(~measures.is_share[self.components])
        aspects = [measures.components[k].aspect for k in self.components.tolist()]
        self._located = np.array([i for i, aspect in enumerate(aspects) if aspect == "location"], np.intp)
        self._shape = (season.parts, len(known.columns) + 1)
        self._weights = season.parts * (len(known.columns) + 1)
        self.size = len(self._smooth) + len(self.components) + self._weights
        """How many numbers a vector has for it, the weights last."""
        self._ranks = rank_table(measures.columns).astype(np.int64)
        self._rank_means = np.rint(rank_means(measures.columns, self._ranks, season)).astype(np.int64)

    def part(self, counts: np.ndarray, apart: np.ndarray, from_ms: int, to_ms: int) -> np.ndarray:
        """Return what the cycle adds to the vector of a pane behind its sums and rows, weights last.

        Parameters
        ----------
        counts, apart
            (bins,) and (3, p) of the pane.
        from_ms, to_ms
            Its event times.
        """
        mix, moment = self.season.moments(from_ms, to_ms)
        shares = np.rint(moment @ mix * _UNIT).astype(np.int64)
        starts = self._measures.starts
        total = np.add.reduceat(counts, starts)
        present = total - counts[self._measures.missing_bins]
        rows = np.append(present[self.means.columns], total[self.means.columns[0]])
        means, own = self.means.means, mix @ self.means.means
        moved = moment @ (own - moment @ own) ** 2 * rows[self._place]
        steps = np.zeros(means.shape[1])
        for weight, parts, expected in zip(moment.tolist(), mix, own, strict=True):
            at = np.flatnonzero(parts)
            steps += weight * (parts[at] @ np.abs(means[at] - expected))
        added = np.concatenate([moved[self._smooth], steps * rows[self._place]])
        tail = np.concatenate([np.rint(added * _UNIT).astype(np.int64), np.outer(shares, rows).ravel()])
        if self._pairs is None:
            return tail
        a, b = self._pairs.first, self._pairs.second
        levels = mix @ self._rank_means
        level = np.rint(moment @ levels).astype(np.int64)
        off = levels - moment @ levels
        together = (off * moment[:, None]).T @ off  # in a long pane the cycle itself moves columns
        ranks = np.add.reduceat(counts * self._ranks, starts)
        both = total[0] - apart[0]
        first, second = ranks[a] - apart[1], ranks[b] - apart[2]
        product = level[a] * level[b] * both - level[a] * second - level[b] * first
        product -= np.rint(together[a, b] * both).astype(np.int64)
        squares = level**2 * present - 2 * level * ranks
        squares -= np.rint(together.diagonal() * present).astype(np.int64)
        none = np.zeros_like(present)
        return np.concatenate(
            [
                -level * present,
                squares,
                none,
                product,
                np.zeros_like(both),
                -level[a] * (present[a] - both),
                -level[b] * (present[b] - both),
                none[:1],
                tail,
            ]
        )

    def placed(self, times_ms: np.ndarray, has: np.ndarray) -> np.ndarray:
        """Return what rows add whose times are known one by one, to be summed up for :meth:`part_of`.

        Parameters
        ----------
        times_ms
            (n,) event times.
        has
            (n, columns) bool, whether the row counts in each of the columns.
        """
        before, after, weight = self.season.places(times_ms)
        later = np.rint(weight * _UNIT).astype(np.int64)[:, None]
        apart = np.rint(2 * weight * (1 - weight) * _UNIT).astype(np.int64)[:, None]
        rows = np.ones((len(times_ms), self._shape[1]), np.int64)
        rows[:, :-1] = has[:, self.means.columns]
        placed = np.zeros((2, *self._shape), np.int64)
        np.add.at(placed[0], before, rows * (_UNIT - later))
        np.add.at(placed[0], after, rows * later)
        np.add.at(placed[1], before, rows * apart)
        return placed

    def part_of(self, placed: np.ndarray) -> np.ndarray:
        """Return what the cycle adds to the vector of a pane of such rows: as :meth:`part`, but exactly."""
        known = np.flatnonzero(self.season.rows)
        gaps = np.zeros_like(self.means.means)
        gaps[known] = np.abs(self.means.means[np.roll(known, -1)] - self.means.means[known])
        steps = np.rint((placed[1][:, self._place] * gaps).sum(axis=0)).astype(np.int64)
        return np.concatenate([np.zeros(len(self._smooth), np.int64), steps, placed[0].ravel()])

    def expected(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of each seasonal component in vectors with weights (w, m), and 1 / its rows.

        (w, k) each. The rows are as many of the reference's as would tell a mean as surely, if they were all
        of one sort.
        """
        weights = vectors[:, -self._weights :].reshape(-1, *self._shape)
        total = np.maximum(weights.sum(axis=1), 1)
        shares = (weights / total[:, None])[:, :, self._place]
        inverse = (shares**2 * self._inverse_rows).sum(axis=1) + self._inverse_level
        return (shares * self.means.means).sum(axis=1), inverse

    def steps(self, vectors: np.ndarray) -> np.ndarray:
        """Return how far a mean may be from what is expected, if the reference changes in steps, (w, k)."""
        weights = vectors[:, -self._weights :].reshape(-1, *self._shape)
        steps = vectors[:, -self._weights - len(self.components) : -self._weights]
        return np.asarray(steps / np.maximum(weights.sum(axis=1), 1)[:, self._place])

    def moved(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what the cycle adds within panes to the variance of one row.

        Returns
        -------
        added
            (w, k); 0 of shares, whose variance follows from what is expected.
        growth
            (w, columns): of the variance of each column's ranks, relative to that within the parts.
        """
        added = np.zeros((len(vectors), len(self.components)))
        weights = vectors[:, -self._weights :].reshape(-1, *self._shape)
        rows = np.maximum(weights.sum(axis=1), 1)[:, self._place[self._smooth]]
        # Sums of both are in the same unit.
        start = vectors.shape[1] - self.size
        added[:, self._smooth] = vectors[:, start : start + len(self._smooth)] / rows
        growth = np.ones((len(vectors), len(self._measures.columns)))
        own = self.components[self._located]
        growth[:, self._measures.column_of[own]] += added[:, self._located] / self.means.variance[own]
        return added, growth

    def spread(self, squares: np.ndarray) -> np.ndarray:
        """Return the variances of the columns' ranks, (columns,), within the parts where there is a cycle.

        `squares` are the others' variances and are not changed.
        """
        spread = squares.copy()
        for i in self.means.columns.tolist():
            start = self._measures.starts[i]
            bins = slice(start, start + len(self._measures.columns[i].counts) - 1)
            counts = self.means.counts[:, bins]
            off = self._ranks[bins] - self._rank_means[:, [i]]
            spread[i] = (counts * off**2).sum() / max(int(counts.sum()), 1)
        return spread

    @property
    def levels(self) -> tuple[np.ndarray, np.ndarray]:
        """Least and largest expected rank of each column, (columns,)."""
        return self._rank_means.min(axis=0), self._rank_means.max(axis=0)

    def reference_counts(self, column: int, part: np.ndarray) -> np.ndarray:
        """Return the reference's counts of a column, mixed as the rows of a window whose part this is."""
        own = self._measures.columns[column].counts
        if column not in self.means.columns:
            return own
        start = self._measures.starts[column]
        weights = part[-self._weights :].reshape(self._shape)[:, -1]
        rows = np.maximum(self.season.rows, 1)
        mixed = weights / max(int(weights.sum()), 1) / rows @ self.means.counts[:, start : start + len(own)]
        return np.asarray(mixed * own.sum())
