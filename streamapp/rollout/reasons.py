"""Reasons to train that labels give: alerts, what follows them, and schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from streamapp.messages import Alert, Retrain, caused_id
from streamapp.messages.retrain import RetrainReason
from streamapp.models.losses import Floats
from streamapp.quality.accuracy_watch import AlertChange
from streamapp.quality.labelled_rows import Ints
from streamapp.rollout.follow_ups import FollowUps
from streamapp.rollout.judged import DueRetrain

__all__ = ["Cause", "Reasons"]

Cause = tuple[int, AlertChange | Retrain | None]
"""The position of a row, and what it gives: a change of an alert, an event, or what the schedule says."""

_MOST_PERIODS = 1_024
"""The longest wait of the schedule in rows: a training that fails is tried again some day."""


class Reasons:
    """Asks for trainings.

    Parameters
    ----------
    deployment
        Its name.
    every_rows
        Labelled rows after the last reason at which the schedule gives one; 0 for no schedule. While no
        version answers it, it waits twice as long each time: TRAIN holds back what comes too often.
    cooldown_rows
        Labelled rows between two reasons while an alert stays open.
    """

    def __init__(self, deployment: str, *, every_rows: int, cooldown_rows: int) -> None:
        self._deployment = deployment
        self._every_rows, self._cooldown_rows = every_rows, cooldown_rows
        self._follow_ups = FollowUps()
        self._asked_at = 0
        self._wait_rows = every_rows

    def follow(
        self, changes: Sequence[tuple[int, AlertChange]], offsets: Ints, losses: Floats, usual: float | None
    ) -> list[Cause]:
        """Return the rows at which a training is due that follows a change, with its event.

        Parameters
        ----------
        changes
            Of alerts, each with the position of its row.
        offsets, losses
            Of the next rows, (n,) each; the loss is NaN where a row does not count.
        usual
            Mean loss up to which the answers are as good as the champion's baseline; None without one.
        """
        due: list[Cause] = []
        start = 0
        for row, change in sorted(changes, key=lambda entry: entry[0]):
            if change.alert is None or change.alert.state != "opened":
                continue
            end, at = row + 1, int(offsets[row])
            due += self._followed(start, offsets[start:end], losses[start:end])
            self._follow_ups.begin(
                cause=change.cause,
                since=_since(change.alert, at),
                at=at,
                usual=usual,
                reason=_reason(change.alert),
            )
            start = end
        return due + self._followed(start, offsets[start:], losses[start:])

    def _followed(self, start: int, offsets: Ints, losses: Floats) -> list[Cause]:
        change = self._follow_ups
        return [
            (
                start + i,
                Retrain(
                    id=self._id("follow-up", int(offsets[i])),
                    reason=change.reason,
                    caused_by=change.cause,
                    since=change.since,
                ),
            )
            for i in change.see(offsets, losses)
        ]

    def ask(self, causes: Sequence[Cause], offsets: Ints, now_ms: Ints, counts: Ints) -> list[DueRetrain]:
        """Return what is to be asked for.

        Parameters
        ----------
        causes
            Of the next rows.
        offsets, now_ms, counts
            Of these rows, stream time at each, and how many labelled rows there are with it, (n,) each.
        """
        asked: list[DueRetrain] = []
        for row, cause in sorted(causes, key=lambda entry: entry[0]):
            asked += self._by_rows(row, offsets, now_ms, counts)
            event = self._event(cause, int(offsets[row]), int(counts[row]))
            if event is not None:
                asked.append(DueRetrain(event, int(now_ms[row])))
                self._asked_at = int(counts[row])
                self.answered()
        return asked + self._by_rows(len(offsets), offsets, now_ms, counts)

    def answered(self) -> None:
        """Take note that a new version has come: the schedule begins anew."""
        self._wait_rows = self._every_rows

    def _event(self, cause: AlertChange | Retrain | None, at: int, count: int) -> Retrain | None:
        if cause is None:
            return Retrain(id=self._id("schedule", at), reason="schedule")
        if isinstance(cause, Retrain):
            return cause
        alert = cause.alert
        if alert is None:  # it alarmed once more: what was trained in the meantime has not helped
            if count - self._asked_at < self._cooldown_rows:
                return None
            return Retrain(id=self._id("accuracy", at), reason="accuracy", caused_by=cause.cause)
        if alert.state != "opened":
            return None
        reason = _reason(alert)
        return Retrain(id=self._id(reason, at), reason=reason, caused_by=cause.cause, since=_since(alert, at))

    def _by_rows(self, end: int, offsets: Ints, now_ms: Ints, counts: Ints) -> list[DueRetrain]:
        """Return what the schedule in rows asks for before the row at `end`."""
        asked: list[DueRetrain] = []
        while self._every_rows:
            row = int(np.searchsorted(counts, self._asked_at + self._wait_rows))
            if row >= end:
                break
            event = Retrain(id=self._id("rows", int(offsets[row])), reason="schedule")
            asked.append(DueRetrain(event, int(now_ms[row])))
            self._asked_at = int(counts[row])
            self._wait_rows = min(2 * self._wait_rows, _MOST_PERIODS * self._every_rows)
        return asked

    def _id(self, why: str, at: int) -> str:
        return caused_id("retrain", self._deployment, why, at)

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "asked_at": self._asked_at,
            "wait_rows": self._wait_rows,
            "follow_ups": self._follow_ups.snapshot(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Become what :meth:`snapshot` was taken from."""
        self._asked_at = snapshot["asked_at"]
        self._wait_rows = max(snapshot.get("wait_rows", 0), self._every_rows)
        self._follow_ups = FollowUps.restore(snapshot.get("follow_ups"))  # before 0.2 none were made


def _reason(alert: Alert) -> RetrainReason:
    return "target" if alert.kind == "target" else "accuracy"


def _since(alert: Alert, at: int) -> int:
    """Return the offset at which what an alert at offset `at` tells of began.

    As many records before as the alert has events: where others lie between them, a little late, so that no
    row of the old world is taken for one of the new.
    """
    return max(at + 1 - (0 if alert.window is None else alert.window.events), 0)
