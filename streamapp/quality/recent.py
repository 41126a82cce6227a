"""Which requests were seen lately: at-least-once delivery repeats rows, and a test must count each once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from streamapp.quality.labelled_rows import Ints

__all__ = ["RecentRequests"]


class RecentRequests:
    """The positions of the last requests and which of their rows, in bounded memory.

    Parameters
    ----------
    size
        How many are kept, ≥ 1. A repeat that comes later than that counts as new.

    Examples
    --------
    >>> recent = RecentRequests()
    >>> recent.add(np.array([0, 0, 1, 0]), np.array([7, 8, 7, 7]), np.zeros(4, np.int64)).tolist()
    [True, True, True, False]
    """

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._seen: dict[tuple[int, int, int], None] = {}

    def add(self, partitions: Ints, offsets: Ints, rows: Ints) -> npt.NDArray[np.bool_]:
        """Take note of rows, and return which are new, (n,).

        Parameters
        ----------
        partitions, offsets
            Of their requests, (n,) each.
        rows
            Which of its request's rows each is, (n,).
        """
        is_new = np.zeros(len(offsets), dtype=np.bool_)
        for i, position in enumerate(zip(partitions.tolist(), offsets.tolist(), rows.tolist(), strict=True)):
            if position in self._seen:
                continue
            is_new[i] = True
            self._seen[position] = None
            if len(self._seen) > self._size:
                del self._seen[next(iter(self._seen))]
        return is_new

    def snapshot(self) -> list[tuple[int, int, int]]:
        """Return the state, JSON-able."""
        return list(self._seen)

    def restore(self, snapshot: Iterable[Sequence[int]]) -> None:
        """Become what :meth:`snapshot` was taken from; an old one knows requests, and no rows."""
        self._seen = dict.fromkeys(
            (place[0], place[1], place[2] if len(place) > 2 else 0) for place in snapshot
        )
