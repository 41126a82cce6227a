"""How far behind the stream a learner stays, so that most rows can be answered before later labels."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

from streamapp.errors import ConfigError

__all__ = ["LearningLag"]


class LearningLag:
    """A quantile of how far behind stream time requests lie when their labels come.

    A labelled row appears when its label has come, and in a log that several partitions were written to, not
    even in that order. Both is seen here as one number per row.

    Parameters
    ----------
    share
        Of the rows that are to come in time, in (0, 1].
    rows
        How many of the last the quantile is taken of, ≥ 1.
    at_least
        Before so many rows there is none.

    Raises
    ------
    ConfigError
        If `share` lies outside its bounds.

    Examples
    --------
    >>> lag = LearningLag(share=0.5, at_least=3)
    >>> for behind_ms in (5, 0, 70, 6):
    ...     lag.see(behind_ms)
    >>> lag.ms
    5
    """

    def __init__(self, *, share: float = 0.95, rows: int = 1_000, at_least: int = 20) -> None:
        if not 0 < share <= 1:
            raise ConfigError(f"share of rows in time is {share}; more than 0, at most 1")
        self._share = share
        self._at_least = at_least
        self._recent: deque[int] = deque(maxlen=rows)
        self._sorted: list[int] = []

    def see(self, behind_ms: int) -> None:
        """Take note of the next row's; what is ahead of the stream is not behind it."""
        behind_ms = max(behind_ms, 0)
        if len(self._recent) == self._recent.maxlen:
            del self._sorted[bisect_left(self._sorted, self._recent[0])]
        self._recent.append(behind_ms)
        insort(self._sorted, behind_ms)

    @property
    def ms(self) -> int | None:
        """The quantile, milliseconds; None at the beginning."""
        n = len(self._sorted)
        if n < self._at_least:
            return None
        return self._sorted[max(-int(-self._share * n // 1), 1) - 1]
