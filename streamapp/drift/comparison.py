"""A window's sums against the reference: every component's mean, effect and standard normal deviate."""

from __future__ import annotations

import numpy as np

from streamapp.drift.seasonal import SeasonalReference
from streamapp.drift.statistics import exact_small_counts, signed_root
from streamapp.drift.worth import KURTOSIS_ROWS
from streamapp.profile import Measures, PairProfile
from streamapp.profile.pairs import rank_table
from streamapp.profile.season import Season

__all__ = ["Comparison"]

_SURPRISE = 1e-3
"""Chance that a window holds more rows of a sort that no reference row was of than are allowed for."""
_TINY = 1e-9
_UNLIKE = 3
"""Squared distance, in variances, of the mean of the most unlike partition: that of a rank at its end."""


class Comparison:
    """Components of columns and pairs with their reference.

    Parameters
    ----------
    measures
        Components of the columns.
    pairs
        Rank correlations; None for outputs.
    season
        The reference's daily cycle: means are then compared with those of the same hours, and correlations
        are those of what is left.

    Notes
    -----
    Everything is computed from *vectors*, integers that can be added and subtracted exactly: the components'
    sums and rows; of each column the sum of its ranks, of their squares, and the rows that have it; of each
    pair the sum of products, the rows that lack one of the two and the ranks of the other in those; the
    number of rows; the weights of the parts of the day.
    """

    def __init__(
        self, measures: Measures, pairs: PairProfile | None = None, season: Season | None = None
    ) -> None:
        self.measures = measures
        self.pairs = pairs if pairs is not None and len(pairs) else None
        mean, variance, self._kurtosis, self._rows0 = measures.reference
        self.seasonal: SeasonalReference | None = None
        if season is not None and season.parts:
            self.seasonal = SeasonalReference(measures, self.pairs, season)
            variance, self._kurtosis = self.seasonal.means.variance, self.seasonal.means.kurtosis
        self._own = len(mean)
        self._hits0 = np.rint(mean * self._rows0)
        self._inverse0 = 1 / np.maximum(self._rows0, 1)
        self._shares = np.flatnonzero(measures.is_share)
        self._smooth = np.flatnonzero(~measures.is_share)
        self._ranks = rank_table(measures.columns).astype(np.int64)
        self._ranks2 = self._ranks**2
        self.reference, self.variance = mean, variance
        if self.pairs is not None:
            self.reference = np.concatenate([mean, self.pairs.correlation])
            self.variance = np.concatenate([variance, self.pairs.variance])
            none = np.zeros((4, len(self.pairs)), np.int64)
            reference = self.vectors(measures.reference_counts, none[0], none[1:])
            mean0, self._spread0 = (each[0] for each in self._moments(reference[None])[:2])
            if self.seasonal is not None:
                self._spread0 = self.seasonal.spread(self._spread0)
            self._reach = self._largest_influence(self.pairs, mean0)
            heaviest = self._reach**4 / self.pairs.rows / self.pairs.variance**2
            self._safe_rows = KURTOSIS_ROWS * (self.pairs.kurtosis + heaviest - 1)
        self.size = len(self.reference)

    def vectors(self, counts: np.ndarray, pairs: np.ndarray, apart: np.ndarray) -> np.ndarray:
        """Return the vector (..., m) of counts (..., bins), products (..., p) and apart (..., 3, p)."""
        sums, rows = self.measures.sums(counts)
        # The weights of the parts of the day are put there later, by :meth:`with_season`.
        weights = np.zeros((*sums.shape[:-1], 0 if self.seasonal is None else self.seasonal.size), np.int64)
        if self.pairs is None:
            return np.concatenate([sums, rows, weights], axis=-1)
        starts = self.measures.starts
        total = np.add.reduceat(counts, starts, axis=-1)
        parts = [
            sums,
            rows,
            np.add.reduceat(counts * self._ranks, starts, axis=-1),
            np.add.reduceat(counts * self._ranks2, starts, axis=-1),
            total - counts[..., self.measures.missing_bins],
            pairs,
            apart.reshape(*apart.shape[:-2], -1),
            total[..., :1],
            weights,
        ]
        return np.concatenate(parts, axis=-1)

    def with_season(self, vector: np.ndarray, part: np.ndarray) -> np.ndarray:
        """Return a vector (m,) with the sum of its panes' seasonal parts."""
        vector = vector.copy()
        vector[2 * self._own :] += part
        return vector

    def expected(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the reference's means and correlations for vectors (w, m), and 1 / its rows of the former.

        (w, size) and (w, columns' components); w may be 1 if they are the same for all.
        """
        if self.seasonal is None:
            return self.reference[None], self._inverse0[None]
        reference = np.tile(self.reference, (len(vectors), 1))
        inverse, at = np.tile(self._inverse0, (len(vectors), 1)), self.seasonal.components
        reference[:, at], inverse[:, at] = self.seasonal.expected(vectors)
        return reference, inverse

    @property
    def kurtosis(self) -> np.ndarray:
        """(size,) of one row, for shares 1 / (p (1 - p)) - 3."""
        own = np.where(
            self.measures.is_share, 1 / np.maximum(self.variance[: self._own], _TINY) - 3, self._kurtosis
        )
        return own if self.pairs is None else np.concatenate([own, self.pairs.kurtosis])

    @property
    def reference_rows(self) -> np.ndarray:
        """(size,) rows of the reference that each component is known from."""
        return self._rows0 if self.pairs is None else np.append(self._rows0, self.pairs.rows)

    @property
    def is_share(self) -> np.ndarray:
        """(size,) whether a component is a share of rows."""
        return np.append(self.measures.is_share, np.zeros(self.size - self._own, dtype=bool))

    def rows(self, vectors: np.ndarray) -> np.ndarray:
        """Return the rows that have each component, (w, size)."""
        rows = vectors[:, self._own : 2 * self._own]
        if self.pairs is None:
            return rows
        *_, lacking, _, _, total = self._of_pairs(vectors)
        return np.concatenate([rows, total - lacking], axis=1)

    def means(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the means of what each row adds to a component, (w, size), and the rows that have it.

        For correlations that is their linear part.
        """
        own = self._own
        hits, rows = vectors[:, :own], vectors[:, own : 2 * own]
        means = self.measures.means(hits, rows)
        if self.pairs is None:
            return means, rows
        mean, spread, n, product, _, _ = self._moments(vectors)
        a, b = self.pairs.first, self.pairs.second
        square = (spread + mean**2) / np.maximum(self._spread0, _TINY)
        scale = np.sqrt(np.maximum(self._spread0[a] * self._spread0[b], _TINY))
        linear = product / np.maximum(n, 1) / scale
        linear = linear - self.pairs.correlation / 2 * (square[:, a] + square[:, b])
        return np.concatenate([means, linear], axis=1), np.concatenate([rows, n], axis=1)

    def compare(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return z, effect, mean and the reference's mean of the windows' vectors (w, m): (w, size) each.

        `z` is that of independent rows, normal once there are enough; `effect` is the difference of means in
        sd of the component, of shares, or of correlations.
        """
        own = self._own
        hits, rows = vectors[:, :own], vectors[:, own : 2 * own]
        now = np.zeros((len(vectors), self.size))
        effect, z = np.zeros_like(now), np.zeros_like(now)
        now[:, :own] = self.measures.means(hits, rows)
        before, inverse0 = self.expected(vectors)
        if self.seasonal is not None:
            k, steps = self.seasonal.components, self.seasonal.steps(vectors)
            before[:, k] = np.clip(now[:, k], before[:, k] - steps, before[:, k] + steps)
        effect[:, :own] = np.where(rows > 0, now[:, :own] - before[:, :own], 0)
        at, n = self._smooth, rows[:, self._smooth]
        spread = self.variance[at] * (1 / np.maximum(n, 1) + inverse0[:, at])
        growth = None
        if self.seasonal is not None:
            moved = np.zeros_like(before[:, :own])
            moved[:, self.seasonal.components], growth = self.seasonal.moved(vectors)
            spread += moved[:, at] / np.maximum(n, 1)
        z[:, at] = effect[:, at] / np.sqrt(spread)
        effect[:, at] /= np.sqrt(self.variance[at])
        at = self._shares
        hits0, rows0 = self._hits0[at], self._rows0[at]
        if self.seasonal is not None:
            rows0 = np.rint(1 / np.maximum(inverse0[:, at], _TINY))
            hits0 = np.rint(np.clip(before[:, at], 0, 1) * rows0)
        samples = (hits[:, at], rows[:, at], hits0, rows0)
        z[:, at] = exact_small_counts(signed_root(*samples), *samples)
        if self.pairs is not None:
            now[:, own:], effect[:, own:], z[:, own:] = self._correlations(self.pairs, vectors)
            if growth is not None:
                z[:, own:] /= np.sqrt(growth[:, self.pairs.first] * growth[:, self.pairs.second])
        return z, effect, now, np.broadcast_to(before, now.shape)

    def clumping(
        self, vectors: np.ndarray, partitions: np.ndarray, events: np.ndarray, sizes: np.ndarray, seen: int
    ) -> np.ndarray:
        """Return the variance that whole panes add, relative to that of independent rows, (w, size).

        Parameters
        ----------
        vectors
            (w, m) of the windows.
        partitions
            (q, m) of what each partition has contributed.
        events
            (q,) how many events that was.
        sizes
            (q,) mean square of the size of a partition's panes, over events.
        seen
            Events so far, those too that `partitions` has no memory of.

        Notes
        -----
        A window holds whole panes, but at its two ends each partition has an unknown part of a pane under
        way: up to s events too many or too few, with variance s²/6. Where partitions differ (keyed traffic),
        that moves the mean by (mean of the partition - mean of all) / n for each such event.

        At the start there may be slow partitions of which no pane has closed yet, as unlike the others as
        can be. All of one of them is missing then, up to s events, but if it was not seen in T events, not
        more than s n / T of a window of n.
        """
        mean, _ = self.means(partitions.sum(axis=0, keepdims=True))
        extra = (sizes[:, None] / 6 * (self.means(partitions)[0] - mean) ** 2).sum(axis=0)
        n = self.rows(vectors)
        # A share that is (almost) never met in the reference has its variance from the live rows.
        live, unlike = np.zeros(self.size), _UNLIKE * self.variance
        shares = mean[0, self._shares]
        live[self._shares] = shares * (1 - shares)
        unlike[self._shares] = np.maximum(shares, 1 - shares) ** 2
        hidden = (events @ sizes / events.sum()) / 3 * unlike * np.minimum(n / seen, 1) ** 2
        variance = np.maximum(np.maximum(self.variance, live), _TINY)
        return np.asarray((extra + hidden) / np.maximum(n * variance, _TINY))

    def _correlations(
        self, pairs: PairProfile, vectors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean, effect and z of each pair.

        A row of a sort that the reference does not have can still be one of as many as the reference has
        rows. Where single such rows would count (two columns that hardly ever part, or hardly ever vary), as
        many as a window may hold by chance are taken off the change.
        """
        _, spread, n, product, first, second = self._moments(vectors)
        a, b = pairs.first, pairs.second
        with np.errstate(divide="ignore", invalid="ignore"):
            r = (product / n - first * second) / np.sqrt(spread[:, a] * spread[:, b])
            change = r - pairs.correlation
            # Their number is geometric if all shares of the sort are as likely: the law of succession.
            unseen = np.log(_SURPRISE) / np.log(n / (n + pairs.rows))
            by_chance = np.where(n < self._safe_rows, unseen * self._reach / n, 0.0)
            sure = np.sign(change) * np.maximum(np.abs(change) - by_chance, 0.0)
            z = sure / np.sqrt(pairs.variance * (1 / n + 1 / pairs.rows))
        z = np.where(np.isfinite(z), z, 0.0)
        r = np.clip(np.where(np.isfinite(r), r, pairs.correlation), -1, 1)
        return r, r - pairs.correlation, z

    def _largest_influence(self, pairs: PairProfile, mean: np.ndarray) -> np.ndarray:
        """Return the most that one row can add to n times each correlation, (p,): both ranks at an end."""
        sd = np.sqrt(np.maximum(self._spread0, _TINY))
        starts = self.measures.starts
        extremes = [each.reduceat(self._ranks, starts) - mean for each in (np.minimum, np.maximum)]
        if self.seasonal is not None:
            low, high = self.seasonal.levels
            extremes = [extremes[0] - high, extremes[1] - low]
        ends = [each / sd for each in extremes]
        corners = [(x[pairs.first], y[pairs.second]) for x in ends for y in ends]
        by = [np.abs(x * y - pairs.correlation / 2 * (x**2 + y**2)) for x, y in corners]
        return np.asarray(np.max(by, axis=0))

    def _moments(self, vectors: np.ndarray) -> tuple[np.ndarray, ...]:
        """Mean and variance of each column's ranks; of each pair rows with both, their products and means."""
        assert self.pairs is not None
        ranks, squares, present, product, lacking, *apart, total = self._of_pairs(vectors)
        rows, n = np.maximum(present, 1), total - lacking
        mean = ranks / rows
        first, second = (
            (ranks[:, own] - stray) / np.maximum(n, 1)
            for own, stray in zip((self.pairs.first, self.pairs.second), apart, strict=True)
        )
        return mean, squares / rows - mean**2, n, product, first, second

    def _of_pairs(self, vectors: np.ndarray) -> list[np.ndarray]:
        """Return the parts of vectors that pairs need, from the columns' ranks to the number of rows."""
        columns, count = len(self.measures.columns), 0 if self.pairs is None else len(self.pairs)
        cuts = np.cumsum([2 * self._own, columns, columns, columns, count, count, count, count, 1])
        return np.split(vectors, cuts, axis=1)[1:-1]
