"""Stream time: how far the stream has come, moved by runs of records and never by one stray."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

__all__ = ["StreamTime"]

_RUN = 5
_AGREE = 3


class StreamTime:
    """The largest event time that three of five consecutive records have reached.

    One or two records with a clock far ahead change nothing: of the last five event times, the third largest
    is taken. It never goes back. Before the third record there is none.

    Notes
    -----
    State: five numbers, the maximum and the first. The result does not depend on how records came in batches.

    Examples
    --------
    >>> time = StreamTime()
    >>> for event_time_ms in (10, 12, 9_999_999, 13, 11):
    ...     time.see(event_time_ms)
    >>> time.now_ms
    12
    """

    __slots__ = ("_recent", "began_ms", "now_ms")

    def __init__(self) -> None:
        self._recent: deque[int] = deque(maxlen=_RUN)
        self.now_ms: int | None = None
        self.began_ms: int | None = None

    def see(self, event_time_ms: int) -> None:
        """Take note of the next record's event time."""
        self._recent.append(event_time_ms)
        if len(self._recent) >= _AGREE:
            reached = sorted(self._recent)[-_AGREE]
            if self.now_ms is None or reached > self.now_ms:
                self.now_ms = reached
                if self.began_ms is None:
                    self.began_ms = reached

    def see_many(self, event_times_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Take note of the event times of the next records, (n,), and return the stream time after each.

        Where there is none yet, it is the record's own.

        Examples
        --------
        >>> StreamTime().see_many(np.array([10, 12, 9_999_999, 13, 11, 14])).tolist()
        [10, 12, 10, 12, 12, 13]
        """
        before = np.array(self._recent, dtype=np.int64)
        times = np.concatenate((before, event_times_ms))
        reached = times.copy()
        for end in range(len(before) + 1, min(_RUN, len(times) + 1)):
            if end >= _AGREE:
                reached[end - 1] = np.sort(times[:end])[-_AGREE]
        if len(times) >= _RUN:
            reached[_RUN - 1 :] = np.sort(sliding_window_view(times, _RUN), axis=1)[:, -_AGREE]
        reached = reached[len(before) :]
        known = reached[max(_AGREE - 1 - len(before), 0) :]
        if len(known):
            if self.now_ms is None:
                self.now_ms = self.began_ms = int(known[0])
            known[0] = max(int(known[0]), self.now_ms)
            np.maximum.accumulate(known, out=known)
            self.now_ms = int(known[-1])
        self._recent.extend(event_times_ms[-_RUN:].tolist())
        return reached

    def snapshot(self) -> list[int | None]:
        """Return the state, JSON-able."""
        return [self.now_ms, self.began_ms, *self._recent]

    @classmethod
    def restore(cls, snapshot: list[int | None]) -> StreamTime:
        """Return what :meth:`snapshot` was taken from."""
        time = cls()
        time.now_ms, time.began_ms, *recent = snapshot
        time._recent.extend(value for value in recent if value is not None)
        return time
