"""The schedule of trainings, in stream time."""

from __future__ import annotations

from typing import Any

from streamapp.errors import ConfigError
from streamapp.quality.labelled_rows import Ints
from streamapp.quality.stream_time import StreamTime

__all__ = ["Schedule"]


class Schedule:
    """Says when a period of stream time has passed since the last training, or since it last said so.

    Parameters
    ----------
    every_ms
        The period, > 0; None for no schedule. A stream that jumps over several periods is due once.

    Examples
    --------
    >>> schedule = Schedule(100)
    >>> schedule.count_from(1_000)
    >>> import numpy as np
    >>> schedule.see(np.arange(1_050, 1_250, 10))[1]
    [7, 17]
    """

    def __init__(self, every_ms: int | None) -> None:
        if every_ms is not None and every_ms <= 0:
            raise ConfigError(f"trainings every {every_ms} ms make no schedule; more than 0, or None")
        self._every_ms = every_ms
        self._time = StreamTime()
        self._from_ms: int | None = None

    @property
    def now_ms(self) -> int | None:
        """Stream time; None at the beginning."""
        return self._time.now_ms

    def count_from(self, time_ms: int | None) -> None:
        """Begin a period at `time_ms`, or at stream time if it is None, unless a later one has begun."""
        begin = self._time.now_ms if time_ms is None else time_ms
        if begin is not None:
            self._from_ms = begin if self._from_ms is None else max(begin, self._from_ms)

    def see(self, times_ms: Ints) -> tuple[Ints, list[int]]:
        """Take the event times of the next rows, (n,).

        A period that began in the future, since the model knows more than the stream, begins now.

        Returns
        -------
        tuple
            Stream time at each row, (n,); in the first two rows of a stream the row's own. And the positions
            of the rows at which a training is due.
        """
        now, due = times_ms.copy(), []
        for i, time_ms in enumerate(times_ms.tolist()):
            self._time.see(time_ms)
            if self._time.now_ms is None:
                continue
            now[i] = now_ms = self._time.now_ms
            if self._every_ms is None:
                continue
            if self._from_ms is None or self._from_ms > now_ms:
                self._from_ms = now_ms
            if now_ms - self._from_ms >= self._every_ms:
                self._from_ms = now_ms
                due.append(i)
        return now, due

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {"from": self._from_ms, "time": self._time.snapshot()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Become what :meth:`snapshot` was taken from."""
        self._from_ms = snapshot["from"]
        self._time = StreamTime.restore(snapshot["time"])
