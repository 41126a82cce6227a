"""The drift engine over recorded panes: the same fold again, with the settings of then or with others."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamapp.drift.detector import WindowReading
from streamapp.drift.span import Span
from streamapp.drift.watch import ProfileOf, Watch
from streamapp.errors import MessageError
from streamapp.messages import Alert, Distribution
from streamapp.profile import DriftPolicy

__all__ = ["Period", "Replay", "Step"]

_NOT_SKIPPED = {"judged", "anew"}


@dataclass(frozen=True, slots=True)
class Period:
    """Event times from one on and before another; None is no bound.

    Examples
    --------
    >>> [time_ms in Period(10, 20) for time_ms in (9, 10, 20)], 9 in Period()
    ([False, True, False], True)
    """

    since_ms: int | None = None
    until_ms: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no time lies in it."""
        return self.since_ms is not None and self.until_ms is not None and self.since_ms >= self.until_ms

    def __contains__(self, time_ms: int) -> bool:
        is_after = self.since_ms is None or time_ms >= self.since_ms
        return is_after and (self.until_ms is None or time_ms < self.until_ms)


@dataclass(frozen=True, slots=True)
class Step:
    """What one pane led to, if its time lies in the period."""

    alerts: list[Alert] = field(default_factory=list)
    """That changed; those whose ``updated_at`` lies in the period."""
    round: Span | None = None
    """The round that the pane closed, if its end lies in the period."""
    windows: list[WindowReading] = field(default_factory=list)
    """Of that round, shortest window first."""


class Replay:
    """Folds the recorded log of panes again, and counts what it saw.

    Parameters
    ----------
    deployment, profile_of, false_alarm_every, clear_after, policy
        As :class:`~streamapp.drift.Watch` takes them.
    period
        Of what is shown. Everything is judged, because windows and open alerts need their past.
    with_windows
        Whether steps hold readings of windows, which cost a second look at each round.

    Raises
    ------
    ConfigError
        If a number is out of its bounds.

    Notes
    -----
    The whole log, with the settings that it was folded with when it was written, gives the very same
    messages: the same ids, times and fields.
    """

    def __init__(
        self,
        deployment: str,
        profile_of: ProfileOf,
        *,
        false_alarm_every: int = 100_000,
        clear_after: int = 5_000,
        policy: DriftPolicy | None = None,
        period: Period | None = None,
        with_windows: bool = False,
    ) -> None:
        self._watch = Watch(
            deployment, false_alarm_every=false_alarm_every, clear_after=clear_after, policy=policy
        )
        self._profile_of = profile_of
        self._period = period or Period()
        self._with_windows = with_windows
        self.alerts: list[Alert] = []
        """All messages, in the order in which they were said, those outside the period too."""
        self.requests = 0
        """In the panes that were judged."""
        self.rounds = 0
        self.from_ms: int | None = None
        """Earliest event time that was judged."""
        self.to_ms: int | None = None
        """Latest one."""
        self._unreadable = 0

    def fold(self, value: bytes | None) -> Step:
        """Take the value of the next record of ``distributions``."""
        try:
            pane = Distribution.decode(value)
        except MessageError:
            self._unreadable += 1
            return Step()
        before = self.panes
        alerts = self._watch.fold(pane, self._profile_of)
        if self.panes > before:
            self.requests += pane.events
            self.from_ms = pane.from_ if self.from_ms is None else min(self.from_ms, pane.from_)
            self.to_ms = pane.to if self.to_ms is None else max(self.to_ms, pane.to)
        self.alerts += alerts
        shown = [alert for alert in alerts if alert.updated_at in self._period]
        closed = self._watch.closed_round
        if closed is None:
            return Step(shown)
        self.rounds += 1
        if closed.to_ms not in self._period:
            return Step(shown)
        return Step(shown, closed, self._windows())

    @property
    def version(self) -> str | None:
        """The version in force."""
        return self._watch.version

    @property
    def unknown_subjects(self) -> frozenset[str]:
        """Names in the policy that the version in force does not have."""
        return self._watch.unknown_subjects

    @property
    def panes(self) -> int:
        """How many panes were judged."""
        return self._watch.counts["judged"]

    @property
    def skipped(self) -> dict[str, int]:
        """How many panes were not, by the reasons that :class:`~streamapp.drift.Watch` names.

        ``unreadable`` are those that are no panes at all.
        """
        skipped = {why: count for why, count in self._watch.counts.items() if why not in _NOT_SKIPPED}
        return skipped | ({"unreadable": self._unreadable} if self._unreadable else {})

    def _windows(self) -> list[WindowReading]:
        monitor = self._watch.monitor
        return monitor.windows() if self._with_windows and monitor is not None else []
