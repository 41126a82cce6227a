"""Trainings that follow a change as the rows of the new world come in."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from streamapp.messages.retrain import RetrainReason
from streamapp.models.losses import Floats
from streamapp.quality.labelled_rows import Ints

__all__ = ["FollowUps"]

_FIRST = 500
_LAST = 4_000


class FollowUps:
    """Says when there are twice as many rows since a change as at the last training for it.

    The first training after an alarm has few rows of the new world to learn from. Others follow at about
    1,000, 2,000 and 4,000 rows since the change (those of the alarm are counted; from 500 on a training is
    possible), until the answers given since the last one are as good as those before the change again.

    Examples
    --------
    >>> follow_ups = FollowUps()
    >>> follow_ups.begin(cause="alert", since=100, at=400, usual=0.2)
    >>> offsets = np.arange(400, 5_000)
    >>> follow_ups.see(offsets, np.ones(len(offsets)))
    [700, 1700, 3700]
    """

    def __init__(self) -> None:
        self.cause: str | None = None
        self.reason: RetrainReason = "accuracy"
        self.since = 0
        self._due: int | None = None
        self._usual: float | None = None
        self._sum, self._rows = 0.0, 0

    @property
    def is_active(self) -> bool:
        """Whether a training is still to follow."""
        return self._due is not None

    def begin(
        self, *, cause: str, since: int, at: int, usual: float | None, reason: RetrainReason = "accuracy"
    ) -> None:
        """Follow a change, in place of an earlier one.

        Parameters
        ----------
        cause
            Id of the alert.
        since, at
            Offsets at which the change began, and at which it was seen.
        usual
            Mean loss up to which the answers count as good as before; None if that is unknown.
        reason
            Of the alert, and of what follows it.
        """
        # Of two changes the later one counts, in whatever order they are seen.
        self.cause, self.since, self._usual = cause, max(since, self.since), usual
        self.reason = reason
        self._due = 2 * max(at - self.since, _FIRST)
        self._sum, self._rows = 0.0, 0

    def see(self, offsets: Ints, losses: Floats) -> list[int]:
        """Take the next rows of ``labelled``, n of them, and return those at which a training is due.

        Parameters
        ----------
        offsets
            (n,), in increasing order.
        losses
            Of the answers that were given, (n,); NaN where a row does not count.
        """
        due: list[int] = []
        start = 0
        while self._due is not None:
            end = int(np.searchsorted(offsets, self.since + self._due))
            self._count(losses[start:end])
            if end == len(offsets):
                break
            if self._is_over():
                self._due = None
                break
            due.append(end)
            self._due = 2 * self._due if 2 * self._due <= _LAST else None
            self._sum, self._rows, start = 0.0, 0, end
        return due

    def _count(self, losses: npt.NDArray[np.float64]) -> None:
        counted = losses[~np.isnan(losses)]
        self._sum += float(counted.sum())
        self._rows += len(counted)

    def _is_over(self) -> bool:
        """Whether the answers since the last training are as good as before the change."""
        return self._usual is not None and self._rows > 0 and self._sum / self._rows <= self._usual

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "cause": self.cause,
            "reason": self.reason,
            "since": self.since,
            "due": self._due,
            "usual": self._usual,
            "seen": [self._sum, self._rows],
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any] | None) -> Self:
        """Return what :meth:`snapshot` was taken from; None: nothing is followed."""
        follow_ups = cls()
        if snapshot is not None:
            follow_ups.cause, follow_ups.since = snapshot["cause"], snapshot["since"]
            follow_ups.reason = snapshot["reason"]
            follow_ups._due, follow_ups._usual = snapshot["due"], snapshot["usual"]
            follow_ups._sum, follow_ups._rows = snapshot["seen"]
        return follow_ups
