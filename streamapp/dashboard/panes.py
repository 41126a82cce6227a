"""The newest panes, kept so that an alert can be looked at: its window then and now."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from streamapp.messages import Distribution
from streamapp.profile import Summary

__all__ = ["KeptPanes"]


@dataclass(frozen=True, slots=True)
class _Kept:
    version: str
    partition: int
    first_offset: int
    next_offset: int
    counts: np.ndarray


class KeptPanes:
    """Counts of the newest panes, of inputs and then of outputs.

    Parameters
    ----------
    limit_bytes
        The oldest go when the others have so many.
    """

    def __init__(self, limit_bytes: int = 32 << 20) -> None:
        self._limit = limit_bytes
        self._bytes = 0
        self._panes: deque[_Kept] = deque()

    def __len__(self) -> int:
        return len(self._panes)

    def add(self, pane: Distribution, summary: Summary) -> None:
        """Keep a pane."""
        counts = np.concatenate([summary.counts, summary.outputs]).astype(np.uint32)
        self._panes.append(_Kept(pane.version, pane.partition, pane.first_offset, pane.next_offset, counts))
        self._bytes += counts.nbytes
        while self._bytes > self._limit:
            self._bytes -= self._panes.popleft().counts.nbytes

    def within(self, version: str, partitions: Mapping[str, tuple[int, int]]) -> np.ndarray | None:
        """Return the counts of the panes of `version` in some ranges of offsets, (bins,).

        None if there are none; if only some are left, those.
        """
        found = [
            kept.counts
            for kept in self._panes
            if kept.version == version
            and (range_ := partitions.get(str(kept.partition))) is not None
            and range_[0] <= kept.first_offset
            and kept.next_offset <= range_[1]
        ]
        return np.asarray(np.sum(found, axis=0, dtype=np.int64)) if found else None
