"""What each partition has contributed of late: with keyed traffic none of them is a sample of the stream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamapp.drift.packing import pack, unpack
from streamapp.profile.pairs import GRID

__all__ = ["MEMORY", "Partitions"]

MEMORY = 2_048
"""Rounds after which all that is known counts half."""

_UNIT = GRID**2
"""Products are kept in units of a variance: finer ones would be noise, and make snapshots twice as large."""

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Counts (bins,), sums of rank products (p,) and apart (3, p) of a pane: int64."""


class Partitions:
    """Sums over the panes of each partition, as soon as there is more than one.

    Notes
    -----
    After 2,048 rounds all sums are halved, to whole numbers, and then after every 1,024: a round counts half
    as much as one that came 1,024 rounds later. All are halved at once, so that each partition keeps its
    part of the traffic, and one that is left with less than a pane is forgotten. So no number grows for ever,
    a partition that has fallen silent counts for nothing after some ten thousand rounds, and one that was
    added after a change is soon compared with what the others are like since then.

    In a snapshot a partition takes 3 KiB with 20 columns, 40 with 100 and 80 with 150, at most.
    """

    def __init__(self) -> None:
        self._known: dict[int, _Partition] = {}
        self._rounds = 0
        self.seen = 0
        """Events since there is more than one partition; nothing of that is forgotten."""

    def __len__(self) -> int:
        return len(self._known)

    def add(self, panes: Iterable[tuple[int, int, Arrays]]) -> None:
        """Take the panes of a round, each with its partition and its events."""
        listed = list(panes)
        if not self.seen and len({partition for partition, _, _ in listed}) < 2:
            return
        for partition, events, arrays in listed:
            fresh = _Partition(1, events, float(events) ** 3, _kept(arrays))
            had = self._known.get(partition)
            self._known[partition] = fresh if had is None else had + fresh
            self.seen += events
        self._rounds += 1
        self._forget()

    @property
    def events(self) -> np.ndarray:
        """(q,) events of each partition."""
        return np.array([own.events for own in self._known.values()])

    @property
    def sizes(self) -> np.ndarray:
        """(q,) mean square of the size of its panes, over events."""
        return np.array([own.cubes / own.events for own in self._known.values()])

    @property
    def arrays(self) -> Arrays:
        """Counts (q, bins), pairs (q, p) and apart (q, 3, p), in which there are rows and no ranks."""
        counts, pairs, lacking = map(np.stack, zip(*(own.kept for own in self._known.values()), strict=True))
        none = np.zeros_like(lacking)
        return counts, pairs * _UNIT, np.stack([lacking, none, none], axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "rounds": self._rounds,
            "seen": self.seen,
            "each": [
                [partition, own.panes, own.events, own.cubes, *map(pack, own.kept)]
                for partition, own in self._known.items()
            ],
        }

    def load(self, state: Mapping[str, Any] | list[Any]) -> None:
        """Take over the state of :meth:`to_dict`, or the list of a version that never forgot."""
        if isinstance(state, list):
            self._load_unforgotten(state)
            return
        self._rounds, self.seen = state["rounds"], state["seen"]
        self._known = {
            partition: _Partition(panes, events, cubes, _unpacked(kept))
            for partition, panes, events, cubes, *kept in state["each"]
        }

    def _load_unforgotten(self, state: list[Any]) -> None:
        """Take over sums over all panes ever, whose number follows from their size."""
        self._known = {
            partition: _Partition(
                max(1, round(events / (cubes / events) ** 0.5)),
                events,
                float(cubes),
                _kept(_unpacked(arrays)),
            )
            for partition, events, cubes, *arrays in state
        }
        self.seen = sum(own.events for own in self._known.values())
        self._rounds = max((own.panes for own in self._known.values()), default=0)
        self._forget()

    def _forget(self) -> None:
        while self._rounds >= MEMORY:
            halves = {partition: own.half() for partition, own in self._known.items()}
            self._known = {partition: own for partition, own in halves.items() if own.panes}
            self._rounds //= 2


@dataclass(frozen=True, slots=True)
class _Partition:
    """Sums over panes of one partition."""

    panes: int
    events: int
    cubes: float
    """Sum of its panes' cubed events; by events, their mean square. As a whole number it would need more than
    64 bits, which JSON does not have."""
    kept: Arrays
    """Counts (bins,), sums of products in units of a variance (p,), rows that lack one of the two (p,)."""

    def half(self) -> _Partition:
        counts, pairs, lacking = self.kept
        return _Partition(
            self.panes // 2, self.events // 2, self.cubes / 2, (counts // 2, pairs // 2, lacking // 2)
        )

    def __add__(self, other: _Partition) -> _Partition:
        (counts, pairs, lacking), (more, products, others) = self.kept, other.kept
        return _Partition(
            self.panes + other.panes,
            self.events + other.events,
            self.cubes + other.cubes,
            (counts + more, pairs + products, lacking + others),
        )


def _kept(arrays: Arrays) -> Arrays:
    """Return what the mean of a partition's rows follows from."""
    counts, pairs, apart = arrays
    return counts, np.rint(pairs / _UNIT).astype(np.int64), apart[0]


def _unpacked(arrays: Iterable[str]) -> Arrays:
    counts, pairs, apart = map(unpack, arrays)
    return counts, pairs, apart
