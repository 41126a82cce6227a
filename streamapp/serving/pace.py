"""How many requests a model is asked at once: as many as it answers in a second."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

__all__ = ["Pace", "Parts"]

_FIRST = 256
_TARGET_S = 1.0
_SHORTEST = 0.1


class Pace:
    """Learns how fast a model is, so that a slow one is asked little at a time.

    Nearly every model answers all that a fetch can bring in less than a second; for these nothing is split.

    Parameters
    ----------
    limit_s
        Longest time that a call may take, seconds.

    Examples
    --------
    >>> pace = Pace(limit_s=10.0)
    >>> pace.took(10, 2.0)  # five a second
    >>> parts = pace.parts(list(range(12)))
    >>> parts.next(), parts.next(), bool(parts)
    ([0, 1, 2, 3, 4], [5, 6, 7, 8, 9], True)
    """

    def __init__(self, *, limit_s: float) -> None:
        self.limit_s = limit_s
        self.rows = _FIRST

    def took(self, rows: int, seconds: float) -> None:
        """Note that `rows` were answered in `seconds`, or given up after so long."""
        able = max(1, int(rows * _TARGET_S / max(seconds, 1e-9)))
        if seconds > _TARGET_S:
            self.rows = able
        else:  # what few rows say of many is a guess, so it grows step by step
            self.rows = max(self.rows, min(able, 2 * max(rows, self.rows)))

    def parts(self, records: Sequence[Any]) -> Parts:
        """Return `records` to be taken part by part."""
        return Parts(records, self)


class Parts:
    """Records to be answered, in order, in parts whose size may change on the way.

    Parameters
    ----------
    records
        All of them.
    pace
        Says how many to take.
    """

    def __init__(self, records: Sequence[Any], pace: Pace) -> None:
        self._pace = pace
        self._left: deque[Sequence[Any]] = deque([records] if records else [])
        self._largest = 1

    def __bool__(self) -> bool:
        return bool(self._left)

    def next(self) -> Sequence[Any] | None:
        """Return the next part, None when there is none left."""
        if not self._left:
            return None
        part = self._left.popleft()
        if len(part) > self._pace.rows:
            self._left.appendleft(part[self._pace.rows :])
            part = part[: self._pace.rows]
        self._largest = max(self._largest, len(part))
        return part

    def halve(self, part: Sequence[Any]) -> None:
        """Put back a part that took too long, to come again as two."""
        middle = len(part) // 2
        self._left.extendleft([part[middle:], part[:middle]])

    def limit_s(self, part: Sequence[Any]) -> float:
        """Return how long an answer to `part` may take, seconds: less for a smaller one, down to a tenth.

        So one request among many at which the model hangs is found in three times the limit.
        """
        return self._pace.limit_s * max(len(part) / self._largest, _SHORTEST)
