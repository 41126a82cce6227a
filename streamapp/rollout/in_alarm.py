"""Whether the champion was in alarm, row by row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streamapp.messages import Alert
from streamapp.quality.accuracy_watch import AlertChange

__all__ = ["open_after", "rows_in_alarm"]

Changes = Sequence[tuple[int, AlertChange]]
"""Of the accuracy alert, each with the position of its row."""


def rows_in_alarm(was_open: Alert | None, changes: Changes, rows: int) -> npt.NDArray[np.bool_]:
    """Return whether an accuracy alert was open before each of n rows, (n,).

    Before, not with it: a row's own losses must not choose the margin that they are judged by.
    """
    is_open = np.full(rows, was_open is not None)
    for row, change in changes:
        if change.alert is not None:
            is_open[row + 1 :] = change.alert.state != "resolved"
    return is_open


def open_after(was_open: Alert | None, changes: Changes) -> Alert | None:
    """Return the accuracy alert that is open after `changes`, in their order."""
    for _, change in changes:
        if change.alert is not None:
            was_open = None if change.alert.state == "resolved" else change.alert
    return was_open
