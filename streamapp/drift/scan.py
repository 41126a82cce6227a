"""The scan: the newest rounds, in windows of about 64 events or more, against the reference."""

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
from streamapp.drift.worth import enough_rows

__all__ = ["LONG_WINDOWS", "WINDOWS", "Look", "Scan", "Sums"]

WINDOWS = (64, 128, 192, 320, 448, 640, 896, 1280, 1792, 2560)
"""Lengths in events: a window is the fewest rounds that hold so many.

From 128 on each is at most 1.7 times the one before: what needs n events to be seen does not wait for 2.5 n.
"""
LONG_WINDOWS = (4_480, 7_680, 12_800, 21_760, 36_480)
"""More of them, for components whose rows depend on each other, of which many are worth one."""
_LENGTHS = np.array(WINDOWS + LONG_WINDOWS)
_BLOCK = 1_280
"""Rounds that have left the other windows are joined until they hold so many events."""


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
    usual: int
    """Which window is the longest of those that all components have."""


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

    In 2,560 independent rows all is found that is large enough to matter. Where the reference shows an
    inflation of v they are worth 2,560 / v rows. If v is some hundred (all requests of an hour share its
    weather) no change can be told in them from regimes that come and go. So windows are up to v times as long
    there, but hardly longer than the reference, whose own rows are the doubt then; and those that are worth
    but a few rows are not judged.

    State: the last rounds, as many as hold 2,560 events, and blocks of some 1,280 before these, up to the
    longest window that a component has; per partition, if there is more than one, sums over its newer panes;
    of each component a sum and a count of differences. All of it bounded. Cost of a look: a few vector
    operations on (10, components), or (15, components).
    """

    def __init__(self, comparison: Comparison, factor: np.ndarray, blocks: np.ndarray) -> None:
        self.comparison = comparison
        self._given = factor, blocks
        self._factor, self._freedom = np.maximum(factor, 1.0), np.where(factor > 1, blocks - 1, np.inf)
        worth = np.minimum(WINDOWS[-1] * self._factor, comparison.reference_rows)
        self._longest = _LENGTHS[np.clip(_LENGTHS.searchsorted(worth), len(WINDOWS) - 1, len(_LENGTHS) - 1)]
        """(k,) lengths of the components' longest windows."""
        self._kept = int(self._longest.max())
        self.enough_rows = enough_rows(
            comparison.measures, comparison.pairs, comparison.kurtosis, self._factor
        )
        """(k,) rows of a window from which on each component is judged."""
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
        self._append(panes[0][1] if len(panes) == 1 else _added([own for _, own in panes]))
        self._partitions.add((partition, own.span.events, own.arrays) for partition, own in panes)

    @property
    def newest_events(self) -> int:
        """Events of the newest round."""
        return self._rounds[-1].span.events

    def adopt(self, other: Scan, renew: Callable[[Sums], Sums]) -> None:
        """Take over the rounds, each as `renew` has it, and the partitions of a scan of the same bins."""
        self.forget_rounds()
        for own in other._rounds[-int(_rounds(other._held(), WINDOWS[-1])) :]:
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
        held = self._held()
        windows = tuple(np.unique(_rounds(held, _LENGTHS)).tolist())
        vectors = self._cumulated[-1] - np.stack([self._cumulated[-1 - w] for w in windows])
        z, effect, now, before = self.comparison.compare(vectors)
        inflation, freedom = self._inflation(vectors)
        z /= np.sqrt(inflation)
        unsure = np.flatnonzero(np.isfinite(freedom).any(axis=0))
        if len(unsure):
            z[:, unsure] = normal_of_student(z[:, unsure], freedom[:, unsure])
        z[self.comparison.rows(vectors) < self.enough_rows] = 0.0
        z[np.array(windows)[:, None] > _rounds(held, self._longest)] = 0.0
        usual = windows.index(int(_rounds(held, WINDOWS[-1])))
        return Look(windows, z, effect, now, before, usual)

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
        while self._events - self._rounds[0].span.events >= self._kept:
            self._events -= self._rounds.pop(0).span.events
            del self._cumulated[0]
        self._join()

    def _join(self) -> None:
        """Join rounds that have left the windows of independent rows to blocks."""
        left, i = len(self._rounds) - int(_rounds(self._held(), WINDOWS[-1])), 1
        while i < left:
            older, newer = self._rounds[i - 1 : i + 1]
            if older.span.events >= _BLOCK:
                i += 1
                continue
            self._rounds[i - 1 : i + 1] = [_added([older, newer])]
            del self._cumulated[i]
            left -= 1

    def _held(self) -> np.ndarray:
        """Return how many events the newest round holds, the newest two, and so on."""
        return np.cumsum([own.span.events for own in reversed(self._rounds)])

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


def _rounds(held: np.ndarray, events: np.ndarray | int) -> np.ndarray:
    """Return the fewest of the newest rounds that hold so many events, or all."""
    return np.minimum(1 + held.searchsorted(events), len(held))


def _added(sums: Sequence[Sums]) -> Sums:
    """Return the sums of panes or rounds together."""
    counts, pairs, apart = (
        np.sum(arrays, axis=0) for arrays in zip(*(own.arrays for own in sums), strict=True)
    )
    seasons = [own.season for own in sums if own.season is not None]
    season = np.sum(seasons, axis=0) if seasons else None
    return Sums(join_spans([own.span for own in sums]), counts, pairs, apart, season)
