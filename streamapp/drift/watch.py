"""The fold over ``distributions``: which panes are judged, against which version's profile.

Theory of operation. The log holds the panes of all partitions and versions in the order in which they were
published. Around a change of the model the panes of two versions are mixed, since partitions change one
after the other, so the version *in force* is that of the last transition in any partition: a pane whose
version differs from its partition's pane before. Panes of other versions are skipped. A change of the version
in force re-bases: open alerts are resolved and a fresh monitor begins, unless the profile is the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Self

import orjson

from streamapp.drift.monitor import DriftMonitor
from streamapp.drift.positions import Place, Positions
from streamapp.drift.quiet import QuietRows
from streamapp.drift.span import Pane, Span
from streamapp.drift.verdict import graver
from streamapp.errors import ProfileError
from streamapp.messages import NO_VERSION, Alert, Distribution, ModelRef, Verdict
from streamapp.profile import DriftPolicy, Profile, Summary
from streamapp.profile.policy import write_policy
from streamapp.profile.subjects import unknown_subjects, with_policy

__all__ = ["ProfileOf", "Watch"]

_FORMAT = 1
PATIENCE = 64
"""So many panes in a row of one other version put it in force: its transition was never seen."""

ProfileOf = Callable[[str], Profile | None]
"""Gives a version's profile; None if it is not known, which must not change while a log is folded."""


class Watch:
    """Folds the ordered log of panes into alerts, over versions.

    Parameters
    ----------
    deployment
        Name that enters the ids of alerts, and the name of the model in them.
    false_alarm_every, clear_after
        As :class:`~streamapp.drift.DriftMonitor` takes them.
    policy
        What is chosen of how drift is judged in all versions; wins over the choices in their profiles.

    Notes
    -----
    Skipped and counted, by the name under which they stand in :attr:`counts`: ``no-model`` (version
    ``none``), ``empty`` (no events), ``no-profile`` (the version's is not known), ``no-summary``,
    ``other-layout`` (a summary that does not fit the profile), ``repeat``, ``other-version``. ``judged`` are
    the others.

    A topic made anew does not stall the fold: the pane that lies below all that is remembered of its
    partition begins it anew (counted as ``anew`` too), and with it all windows, because one window must not
    hold offsets of two topics. Open alerts stay open.

    Repeats, ids and times depend on the log alone: the same log gives the same alerts.
    """

    def __init__(
        self,
        deployment: str,
        *,
        false_alarm_every: int = 100_000,
        clear_after: int = 5_000,
        policy: DriftPolicy | None = None,
    ) -> None:
        self.deployment = deployment
        self.policy = policy or {}
        self.false_alarm_every, self.clear_after = false_alarm_every, clear_after
        self.version: str | None = None
        """The version in force."""
        self.monitor: DriftMonitor | None = None
        """Of the version in force."""
        self.quiet = QuietRows()
        """What the rows of an alarming window are held against when the outputs have moved."""
        self.counts: Counter[str] = Counter()
        self.unknown_subjects: frozenset[str] = frozenset()
        """Names in the policy that the version in force does not have: what is said of them does nothing."""
        self.closed_round: Span | None = None
        """The round that the newest pane closed; None if it closed none, or was skipped."""
        self._choices = write_policy(self.policy) or None
        self._positions = Positions()
        self._past: list[str] = []
        self._waiting: tuple[str, int] = ("", 0)
        # Refuses wrong settings now, not at the first pane.
        DriftMonitor.check(false_alarm_every, clear_after)

    def begins_reign(self, distribution: Distribution) -> bool:
        """Return whether a pane that was not folded yet tells the first offset that its version answered.

        That is its ``first_offset``, in its partition, in its latest reign.
        """
        return self._positions.begins_reign(distribution)

    def since(self, version: str) -> dict[int, int]:
        """Return the first offset of the latest reign of `version`, of each partition that it has reached."""
        return self._positions.since(version)

    def fold(self, distribution: Distribution, profile_of: ProfileOf) -> list[Alert]:
        """Take the next pane of the log, and return every alert that changed.

        Parameters
        ----------
        distribution
            As it was published.
        profile_of
            Asked when another version may come into force.
        """
        alerts = self._judge(distribution, profile_of)
        return [alert.model_copy(update={"drift": self._choices}) for alert in alerts]

    def with_verdict(self, alert: Alert, verdict: Verdict) -> Alert:
        """Return an alert that was just said with its verdict, and keep it for what is said of it later."""
        alert = alert.model_copy(update={"verdict": graver(alert.verdict, verdict)})
        if self.monitor is not None:
            self.monitor.note_verdict(alert)
        return alert

    def _judge(self, distribution: Distribution, profile_of: ProfileOf) -> list[Alert]:
        self.closed_round = None
        useless = self._uselessness(distribution)
        if useless is not None:
            return self._skip(useless)
        partition, version = distribution.partition, distribution.version
        offsets = {partition: (distribution.first_offset, distribution.next_offset)}
        span = Span(distribution.from_, distribution.to, distribution.events, offsets)
        alerts: list[Alert] = []
        if version != self.version or self.monitor is None:
            profile = profile_of(version)
            if profile is None:
                return self._skip("no-profile")
            if not self._comes_into_force(partition, version):
                return self._skip("other-version")
            alerts = self._take_over(version, profile, span)
        else:
            self._positions.turns(partition, version)
            self._waiting = ("", 0)
        assert self.monitor is not None
        try:
            summary = Summary.from_dict(distribution.summary or {}, self.monitor.profile.empty())
        except (ProfileError, KeyError, TypeError, ValueError):
            self._skip("other-layout")
            return alerts
        self.counts["judged"] += 1
        alerts += self.monitor.add(Pane(partition, span, summary))
        self.closed_round = self.monitor.closed_round
        if self.closed_round is not None:
            self.quiet.hear(self.closed_round, alerts, self.monitor.open_alerts, self.since(version))
        return alerts

    def snapshot(self) -> bytes:
        """Return the state as JSON: a fold restored from it goes on as if it had never stopped.

        Its size is bounded: sums of at most 40 rounds, of 16 panes that wait, and one of each partition; of
        up to 28 blocks more where the rows of a large reference depend on each other.
        With 20 mixed columns about 20 to 45 kB, whatever the number of partitions up to 16; with 100 columns
        250 to 700 kB.
        """
        monitor = None if self.monitor is None else self.monitor.snapshot()
        return orjson.dumps(
            {
                "v": _FORMAT,
                "version": self.version,
                "quiet": self.quiet.to_dict(),
                "past": self._past,
                "waiting": list(self._waiting),
                "counts": dict(self.counts),
                "positions": self._positions.to_dict(),
                "monitor": monitor,
            }
        )

    @classmethod
    def restore(
        cls,
        data: bytes,
        profile_of: ProfileOf,
        deployment: str,
        *,
        false_alarm_every: int = 100_000,
        clear_after: int = 5_000,
        policy: DriftPolicy | None = None,
    ) -> Self:
        """Return the fold of :meth:`snapshot`.

        Parameters
        ----------
        data
            The snapshot.
        profile_of
            Asked for the version in force.
        deployment, false_alarm_every, clear_after, policy
            As of a new one.

        Raises
        ------
        ProfileError
            If `data` is none, or the profile of the version in force is not known or not the same.
        """
        watch = cls(deployment, false_alarm_every=false_alarm_every, clear_after=clear_after, policy=policy)
        try:
            state = orjson.loads(data)
            if state["v"] != _FORMAT:
                raise ProfileError(f"fold of format {state['v']!r}; this version reads {_FORMAT}")
            watch.version = state["version"]
            if "quiet" in state:  # a snapshot of before knows nothing of it
                watch.quiet.load(state["quiet"])
            watch._past = state["past"]
            watch._waiting = (state["waiting"][0], state["waiting"][1])
            watch.counts = Counter(state["counts"])
            watch._positions.load(state["positions"])
            if state["monitor"] is not None and watch.version is not None:
                watch.monitor = watch._restore_monitor(watch.version, state["monitor"], profile_of)
        except (orjson.JSONDecodeError, KeyError, TypeError, IndexError) as exc:
            raise ProfileError(f"not a fold of distributions: {exc!r}; fold the log from its start") from exc
        return watch

    def _skip(self, why: str) -> list[Alert]:
        self.counts[why] += 1
        return []

    def _uselessness(self, pane: Distribution) -> str | None:
        """Note where the pane lies, and return why it is not to be looked at, if it is not."""
        place = self._positions.note(pane)
        if place is Place.REPEAT:
            return "repeat"
        if place is Place.ANEW:
            self.counts["anew"] += 1
            self.quiet.forget()
            if self.monitor is not None:
                self.monitor.begin_windows()
        if pane.version == NO_VERSION:
            return "no-model"
        if pane.events == 0:
            return "empty"
        return "no-summary" if pane.summary is None else None

    def _comes_into_force(self, partition: int, version: str) -> bool:
        """Note the pane's version, and return whether it is the one in force from now on.

        A partition's first pane does so too if its version is new: else the fold would wait for ever for a
        transition when the other partitions have fallen silent.
        """
        turned = self._positions.turns(partition, version)
        if self.version is None or turned or (turned is None and version not in self._past):
            return True
        name, panes = self._waiting
        panes = panes + 1 if name == version else 1
        self._waiting = (version, panes)
        return panes >= PATIENCE

    def _take_over(self, version: str, profile: Profile, span: Span) -> list[Alert]:
        alerts: list[Alert] = []
        model = self._model(version)
        profile = self._judged_as_set(profile)
        if self.monitor is not None and self.monitor.profile.digest == profile.digest:
            self.monitor.model = model
        else:
            active: frozenset[int] = frozenset()
            if self.monitor is not None:
                alerts, active = self.monitor.rebase(span), self.monitor.active
            self.monitor = DriftMonitor(
                profile,
                false_alarm_every=self.false_alarm_every,
                clear_after=self.clear_after,
                model=model,
                deployment=self.deployment,
                active=active,
            )
        self.version, self._waiting = version, ("", 0)
        self.quiet.begin(version)
        self._past = [*(past for past in self._past if past != version), version][-PATIENCE:]
        return alerts

    def _judged_as_set(self, profile: Profile) -> Profile:
        self.unknown_subjects = unknown_subjects(profile, self.policy)
        return with_policy(profile, self.policy, only_known=True)

    def _model(self, version: str) -> ModelRef:
        return ModelRef(name=self.deployment, version=version)

    def _restore_monitor(self, version: str, state: dict[str, Any], profile_of: ProfileOf) -> DriftMonitor:
        profile = profile_of(version)
        if profile is None:
            raise ProfileError(f"the profile of version {version}, in force at the snapshot, is not known")
        return DriftMonitor.restore(
            self._judged_as_set(profile),
            state,
            false_alarm_every=self.false_alarm_every,
            clear_after=self.clear_after,
            model=self._model(version),
            deployment=self.deployment,
        )
