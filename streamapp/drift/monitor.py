"""The drift monitor of one profile: closed panes in, changed alerts out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from streamapp.drift.alerts import AlertBook
from streamapp.drift.baseline import LiveBaseline
from streamapp.drift.detector import Detector, WindowReading
from streamapp.drift.panes import TableCutter
from streamapp.drift.picture import Picture
from streamapp.drift.rounds import Rounds
from streamapp.drift.span import Pane, Span, join_spans
from streamapp.errors import ConfigError, ProfileError
from streamapp.messages import Alert, ModelRef
from streamapp.profile import ColumnPolicy, OutputProfile, Profile, Summary
from streamapp.profile.policy import read_policy
from streamapp.profile.subjects import with_policy

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DriftMonitor"]

_FORMAT, _AS_A_WHOLE = 2, 1
"""In snapshots of format 1 outputs are compared as a whole, be there a daily cycle or not."""
_MIN_EVERY = 100


class DriftMonitor:
    """Compares live rows with a profile and says when they have drifted.

    It sees changes of location, scale, shape, tails, levels, missing and unseen values of each column (of a
    text those of its length and characters), of every correlation, and of what the model says; not changes
    of the labels, nor dependence of three columns that leaves all pairs alone.

    Parameters
    ----------
    profile
        The reference.
    policy
        What is chosen of how drift is judged, as :meth:`~streamapp.Profile.fit` takes it; wins over the
        choices that the profile was made with, option by option.
    false_alarm_every
        Events per false alarm, everything together. At least 100.
    clear_after
        Events without drift after which an alert resolves. At least 1.
    model
        Named in alerts.
    deployment
        Enters the alerts' ids.
    active
        Partitions that are known to have traffic.

    Raises
    ------
    ConfigError
        If a number is out of its bounds, or the policy names a column that is not there.

    Notes
    -----
    Without a baseline of outputs in the profile, the first 2,000 live rows are it (of three days if inputs
    have a daily cycle). Cost with 20 columns: about 0.4 ms per pane. The same panes give the same alerts.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> monitor = DriftMonitor(Profile.fit({"temp": rng.normal(size=4000)}))
    >>> monitor.update({"temp": rng.normal(size=1000)})
    []
    >>> alert = monitor.update({"temp": rng.normal(0.8, size=500)})[0]
    >>> alert.state, alert.kind, alert.subject, alert.features[0].aspect
    ('opened', 'input', 'temp', 'location')
    """

    def __init__(
        self,
        profile: Profile,
        policy: Mapping[str, ColumnPolicy | Mapping[str, Any]] | None = None,
        *,
        false_alarm_every: int = 100_000,
        clear_after: int = 5_000,
        model: ModelRef | None = None,
        deployment: str = "",
        active: frozenset[int] = frozenset(),
    ) -> None:
        self.check(false_alarm_every, clear_after)
        self.profile = profile = with_policy(profile, read_policy(policy))
        self._every = false_alarm_every
        self._detector = Detector(profile, false_alarm_every)
        outputs = profile.judged_outputs
        self._has_baseline = outputs is not None and outputs.has_baseline
        self._live = LiveBaseline(profile.season)
        self._live_outputs: OutputProfile | None = None
        self._rounds = Rounds(active)
        self._tables = TableCutter(profile)
        self._book = AlertBook(
            deployment=deployment, model=model, false_alarm_every=false_alarm_every, clear_after=clear_after
        )
        self.rounds = 0
        """Rounds judged so far."""
        self.closed_round: Span | None = None
        """The round that the newest pane closed; None if it closed none."""

    @staticmethod
    def check(false_alarm_every: int, clear_after: int) -> None:
        """Raise ConfigError if a number is out of its bounds."""
        if false_alarm_every < _MIN_EVERY:
            raise ConfigError(f"false_alarm_every is {false_alarm_every}; it must be at least {_MIN_EVERY}")
        if clear_after < 1:
            raise ConfigError(f"clear_after is {clear_after}; it must be at least 1")

    @property
    def model(self) -> ModelRef | None:
        """The model that alerts name."""
        return self._book.model

    @model.setter
    def model(self, model: ModelRef | None) -> None:
        self._book.model = model

    @property
    def active(self) -> frozenset[int]:
        """Partitions that contributed to the newest round."""
        return self._rounds.active

    @property
    def has_output_baseline(self) -> bool:
        """Whether outputs are watched already."""
        return self._has_baseline

    @property
    def open_alerts(self) -> list[Alert]:
        """The open alerts, each as it was last said."""
        return self._book.open

    @property
    def effects(self) -> dict[str, float]:
        """Signed effect of each column in the largest window: sd of numbers, change of share of levels."""
        return self._detector.effects()

    def picture(self) -> Picture | None:
        """Return the newest rows beside the reference, for people; None before the first round."""
        return self._detector.picture()

    def update(
        self, X_batch: pd.DataFrame | Mapping[str, Any], outputs: Any = None, *, times: Any = None
    ) -> list[Alert]:
        """Judge the rows of a table, and return every alert that changed.

        Parameters
        ----------
        X_batch
            DataFrame or mapping of names to arrays (n,), with the profile's columns; n may be 0.
        outputs
            What the model said: (n,) values or labels, or (n, k) probabilities.
        times
            Event times (n,): datetimes, in UTC unless they have a zone, or milliseconds since the epoch.
            Needed if the profile is compared by the hour of the day; None: rows are their own times, in
            milliseconds.

        Raises
        ------
        ProfileError
            If the table does not have the profile's columns, or not one output or time per row, or no times
            and the profile is compared by the hour of the day: as a whole it would find drift every night.

        Notes
        -----
        Rows are cut into panes of 64 of one partition, whatever the size of the tables; those that are left
        over wait for the next call. The first look is at 256 rows, as if there could be more partitions; with
        ``active=frozenset({0})`` it is at 64.
        """
        return [alert for pane in self._tables.cut(X_batch, outputs, times) for alert in self.add(pane)]

    def add(self, pane: Pane) -> list[Alert]:
        """Judge a closed pane, in log order, and return every alert that changed.

        Raises
        ------
        ProfileError
            If it was not summarised against this monitor's profile.
        """
        if pane.summary.layout != self.profile.layout:
            raise ProfileError(
                f"pane of layout {pane.summary.layout}; this monitor's profile has {self.profile.layout}"
            )
        self.closed_round = None
        closed = self._rounds.add(pane) if pane.span.events else []
        return self._judge(closed) if closed else []

    def rebase(self, span: Span) -> list[Alert]:
        """Resolve all open alerts because another profile takes over with the requests in `span`."""
        return self._book.rebase(span)

    def begin_windows(self) -> None:
        """Forget the rounds in the windows: offsets before and after have nothing in common."""
        self._rounds = Rounds()
        self._detector.scan.forget_rounds()

    def note_verdict(self, alert: Alert) -> None:
        """Keep the verdict of an open alert, so that what is said of it later has it too."""
        self._book.note_verdict(alert)

    def windows(self) -> list[WindowReading]:
        """Return what came closest to an alarm in each window of the newest round, shortest window first."""
        return self._detector.readings()

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able: a monitor restored from it goes on as if it had never stopped."""
        return {
            "v": _FORMAT,
            "layout": self.profile.layout,
            "judged": self.rounds,
            "active": sorted(self._rounds.active),
            "panes": [
                [pane.partition, pane.span.to_list(), pane.summary.to_dict()] for pane in self._rounds.panes
            ],
            "scan": self._detector.scan.to_dict(),
            "live": self._live.to_dict(),
            "live_outputs": None if self._live_outputs is None else self._live_outputs.to_dict(),
            "alerts": self._book.to_dict(),
            "tables": self._tables.to_dict(),
        }

    @classmethod
    def restore(
        cls,
        profile: Profile,
        snapshot: Mapping[str, Any],
        policy: Mapping[str, ColumnPolicy | Mapping[str, Any]] | None = None,
        *,
        false_alarm_every: int = 100_000,
        clear_after: int = 5_000,
        model: ModelRef | None = None,
        deployment: str = "",
    ) -> Self:
        """Return the monitor of :meth:`snapshot`.

        Parameters
        ----------
        profile
            That it was made with.
        snapshot
            The state.
        policy, false_alarm_every, clear_after, model, deployment
            As of a new one.

        Raises
        ------
        ProfileError
            If it was not one of a monitor of `profile`, or of a newer format.
        """
        if snapshot.get("v") not in (_FORMAT, _AS_A_WHOLE):
            raise ProfileError(f"monitor of format {snapshot.get('v')!r}; this version reads 1 and {_FORMAT}")
        if snapshot.get("layout") != profile.layout:
            raise ProfileError(
                f"monitor of layout {snapshot.get('layout')!r} for a profile of {profile.layout}"
            )
        monitor = cls(
            profile,
            policy,
            false_alarm_every=false_alarm_every,
            clear_after=clear_after,
            model=model,
            deployment=deployment,
        )
        monitor.rounds = snapshot["judged"]
        panes = [
            Pane(partition, Span.from_list(span), Summary.from_dict(summary, profile.empty()))
            for partition, span, summary in snapshot["panes"]
        ]
        monitor._rounds = Rounds(frozenset(snapshot["active"]), panes)
        if snapshot["v"] == _FORMAT or not profile.is_seasonal:  # else the windows begin anew
            monitor._live.load(snapshot["live"])
            if snapshot["live_outputs"] is not None:
                monitor._watch_outputs(OutputProfile.from_dict(snapshot["live_outputs"]))
            monitor._detector.scan.load(snapshot["scan"])
        monitor._book.load(snapshot["alerts"])
        monitor._tables.load(snapshot["tables"])
        return monitor

    def _judge(self, panes: list[Pane]) -> list[Alert]:
        self._detector.push(panes)
        self.rounds += 1
        self.closed_round = span = join_spans([pane.span for pane in panes])
        alerts = self._book.observe(span, self._detector.sightings(), self._detector.attribute)
        if not self._has_baseline and self.profile.outputs is not None:
            outputs = self._live.add(panes, self.profile)
            if outputs is not None:
                self._watch_outputs(outputs)
        return alerts

    def _watch_outputs(self, outputs: OutputProfile) -> None:
        """Begin to watch outputs: from now on they have their part of the budget."""
        scan = self._detector.scan
        self._detector = Detector(replace(self.profile, outputs=outputs), self._every)
        self._detector.adopt(scan)
        self._has_baseline, self._live_outputs, self._live = True, outputs, LiveBaseline()
