"""The scan: the newest rounds, in windows of about 64 to 2,560 events, against the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamapp.drift.comparison import Comparison
from streamapp.drift.neighbours import Neighbours
from streamapp.drift.packing import pack, unpack
from streamapp.drift.partitions import Partitions
from streamapp.drift.span import Span, join_spans
from streamapp.drift.statistics import normal_of_student

__all__ = ["WINDOWS", "Look", "Scan", "Sums"]

WINDOWS = (64, 128, 192, 320, 448, 640, 896, 1280, 1792, 2560)
"""Lengths in events: a window is the fewest rounds that hold so many.

From 128 on each is at most 1.7 times the one before: what needs n events to be seen does not wait for 2.5 n.
"""


@dataclass(frozen=True, slots=True)
class Sums:
    """What a pane or a round contributes."""

    span: Span
    counts: np.ndarray
    """(bins,) int64."""
    pairs: np.ndarray
    """(p,) int64 sums of rank products."""
    apart: np.ndarray
    """(3, p) int64: see :class:`~streamapp.profile.Summary`."""
    season: np.ndarray | None = None
    """What the panes' hours add to the vector: see :class:`~streamapp.drift.seasonal.SeasonalReference`."""

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Counts, pairs, apart."""
        return self.counts, self.pairs, self.apart


@dataclass(frozen=True, slots=True)
class Look:
    """All components at one moment: w windows, k components (those of columns, then pairs)."""

    windows: tuple[int, ...]
    """(w,) lengths in rounds, increasing."""
    z: np.ndarray
    """(w, k) standard normal while nothing drifts; 0 where there are too few rows."""
    effect: np.ndarray
    """(w, k) window minus reference: means in sd of the component, shares, correlations."""
    now: np.ndarray
    """(w, k) mean, share or correlation in the window."""
    before: np.ndarray
    """(w, k) the same in the reference, at the window's hours."""


class Scan:
    """Sums over the newest rounds, and what they say against the reference.

    Parameters
    ----------
    comparison
        Components with their reference.
    factor, blocks
        (k,) variance inflation of each component and how many blocks say so.

    Notes
    -----
    The variance of independent rows is inflated by what the reference's order shows and by what whole panes
    add, or by what neighbouring live rounds show, if that is more.

    State: the last rounds, as many as hold 2,560 events; per partition, if there is more than one, sums over
    its newer panes; of each component a sum and a count of differences. All of it bounded. Cost of a look:
    a few vector operations on (10, components).
    """

    def __init__(self, comparison: Comparison, factor: np.ndarray, blocks: np.ndarray) -> None:
        self.comparison = comparison
        self._given = factor, blocks
        self._factor, self._freedom = np.maximum(factor, 1.0), np.where(factor > 1, blocks - 1, np.inf)
        self._neighbours = Neighbours(comparison.variance, comparison.kurtosis, comparison.is_share)
        self._rounds: list[Sums] = []
        self._cumulated: list[np.ndarray] = []
        self._events = 0
        self._partitions = Partitions()

    def __len__(self) -> int:
        return len(self._rounds)

    def fresh(self) -> Scan:
        """Return a scan of the same components that has seen nothing."""
        return Scan(self.comparison, *self._given)

    def push(self, panes: Sequence[tuple[int, Sums]]) -> None:
        """Add a round, given as its panes (at least one), each with its partition."""
        if len(panes) == 1:
            self._append(panes[0][1])
        else:
            each = zip(*(own.arrays for _, own in panes), strict=True)
            counts, pairs, apart = (np.sum(arrays, axis=0) for arrays in each)
            seasons = [own.season for _, own in panes if own.season is not None]
            season = np.sum(seasons, axis=0) if seasons else None
            self._append(Sums(join_spans([own.span for _, own in panes]), counts, pairs, apart, season))
        self._partitions.add((partition, own.span.events, own.arrays) for partition, own in panes)

    @property
    def newest_events(self) -> int:
        """Events of the newest round."""
        return self._rounds[-1].span.events

    def adopt(self, other: Scan, renew: Callable[[Sums], Sums]) -> None:
        """Take over the rounds, each as `renew` has it, and the partitions of a scan of the same bins."""
        self.forget_rounds()
        for own in other._rounds:
            self._append(renew(own))
        self._partitions = other._partitions

    def forget_rounds(self) -> None:
        """Begin all windows anew; what is known of partitions stays."""
        self._rounds, self._cumulated, self._events = [], [], 0
        self._neighbours.part()

    def counts(self, rounds: int) -> np.ndarray:
        """Return the counts of the newest `rounds` rounds, (bins,)."""
        return np.asarray(np.sum([own.counts for own in self._rounds[-rounds:]], axis=0))

    def reference_counts(self, column: int, rounds: int) -> np.ndarray:
        """Return the reference's counts of a column, at the hours of the newest `rounds` rounds."""
        seasons = [own.season for own in self._rounds[-rounds:] if own.season is not None]
        if self.comparison.seasonal is None or not seasons:
            return self.comparison.measures.columns[column].counts
        return self.comparison.seasonal.reference_counts(column, np.sum(seasons, axis=0))

    def span(self, rounds: int) -> Span:
        """Return the span of the newest `rounds` rounds."""
        return join_spans([own.span for own in self._rounds[-rounds:]])

    def look(self) -> Look:
        """Compare every window that there are rounds for with the reference; there must be a round."""
        windows = self._windows()
        vectors = self._cumulated[-1] - np.stack([self._cumulated[-1 - w] for w in windows])
        z, effect, now, before = self.comparison.compare(vectors)
        inflation, freedom = self._inflation(vectors)
        z /= np.sqrt(inflation)
        unsure = np.flatnonzero(np.isfinite(freedom).any(axis=0))
        if len(unsure):
            z[:, unsure] = normal_of_student(z[:, unsure], freedom[:, unsure])
        return Look(windows, z, effect, now, before)

    def to_dict(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        seasons = [own.season for own in self._rounds if own.season is not None]
        return ({"seasons": pack(np.stack(seasons))} if seasons else {}) | {
            "spans": [own.span.to_list() for own in self._rounds],
            "rounds": [
                pack(np.stack(each)) for each in zip(*(own.arrays for own in self._rounds), strict=True)
            ],
            "neighbours": self._neighbours.to_dict(),
            "partitions": self._partitions.to_dict(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over the state of :meth:`to_dict`."""
        self.forget_rounds()
        if state["spans"]:
            counts, pairs, apart = (unpack(each) for each in state["rounds"])
            seasons = unpack(state["seasons"]) if "seasons" in state else None
            for i, span in enumerate(state["spans"]):
                season = None if seasons is None else seasons[i]
                self._append(Sums(Span.from_list(span), counts[i], pairs[i], apart[i], season))
        self._neighbours.load(state["neighbours"])
        self._partitions = Partitions()
        self._partitions.load(state["partitions"])

    def _append(self, sums: Sums) -> None:
        vector = self.comparison.vectors(*sums.arrays)
        if sums.season is not None:
            vector = self.comparison.with_season(vector, sums.season)
        if not self._rounds:
            self._cumulated = [np.zeros_like(vector)]
        self._rounds.append(sums)
        self._cumulated.append(self._cumulated[-1] + vector)
        means, rows = self.comparison.means(vector[None])
        self._neighbours.add(means[0], rows[0], self.comparison.expected(vector[None])[0][0])
        self._events += sums.span.events
        while self._events - self._rounds[0].span.events >= WINDOWS[-1]:
            self._events -= self._rounds.pop(0).span.events
            del self._cumulated[0]

    def _inflation(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the variance of the windows' components by that of independent rows, and its freedom.

        (w, size) each, or (1, size) where it is the same in all windows.
        """
        inflation = self._factor[None]
        if len(self._partitions) > 1:
            known = self._partitions
            partitions = self.comparison.vectors(*known.arrays)
            clumping = self.comparison.clumping(vectors, partitions, known.events, known.sizes, known.seen)
            inflation = inflation * (1 + clumping)
        live, freedom = self._neighbours.factor()
        return np.maximum(inflation, live), np.where(live > inflation, freedom, self._freedom)

    def _windows(self) -> tuple[int, ...]:
        """Return the lengths of the windows in rounds; while events are few, all of them are one too."""
        lengths, events, due = [], 0, list(WINDOWS)
        for i, own in enumerate(reversed(self._rounds), start=1):
            events += own.span.events
            if due and events >= due[0]:
                lengths.append(i)
                due = [length for length in due if length > events]
        if not lengths or lengths[-1] != len(self._rounds):
            lengths.append(len(self._rounds))
        return tuple(lengths)
