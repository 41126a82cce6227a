"""The newest panes, kept so that an alert can be looked at: its window then and now."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from streamapp.messages import Distribution
from streamapp.profile import Summary

__all__ = ["KeptPanes"]


@dataclass(frozen=True, slots=True)
class _Kept:
    next_offset: int
    requests: int
    counts: np.ndarray


class KeptPanes:
    """Counts of the newest panes, of inputs and then of outputs.

    Parameters
    ----------
    limit_bytes
        The oldest go when the others have so many.

    Notes
    -----
    A pane that comes again takes the place of the one before it. Panes are found by their offsets: however
    many there are, looking for a window costs what lies in it.
    """

    def __init__(self, limit_bytes: int = 32 << 20) -> None:
        self._limit = limit_bytes
        self._bytes = 0
        self._panes: OrderedDict[tuple[str, str, int], _Kept] = OrderedDict()  # the oldest first
        self._firsts: dict[tuple[str, str], list[int]] = {}

    def __len__(self) -> int:
        return len(self._panes)

    def add(self, pane: Distribution, summary: Summary) -> None:
        """Keep a pane."""
        counts = np.concatenate([summary.counts, summary.outputs]).astype(np.uint32)
        key = (pane.version, str(pane.partition), pane.first_offset)
        had = self._panes.pop(key, None)
        if had is None:
            insort(self._firsts.setdefault(key[:2], []), pane.first_offset)
        else:
            self._bytes -= had.counts.nbytes
        self._panes[key] = _Kept(pane.next_offset, pane.events, counts)
        self._bytes += counts.nbytes
        while self._bytes > self._limit:
            self._drop_oldest()

    def within(
        self, version: str, partitions: Mapping[str, tuple[int, int]]
    ) -> tuple[np.ndarray | None, int]:
        """Return the counts of the panes of `version` in some ranges of offsets, (bins,), and their requests.

        None and 0 if there are none; if only some are here, those.
        """
        found = list(self._within(version, partitions))
        if not found:
            return None, 0
        counts = np.sum([kept.counts for kept in found], axis=0, dtype=np.int64)
        return np.asarray(counts), sum(kept.requests for kept in found)

    def _within(self, version: str, partitions: Mapping[str, tuple[int, int]]) -> Iterator[_Kept]:
        for partition, (first, end) in partitions.items():
            firsts = self._firsts.get((version, partition), [])
            for offset in firsts[bisect_left(firsts, first) : bisect_left(firsts, end)]:
                kept = self._panes[version, partition, offset]
                if kept.next_offset <= end:
                    yield kept

    def _drop_oldest(self) -> None:
        (version, partition, first), kept = self._panes.popitem(last=False)
        self._bytes -= kept.counts.nbytes
        firsts = self._firsts[version, partition]
        del firsts[bisect_left(firsts, first)]
        if not firsts:
            del self._firsts[version, partition]
