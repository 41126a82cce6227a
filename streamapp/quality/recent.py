"""Which requests were seen lately: at-least-once delivery repeats rows, and a test must count each once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamapp.quality.labelled_rows import Ints

__all__ = ["RecentRequests"]


class RecentRequests:
    """The positions of the last requests, in bounded memory.

    Parameters
    ----------
    size
        How many are kept, ≥ 1. A repeat that comes later than that counts as new.

    Examples
    --------
    >>> recent = RecentRequests()
    >>> recent.add(np.array([0, 0, 1, 0]), np.array([7, 8, 7, 7])).tolist()
    [True, True, True, False]
    """

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._seen: dict[tuple[int, int], None] = {}

    def add(self, partitions: Ints, offsets: Ints) -> npt.NDArray[np.bool_]:
        """Take note of requests by partition and offset, (n,) each, and return which are new, (n,)."""
        is_new = np.zeros(len(offsets), dtype=np.bool_)
        for i, position in enumerate(zip(partitions.tolist(), offsets.tolist(), strict=True)):
            if position in self._seen:
                continue
            is_new[i] = True
            self._seen[position] = None
            if len(self._seen) > self._size:
                del self._seen[next(iter(self._seen))]
        return is_new

    def snapshot(self) -> list[tuple[int, int]]:
        """Return the state, JSON-able."""
        return list(self._seen)

    def restore(self, snapshot: list[tuple[int, int]]) -> None:
        """Become what :meth:`snapshot` was taken from."""
        self._seen = dict.fromkeys((partition, offset) for partition, offset in snapshot)
