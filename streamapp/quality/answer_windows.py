"""Windows of answers: runs of them in the order in which labels reach them, each with the labels so far.

Records of ``labelled`` tell of answers with labels alone. But each request has an answer and an offset: the
greatest offset with a label, of each partition, is how far labels reach, and the way it goes counts answers.
Each time it has gone on by a window's answers, a window ends: so windows are ranges of offsets in every
partition, which follow each other without a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from streamapp.errors import ConfigError
from streamapp.messages import Label
from streamapp.models.losses import Floats
from streamapp.quality.answer_window import AnswerWindow, coded
from streamapp.quality.labelled_rows import Ints, LabelledRows
from streamapp.quality.stream_time import StreamTime

__all__ = ["KEPT", "AnswerWindows"]

KEPT = 10
"""Windows at once, the one that still grows among them."""

_OTHER = 0
_MOST_CLASSES = 200
_MAX_STRIDE = 2**40
_TOO_LATE = 0.02
_MUCH_ROOM = 8.0
_ROOM = 1.5
_BACK = 20
_AT_ONCE = 1_000


class AnswerWindows:
    """The last windows of answers.

    Parameters
    ----------
    answers
        Of a window, ≥ 1; where labels leave answers out it ends later. At most half as many rows more stay.

    Notes
    -----
    The clock is that of the labels: a label takes from the event time of its request to the stream time at
    which it comes, and answers are as old as stream time says. Both go by the same clock, whatever labels say
    of themselves (one of a batch that is uploaded at night may name the morning).

    Where labels take longer than ten windows of answers last, rows come whose window has gone. If those are
    more than 2 % of the rows of a window, the next ones have twice as many answers, of which one in
    two is kept, then one in four and so on; where labels take less than an eighth of the time, windows
    become shorter again. Memory is bounded, whatever the traffic.

    Losses are kept to 1e-3, ages to half a percent. What is seen does not depend on how rows came in batches.
    """

    def __init__(self, answers: int = 2_000) -> None:
        if answers < 1:
            raise ConfigError(f"a window of {answers} answers is too small; 1 or more")
        self.size = answers
        self.windows = [AnswerWindow({}, 1)]
        self._stride = 1
        self._reached: dict[int, int] = {}
        self._time = StreamTime()
        self._codes: dict[Label, int] = {}
        self._newest_ms = 0
        self._taken = self._too_late = self._back = 0

    @property
    def now_ms(self) -> int | None:
        """The stream time of labels, None before the third."""
        return self._time.now_ms

    @property
    def classes(self) -> list[Label]:
        """The label classes that rows are told apart by, in the order of their codes, from 1 on."""
        return list(self._codes)

    def add(self, rows: LabelledRows, losses: Floats, right: Floats, classes: Sequence[Label] | None) -> None:
        """Take the next rows of the log.

        Parameters
        ----------
        rows
            n of them.
        losses
            (n,) in [0, 1]; rows where it is NaN are left out.
        right
            1 where the answered class is the label, 0 where not, (n,), NaN for regressors.
        classes
            Of the model; None for regressors.
        """
        if not len(rows):
            return
        codes = self._codes_of(rows, classes)
        now_ms = self._time.see_many(np.maximum(rows.labelled_at_ms, rows.times_ms))
        age, loss, mark = coded(np.maximum(now_ms - rows.times_ms, 0), losses, right)
        numbers = np.column_stack(
            (rows.partitions, rows.request_offsets, rows.times_ms, age, codes, loss, mark)
        )
        # An answer counts once: one to several rows by its first.
        is_known = ~np.isnan(losses) & (rows.request_rows == 0)
        numbers, revisions = numbers[is_known], rows.revisions[is_known]
        start = 0
        while start < len(numbers):
            start += self._take(numbers[start : start + _AT_ONCE], revisions[start : start + _AT_ONCE])

    def _take(self, rows: Ints, revisions: Ints) -> int:
        """Take rows up to one with which a window ends, or all starts afresh; return how many, 1 or more."""
        reached, answers = self._reach(rows[:, 0], rows[:, 1])
        ends = int(answers.searchsorted(self.size * self.windows[-1].stride))
        is_end, ends = ends < len(rows), min(ends + 1, len(rows))
        self._go_to(rows[:ends, 0], reached[:ends], int(answers[ends - 1]))
        rows, revisions = rows[:ends], revisions[:ends]
        at = self._windows_of(rows[:, 0], rows[:, 1])
        afresh = self._count_back(rows[:, 2], at >= 0)
        if afresh is not None:
            self.windows, self._reached = [AnswerWindow({}, self._stride)], {}
            self._taken = self._too_late = self._back = 0
            return afresh + 1
        self._too_late += int(((at < 0) & (revisions == 0)).sum())
        for window in np.unique(at[at >= 0]).tolist():
            of = at == window
            self._taken += self.windows[window].take(rows[of], revisions[of])
        if is_end:
            self._close()
        return ends

    def _codes_of(self, rows: LabelledRows, classes: Sequence[Label] | None) -> list[int]:
        if classes is None:
            return [_OTHER] * len(rows)
        for label in classes:
            if label not in self._codes and len(self._codes) < _MOST_CLASSES:
                self._codes[label] = len(self._codes) + 1
        return [self._codes.get(label, _OTHER) for label in rows.labels.tolist()]

    def _reach(self, partitions: Ints, offsets: Ints) -> tuple[Ints, Ints]:
        """Return how far labels reach in its partition after each row, and the open window's answers then."""
        reached, steps = np.empty_like(offsets), np.zeros_like(offsets)
        for partition in np.unique(partitions).tolist():
            own = np.flatnonzero(partitions == partition)
            before = self._reached.get(partition, int(offsets[own[0]]))
            way = np.maximum.accumulate(np.concatenate(([before], offsets[own] + 1)))
            reached[own], steps[own] = way[1:], np.diff(way)
        return reached, self.windows[-1].answers + steps.cumsum()

    def _go_to(self, partitions: Ints, reached: Ints, answers: int) -> None:
        window = self.windows[-1]
        window.answers = answers
        for partition in np.unique(partitions).tolist():
            own = np.flatnonzero(partitions == partition)
            if partition not in self._reached:
                window.first[partition] = int(reached[own[0]]) - 1
            self._reached[partition] = int(reached[own[-1]])

    def _windows_of(self, partitions: Ints, offsets: Ints) -> npt.NDArray[np.intp]:
        """Return the position of each row's window, -1 for one that has gone."""
        at = np.empty(len(offsets), dtype=np.intp)
        for partition in np.unique(partitions).tolist():
            firsts = [w.first[partition] for w in self.windows if partition in w.first]
            own = partitions == partition
            found = np.searchsorted(firsts, offsets[own], "right") - 1
            at[own] = np.where(found < 0, -1, found + len(self.windows) - len(firsts))
        return at

    def _count_back(self, times_ms: Ints, is_in: npt.NDArray[np.bool_]) -> int | None:
        """Return the row at which offsets are of before the windows and times of after: a topic made anew."""
        newest = np.maximum.accumulate(np.concatenate(([self._newest_ms], np.where(is_in, times_ms, 0))))
        back = self._back + (~is_in & (times_ms > newest[:-1])).cumsum()
        row = int(back.searchsorted(_BACK))
        last = min(row, len(back) - 1)
        self._newest_ms, self._back = int(newest[last + 1]), int(back[last])
        return row if row < len(back) else None

    def _close(self) -> None:
        self.windows[-1].close(_ROOM * self.size)
        if len(self.windows) == KEPT:
            self._stride = self._next_stride()
            del self.windows[0]
        self._taken = self._too_late = self._back = 0
        self.windows.append(AnswerWindow(dict(self._reached), self._stride, _unit_ms(self.windows[-1])))

    def _next_stride(self) -> int:
        if self.windows[0].stride != self._stride:  # what was decided before does not show yet
            return self._stride
        if self._too_late > _TOO_LATE * (self._taken + self._too_late):
            return min(self._stride * 2, _MAX_STRIDE)
        if self._stride > 1 and self.now_ms is not None and len(self.windows[0]):
            ages = np.concatenate([window.rows()["ages"] for window in self.windows])
            lasts = self.now_ms - float(self.windows[0].rows()["times_ms"].min())
            if float(np.quantile(ages, 1.0 - _TOO_LATE)) * _MUCH_ROOM < lasts:
                return self._stride // 2
        return self._stride

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "size": self.size,
            "windows": [window.snapshot() for window in self.windows],
            "stride": self._stride,
            "reached": sorted(self._reached.items()),
            "time": self._time.snapshot(),
            "classes": self.classes,
            "counts": [self._newest_ms, self._taken, self._too_late, self._back],
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Self:
        """Return the windows that :meth:`snapshot` was taken from."""
        found = cls(snapshot["size"])
        found.windows = [AnswerWindow.restore(window) for window in snapshot["windows"]]
        found._stride = snapshot["stride"]
        found._reached = dict(map(tuple, snapshot["reached"]))
        found._time = StreamTime.restore(snapshot["time"])
        found._codes = {label: code for code, label in enumerate(snapshot["classes"], 1)}
        found._newest_ms, found._taken, found._too_late, found._back = snapshot["counts"]
        return found


def _unit_ms(before: AnswerWindow) -> int:
    """Return the greatest power of two ms that lies between two answers of the window before, at least 1."""
    times_ms = before.rows()["times_ms"]
    between = np.ptp(times_ms) / before.answers if len(times_ms) else 1.0
    return 1 << max(int(np.log2(max(between, 1.0))), 0)
