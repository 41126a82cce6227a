"""The scan: every component of the last 1, 2, 5, 10, 20 and 40 rounds against the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streamapp.drift.statistics import exact_small_counts, normal_of_student, signed_root
from streamapp.profile import Measures, PairProfile
from streamapp.profile.pairs import rank_table

__all__ = ["WINDOWS", "Look", "Scan"]

WINDOWS = (1, 2, 5, 10, 20, 40)
"""Lengths in rounds."""
_KURTOSIS_ROWS = 25
"""A mean is judged from this many rows per unit of excess (kurtosis - 1): before, it is not normal enough."""


@dataclass(frozen=True, slots=True)
class Look:
    """All components at one moment; w windows, k components (those of columns, then pairs)."""

    windows: tuple[int, ...]
    z: np.ndarray
    """(w, k) standard normal while nothing drifts; 0 where there are too few rows."""
    effect: np.ndarray
    """(w, k) window minus reference: means in sd of the component, shares, correlations."""
    now: np.ndarray
    """(w, k) mean, share or correlation in the window."""


class Scan:
    """Sums over the newest rounds, and what they say against the reference.

    Parameters
    ----------
    measures
        Components of the columns, with their reference.
    pairs
        Rank correlations, with their reference; None for outputs.
    factor, blocks
        Variance inflation of each component and how many blocks say so, columns' components first; empty: 1.

    Notes
    -----
    State: the sums of the last 41 rounds, cumulated, as integers; per partition the sums of all its panes.
    Cost of a look: a few vector operations on (6, components).
    """

    def __init__(
        self, measures: Measures, pairs: PairProfile | None, factor: np.ndarray, blocks: np.ndarray
    ) -> None:
        self.measures = measures
        self.pairs = pairs if pairs is not None and len(pairs) else None
        self._mean, self._variance, self._kurtosis, self._rows0 = measures.reference
        self._hits0 = np.rint(self._mean * self._rows0)
        self._own = len(self._mean)
        self._ranks = rank_table(measures.columns).astype(np.int64)
        self.size = self._own + (0 if self.pairs is None else len(self.pairs))
        if len(factor) == self.size and (factor > 1).any():
            self._shrink: np.ndarray | None = np.sqrt(factor)
            self._freedom = blocks - 1
        else:
            self._shrink = None
            self._freedom = np.empty(0)
        self._smooth = np.flatnonzero(~measures.is_share)
        self._shares = np.flatnonzero(measures.is_share)
        self._enough = _KURTOSIS_ROWS * (self._kurtosis[self._smooth] - 1)
        self._cumulated: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []
        self._partitions: dict[int, _Partition] = {}
        if self.pairs is not None:
            reference = self._vector(measures.reference_counts, *self._no_pairs())
            self._spread0 = self._moments(reference[None, :])[1][0]

    def push(
        self,
        counts: np.ndarray,
        pairs: np.ndarray,
        apart: np.ndarray,
        parts: Sequence[tuple[int, int, np.ndarray, np.ndarray, np.ndarray]] = (),
    ) -> None:
        """Add a round: its counts (bins,), its pairs' sums and rows apart (p,), and the same of its panes.

        Parameters
        ----------
        counts, pairs, apart
            Of the round.
        parts
            For each pane its partition, events, counts, pairs, apart. They tell how far partitions differ.
        """
        vector = self._vector(counts, pairs, apart)
        if not self._cumulated:
            self._cumulated.append(np.zeros_like(vector))
        self._cumulated.append(self._cumulated[-1] + vector)
        self._counts.append(counts)
        del self._cumulated[: -WINDOWS[-1] - 1]
        del self._counts[: -WINDOWS[-1]]
        if len(parts) > 1 or self._partitions:
            for partition, events, *own in parts:
                self.learn_partition(partition, events, events * events * events, self._vector(*own))

    def learn_partition(self, partition: int, events: int, cubes: int, vector: np.ndarray) -> None:
        """Add what a partition contributed: events, the sum of its panes' cubed sizes, and their sums."""
        had = self._partitions.get(partition)
        if had is None:
            self._partitions[partition] = _Partition(events, cubes, vector)
        else:
            self._partitions[partition] = _Partition(
                had.events + events, had.cubes + cubes, had.vector + vector
            )

    @property
    def partitions(self) -> Mapping[int, tuple[int, int, np.ndarray]]:
        """What is known of each partition: arguments of :meth:`learn_partition`."""
        return {p: (own.events, own.cubes, own.vector) for p, own in self._partitions.items()}

    def counts(self, rounds: int) -> np.ndarray:
        """Return the counts of the newest `rounds` rounds, (bins,)."""
        return np.asarray(np.sum(self._counts[-rounds:], axis=0))

    def look(self) -> Look:
        """Compare every window that there are rounds for with the reference."""
        held = len(self._cumulated) - 1
        windows = tuple(w for w in WINDOWS if w <= held)
        # While there are fewer than 40 rounds, all of them are a window too.
        if held not in windows and held < WINDOWS[-1]:
            windows += (held,)
        sums = self._cumulated[-1] - np.stack([self._cumulated[-1 - w] for w in windows])
        own = self._own
        hits, rows = sums[:, :own], sums[:, own : 2 * own]
        now, z = np.zeros((len(windows), self.size)), np.zeros((len(windows), self.size))
        effect = np.zeros_like(z)
        mean = self.measures.means(hits, rows)
        now[:, :own] = mean
        effect[:, :own] = np.where(rows > 0, mean - self._mean, 0)
        z[:, self._smooth] = self._z_of_means(effect, rows)
        shares = self._shares
        with np.errstate(invalid="ignore"):
            args = (hits[:, shares], rows[:, shares], self._hits0[shares], self._rows0[shares])
            z[:, shares] = exact_small_counts(signed_root(*args), *args)
        effect[:, self._smooth] /= np.sqrt(self._variance[self._smooth])
        if self.pairs is not None:
            now[:, own:], effect[:, own:], z[:, own:] = self._look_at_pairs(sums)
        if len(self._partitions) > 1:
            z /= np.sqrt(1 + self._clumping(rows, sums))
        if self._shrink is not None:
            z = normal_of_student(z / self._shrink, self._freedom)
        return Look(windows, z, effect, now)

    def _z_of_means(self, effect: np.ndarray, rows: np.ndarray) -> np.ndarray:
        at = self._smooth
        n = rows[:, at]
        spread = self._variance[at] * (1 / np.maximum(n, 1) + 1 / np.maximum(self._rows0[at], 1))
        return np.where(n >= self._enough, effect[:, at] / np.sqrt(spread), 0.0)

    def _look_at_pairs(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        assert self.pairs is not None
        pairs = self.pairs
        mean, spread, n, product = self._moments(sums)
        first, second = pairs.first, pairs.second
        with np.errstate(divide="ignore", invalid="ignore"):
            r = (product / n - mean[:, first] * mean[:, second]) / np.sqrt(spread[:, first] * spread[:, second])
            z = (r - pairs.correlation) / np.sqrt(pairs.variance * (1 / n + 1 / pairs.rows))
        enough = (n >= _KURTOSIS_ROWS * (pairs.kurtosis - 1)) & np.isfinite(z)
        r = np.clip(np.where(np.isfinite(r), r, pairs.correlation), -1, 1)
        return r, r - pairs.correlation, np.where(enough, z, 0.0)

    def _moments(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Mean and variance of each column's ranks, rows that have both of a pair, sums of products."""
        assert self.pairs is not None
        at, columns, count = 2 * self._own, len(self.measures.columns), len(self.pairs)
        u, squares, present = (sums[:, at + i * columns : at + (i + 1) * columns] for i in range(3))
        product = sums[:, at + 3 * columns : at + 3 * columns + count]
        apart = sums[:, at + 3 * columns + count :]
        mean = u / np.maximum(present, 1)
        spread = squares / np.maximum(present, 1) - mean**2
        # Rows with at least one of the two = those of either; `apart` lack one of them or both.
        total = sums[:, -1 - 0 :] if False else self._totals(sums)
        return mean, spread, total - apart, product

    def _totals(self, sums: np.ndarray) -> np.ndarray:
        return sums[:, -1:]

    def _vector(self, counts: np.ndarray, pairs: np.ndarray, apart: np.ndarray) -> np.ndarray:
        sums, rows = self.measures.sums(counts)
        if self.pairs is None:
            return np.concatenate([sums, rows])
        ranks = np.stack([counts * self._ranks, counts * self._ranks**2])
        moments = np.add.reduceat(ranks, self.measures.starts, axis=1).ravel()
        total = np.add.reduceat(counts, self.measures.starts)
        present = total - counts[self.measures.missing_bins]
        return np.concatenate([sums, rows, moments, present, pairs, apart, total[:1]])

    def _no_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        zeros = np.zeros(0 if self.pairs is None else len(self.pairs), np.int64)
        return zeros, zeros

    def _clumping(self, rows: np.ndarray, sums: np.ndarray) -> np.ndarray:
        """Return the variance that whole panes add, relative to that of independent rows, (w, k).

        A window holds whole panes, but at its two ends each partition has an unknown part of a pane under
        way: up to s events too many or too few, with variance s²/6. Where partitions differ (keyed
        traffic), that moves the mean by (mean of the partition - mean of all) / n for each such event.
        """
        known = list(self._partitions.values())
        sizes = np.array([own.cubes / max(own.events, 1) for own in known])  # mean square of s, by events
        own = self._own
        table = np.stack([p.vector for p in known])
        means = self._linear_means(table)
        mean = self._linear_means(table.sum(axis=0, keepdims=True))
        extra = (sizes[:, None] / 6 * (means - mean) ** 2).sum(axis=0)
        variance, n = self._variance, rows
        if self.pairs is not None:
            variance = np.concatenate([variance, self.pairs.variance])
            n = np.concatenate([rows, self._moments(sums)[2]], axis=1)
        # A share that is (almost) never met in the reference has its variance from the live rows.
        floor = np.concatenate([self.measures.is_share, np.zeros(self.size - own, dtype=bool)])
        live = np.where(floor, mean[0] * (1 - mean[0]), 0)
        return np.asarray(extra / np.maximum(n * np.maximum(np.maximum(variance, live), 1e-9), 1e-9))

    def _linear_means(self, sums: np.ndarray) -> np.ndarray:
        """Means of what each row adds to a component, (p, k); for correlations their linear part."""
        own = self._own
        means = self.measures.means(sums[:, :own], sums[:, own : 2 * own])
        if self.pairs is None:
            return means
        mean, spread, n, product = self._moments(sums)
        first, second = self.pairs.first, self.pairs.second
        square = (spread + mean**2) / np.maximum(self._spread0, 1e-9)
        scale = np.sqrt(np.maximum(self._spread0[first] * self._spread0[second], 1e-9))
        linear = product / np.maximum(n, 1) / scale
        linear = linear - self.pairs.correlation / 2 * (square[:, first] + square[:, second])
        return np.concatenate([means, linear], axis=1)


@dataclass(frozen=True, slots=True)
class _Partition:
    """Sums over all panes of one partition."""

    events: int
    cubes: int
    vector: np.ndarray
