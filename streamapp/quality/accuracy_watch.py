"""The accuracy alert of one version: opened by its losses, resolved when they are quiet or another serves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from streamapp.messages import Alert, DriftedFeature, ModelRef, Window, caused_id
from streamapp.models import Baseline, Segments
from streamapp.models.column import Array
from streamapp.models.losses import Floats, scale_of_errors
from streamapp.quality.labelled_rows import Ints, LabelledRows
from streamapp.quality.segmented_monitor import LossAlarm, SegmentedLossMonitor
from streamapp.wording import percent

__all__ = ["BASELINE_ROWS", "AccuracyWatch", "AlertChange", "quiet_rows"]

BASELINE_ROWS = 2_000
"""Without a holdout so many labelled rows are what later ones are compared with."""


def quiet_rows(false_alarm_every: int) -> int:
    """Return after how many labelled rows without an alarm an alert is cleared.

    Twice as many as the smallest shift takes that the bets are made for: while losses are high it stays open.
    """
    return false_alarm_every // 2


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
    """Follows the losses of one version on the rows that it answered, of all and of each segment.

    One alert is open at a time. While it is open the monitor, started afresh, goes on: when it alarms again
    the losses are still high, and when it was quiet for half of `false_alarm_every` rows the alert is
    ``cleared``: see :func:`quiet_rows`.

    Parameters
    ----------
    deployment
        Its name.
    version
        Which answered.
    loss
        Name of the loss, the alert's subject where all rows are worse; else that is the segment.
    baseline
        Of the version's holdout. None, or one of another loss: the first 2,000 rows become it, and nothing
        alarms before. Rows whose loss has no scale yet become it by :meth:`find_scale`.
    false_alarm_every
        Rows per false alarm.
    share
        Part of these alarms that may be this one's; the others are of other kinds.
    segments
        What is watched apart, as far as the baseline knows it. Rows without features are of no segment.
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
        segments: Segments | None = None,
    ) -> None:
        self._deployment = deployment
        self.version = version
        self.loss = loss
        self.false_alarm_every = false_alarm_every
        self._share = share
        fits = baseline is not None and baseline.loss == loss
        self._segments = segments or Segments()
        self._monitor = SegmentedLossMonitor(baseline, self._own_every) if baseline and fits else None
        self._origin = "on the holdout" if fits else f"on its first {BASELINE_ROWS:,} labelled rows"
        self._first = np.empty(0)
        self._first_levels: dict[str, Array] = {}
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
        levels = self._levels(rows)
        start = self._collect(losses, levels)
        if len(self._first) == BASELINE_ROWS:
            self._compare_with(self._first)
        if self._monitor is None:
            return []
        before, behind = self._rows, len(self._trail)
        places = np.column_stack((rows.times_ms, rows.partitions, rows.request_offsets))[start:]
        self._trail = np.concatenate((self._trail, places))
        self._rows += len(places)
        changes: list[AlertChange] = []
        for alarm in self._monitor.alarms(losses[start:], _cut(levels, slice(start, None))):
            self._clear(before + alarm.index, rows, start - before, changes)
            index = start + alarm.index
            self._alarmed_at = before + alarm.index
            if self.alert is None:
                worse = self._trail[behind + alarm.positions]
                self.alert = self._open(alarm, worse, int(rows.offsets[index]))
                changes.append(AlertChange(index, self.alert.id, self.alert))
            else:
                changes.append(AlertChange(index, self.alert.id, None))
        self._clear(self._rows, rows, start - before, changes)
        self._trail = self._trail[-self._monitor.memory :]
        return changes

    def find_scale(self, rows: LabelledRows, errors: Floats) -> tuple[int, float | None]:
        """Take the next rows of a version whose errors nobody can call large or small yet.

        Parameters
        ----------
        rows
            As for :meth:`judge`.
        errors
            Their absolute errors, (n,) in units of the target.

        Returns
        -------
        int
            How many of the rows it took; the others are for :meth:`judge`.
        float or None
            The error that counts as a loss of 1, once the rows are enough: by it, they are the baseline.
        """
        taken = self._collect(errors, self._levels(rows))
        if len(self._first) < BASELINE_ROWS:
            return taken, None
        scale = scale_of_errors(self._first)
        self._compare_with(np.minimum(self._first / scale, 1.0))
        return taken, scale

    def _levels(self, rows: LabelledRows) -> dict[str, Array]:
        if not self._segments:
            return {}
        levels = self._segments.of(rows.features)
        for own in levels.values():
            own[[row is None for row in rows.features]] = None
        return levels

    def _collect(self, each: Floats, levels: dict[str, Array]) -> int:
        """Keep the losses, or errors, of first rows if the baseline comes from there; return of how many."""
        if self._monitor is not None:
            return 0
        taken = min(len(each), BASELINE_ROWS - len(self._first))
        before = self._first_levels or _cut(levels, slice(0))
        self._first = np.concatenate((self._first, each[:taken]))
        self._first_levels = {
            name: np.concatenate((before[name], own[:taken])) for name, own in levels.items()
        }
        return taken

    def _compare_with(self, losses: Floats) -> None:
        """Let the losses of the first rows be the baseline."""
        baseline = Baseline.of_losses(self.loss, losses, self._first_levels)
        self._monitor = SegmentedLossMonitor(baseline, self._own_every)
        self._first, self._first_levels = np.empty(0), {}

    def _clear(self, until: int, rows: LabelledRows, shift: int, changes: list[AlertChange]) -> None:
        """Resolve the alert if it was quiet long enough before the row of number `until`."""
        quiet_at = self._alarmed_at + quiet_rows(self.false_alarm_every)
        if self.alert is None or quiet_at >= until:
            return
        index = quiet_at + shift
        resolved = self.alert.resolved("cleared", at_ms=int(rows.times_ms[index]))
        changes.append(AlertChange(index, resolved.id, resolved))
        self.alert = None

    def rebase(self, now_ms: int | None) -> Alert | None:
        """Return the resolution of the open alert, now that another version takes over, if one is."""
        if self.alert is None:
            return None
        resolved = self.alert.resolved("rebased", at_ms=now_ms or 0)
        self.alert = None
        return resolved

    def _open(self, alarm: LossAlarm, places: Ints, offset: int) -> Alert:
        assert self._monitor is not None
        subject, which, features = self.loss, "labelled rows", []
        if alarm.segment is not None:
            subject = "=".join(alarm.segment)
            which += f" with {subject}"
            effect = alarm.mean - alarm.usual
            features = [
                DriftedFeature(name=alarm.segment[0], aspect="loss", effect=effect, share=alarm.share)
            ]
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
            subject=subject,
            severity="critical" if alarm.mean >= 1.5 * alarm.usual else "warning",
            model=ModelRef(name=self._deployment, version=self.version),
            summary=self._summary(alarm, which),
            features=features,
            window=Window(from_=int(times_ms.min()), to=end_ms, events=alarm.rows, partitions=ranges),
            false_alarm_every=self.false_alarm_every,
            opened_at=end_ms,
            updated_at=end_ms,
        )

    def _summary(self, alarm: LossAlarm, which: str) -> str:
        said, usual = f"{self.loss} loss is {alarm.mean:.3f}", f"{alarm.usual:.3f}"
        if self.loss == "zero-one":
            said, usual = f"{percent(alarm.mean)} of the answers were wrong", percent(alarm.usual)
        return f"{said} over the last {alarm.rows:,} {which}, {usual} {self._origin}"

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "version": self.version,
            "loss": self.loss,
            "false_alarm_every": self.false_alarm_every,
            "share": self._share,
            "monitor": None if self._monitor is None else self._monitor.snapshot(),
            "origin": self._origin,
            "segments": self._segments.to_dict(),
            "first": self._first.tolist(),
            "first_levels": {name: own.tolist() for name, own in self._first_levels.items()},
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
            share=snapshot.get("share", 1.0),  # before 0.2 none was shared, and there were no segments
            segments=Segments.from_dict(snapshot.get("segments", {})),
        )
        if snapshot["monitor"] is not None:
            watch._monitor = SegmentedLossMonitor.restore(snapshot["monitor"])
        watch._origin = snapshot["origin"]
        watch._first = np.array(snapshot["first"], dtype=np.float64)
        first_levels = snapshot.get("first_levels", {})
        watch._first_levels = {name: np.array(own, dtype=object) for name, own in first_levels.items()}
        watch._trail = np.array(snapshot["trail"], dtype=np.int64).reshape(-1, 3)
        watch._rows, watch._alarmed_at = snapshot["rows"], snapshot["alarmed_at"]
        if snapshot["alert"] is not None:
            watch.alert = Alert.parse(snapshot["alert"])
        return watch


def _cut(levels: dict[str, Array], rows: slice) -> dict[str, Array]:
    return {name: own[rows] for name, own in levels.items()}
