"""The accuracy alert of one version: opened by its losses, resolved when they are quiet or another serves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from streamapp.messages import Alert, ModelRef, Window, caused_id
from streamapp.models import Baseline
from streamapp.models.losses import Floats
from streamapp.quality.labelled_rows import Ints, LabelledRows
from streamapp.quality.loss_monitor import MEMORY, LossAlarm, LossMonitor

__all__ = ["AccuracyWatch", "AlertChange"]

_BASELINE_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class AlertChange:
    """What one row changed.

    Attributes
    ----------
    index
        Of the row.
    cause
        Id of the alert that is, or was, open.
    alert
        Its new state; None if there was an alarm again while it was open.
    """

    index: int
    cause: str
    alert: Alert | None


class AccuracyWatch:
    """Follows the losses of one version on the rows that it answered.

    One alert is open at a time. While it is open the monitor, started afresh, goes on: when it alarms again
    the losses are still high, and when it was quiet for half of `false_alarm_every` rows the alert is
    ``cleared``.

    Parameters
    ----------
    deployment
        Its name.
    version
        Which answered.
    loss
        Name of the loss, the alert's subject.
    baseline
        Of the version's holdout. None, or one of another loss: the first 2,000 rows become it, and nothing
        alarms before.
    false_alarm_every
        Rows per false alarm.
    share
        Part of these alarms that may be this one's; the others are of other kinds.
    """

    def __init__(
        self,
        deployment: str,
        version: str,
        loss: str,
        baseline: Baseline | None,
        *,
        false_alarm_every: int,
        share: float = 1.0,
    ) -> None:
        self._deployment = deployment
        self.version = version
        self.loss = loss
        self.false_alarm_every = false_alarm_every
        self._share = share
        fits = baseline is not None and baseline.loss == loss
        self._monitor = LossMonitor(baseline, self._own_every) if baseline is not None and fits else None
        self._origin = "on the holdout" if fits else f"on its first {_BASELINE_ROWS:,} labelled rows"
        self._first = np.empty(0)
        self._trail: Ints = np.empty((0, 3), dtype=np.int64)
        self._rows = 0
        self._alarmed_at = 0
        self.alert: Alert | None = None

    @property
    def has_baseline(self) -> bool:
        """Whether there is something to compare with; else nothing can alarm yet."""
        return self._monitor is not None

    @property
    def _own_every(self) -> int:
        return math.ceil(self.false_alarm_every / self._share)

    def take_share(self, share: float) -> None:
        """From now on only this part of the false alarms may be of this kind; what was seen still counts."""
        self._share = share
        if self._monitor is not None:
            self._monitor.false_alarm_every = self._own_every

    def judge(self, rows: LabelledRows, losses: Floats) -> list[AlertChange]:
        """Take the next rows that the version answered, first labels only, and their losses, (n,)."""
        start = self._collect(losses)
        if self._monitor is None:
            return []
        before, behind = self._rows, len(self._trail)
        places = np.column_stack((rows.times_ms, rows.partitions, rows.request_offsets))[start:]
        self._trail = np.concatenate((self._trail, places))
        self._rows += len(places)
        changes: list[AlertChange] = []
        for alarm in self._monitor.alarms(losses[start:]):
            self._clear(before + alarm.index, rows, start - before, changes)
            index = start + alarm.index
            self._alarmed_at = before + alarm.index
            if self.alert is None:
                end = behind + alarm.index + 1
                self.alert = self._open(alarm, self._trail[end - alarm.rows : end], int(rows.offsets[index]))
                changes.append(AlertChange(index, self.alert.id, self.alert))
            else:
                changes.append(AlertChange(index, self.alert.id, None))
        self._clear(self._rows, rows, start - before, changes)
        self._trail = self._trail[-MEMORY:]
        return changes

    def _collect(self, losses: Floats) -> int:
        """Make the baseline of first rows, if it is to come from there; return how many of these it took."""
        if self._monitor is not None:
            return 0
        taken = min(len(losses), _BASELINE_ROWS - len(self._first))
        self._first = np.concatenate((self._first, losses[:taken]))
        if len(self._first) == _BASELINE_ROWS:
            self._monitor = LossMonitor(self._first, self._own_every)
            self._first = np.empty(0)
        return taken

    def _clear(self, until: int, rows: LabelledRows, shift: int, changes: list[AlertChange]) -> None:
        """Resolve the alert if it was quiet long enough before the row of number `until`."""
        quiet_at = self._alarmed_at + self.false_alarm_every // 2
        if self.alert is None or quiet_at >= until:
            return
        index = quiet_at + shift
        resolved = self._resolved(self.alert, "cleared", int(rows.times_ms[index]))
        changes.append(AlertChange(index, resolved.id, resolved))
        self.alert = None

    def rebase(self, now_ms: int | None) -> Alert | None:
        """Return the resolution of the open alert, now that another version takes over, if one is."""
        if self.alert is None:
            return None
        resolved = self._resolved(self.alert, "rebased", self.alert.updated_at if now_ms is None else now_ms)
        self.alert = None
        return resolved

    def _resolved(self, alert: Alert, resolution: str, now_ms: int) -> Alert:
        update = {
            "state": "resolved",
            "resolution": resolution,
            "updated_at": max(alert.updated_at, now_ms),
        }
        return alert.model_copy(update=update)

    def _open(self, alarm: LossAlarm, places: Ints, offset: int) -> Alert:
        assert self._monitor is not None
        usual = self._monitor.reference_mean
        times_ms, partitions, offsets = places.T
        ranges = {
            str(partition): (
                int(offsets[partitions == partition].min()),
                int(offsets[partitions == partition].max()) + 1,
            )
            for partition in np.unique(partitions).tolist()
        }
        end_ms = int(times_ms.max())
        return Alert(
            id=caused_id("accuracy", self._deployment, self.version, offset),
            state="opened",
            kind="accuracy",
            subject=self.loss,
            severity="critical" if alarm.mean >= 1.5 * usual else "warning",
            model=ModelRef(name=self._deployment, version=self.version),
            summary=f"{self.loss} loss is {alarm.mean:.3f} over the last {alarm.rows:,} labelled rows, "
            f"{usual:.3f} {self._origin}",
            window=Window(from_=int(times_ms.min()), to=end_ms, events=alarm.rows, partitions=ranges),
            false_alarm_every=self.false_alarm_every,
            opened_at=end_ms,
            updated_at=end_ms,
        )

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "version": self.version,
            "loss": self.loss,
            "false_alarm_every": self.false_alarm_every,
            "share": self._share,
            "monitor": None if self._monitor is None else self._monitor.snapshot(),
            "origin": self._origin,
            "first": self._first.tolist(),
            "trail": self._trail.tolist(),
            "rows": self._rows,
            "alarmed_at": self._alarmed_at,
            "alert": None if self.alert is None else self.alert.model_dump(mode="json", by_alias=True),
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any], deployment: str) -> Self:
        """Return the watch of `deployment` that :meth:`snapshot` was taken from."""
        watch = cls(
            deployment,
            snapshot["version"],
            snapshot["loss"],
            None,
            false_alarm_every=snapshot["false_alarm_every"],
            share=snapshot.get("share", 1.0),  # before 0.2 none was shared
        )
        if snapshot["monitor"] is not None:
            watch._monitor = LossMonitor.restore(snapshot["monitor"])
        watch._origin = snapshot["origin"]
        watch._first = np.array(snapshot["first"], dtype=np.float64)
        watch._trail = np.array(snapshot["trail"], dtype=np.int64).reshape(-1, 3)
        watch._rows, watch._alarmed_at = snapshot["rows"], snapshot["alarmed_at"]
        if snapshot["alert"] is not None:
            watch.alert = Alert.parse(snapshot["alert"])
        return watch
