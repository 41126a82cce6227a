"""The life of alerts: opened, updated, resolved; a pure state machine over rounds.

Theory of operation. Of each kind one alert is open at a time. It opens when something of its kind drifts, and
its subject, the first of what drifted then, never changes. While it is open only two things are said of it,
and at most one message per 1,000 requests: that something has joined which it never named before, or that its
severity is another one. It resolves when nothing of its kind drifted for some thousand requests, or when a
version with a new profile takes over. What flickers in between says nothing.

Time is event time, and requests are counted; nothing here reads a clock or draws a random number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamapp.drift.detector import KINDS, Sighting
from streamapp.drift.effects import severity_of
from streamapp.drift.findings import Finding, drifted_features, sentence
from streamapp.drift.span import Span
from streamapp.messages import Alert, ModelRef, caused_id
from streamapp.messages.alert import AlertKind, Resolution, Severity

__all__ = ["QUIET", "AlertBook", "Attribute", "Say", "event_id"]

QUIET = 1_000
"""Requests between two messages of one alert, its end excepted."""

Attribute = Callable[[AlertKind, Sighting], tuple[list[Finding], Span]]
"""Says what a sighting consists of, ranked, and the alarming window; called only when it is to be said."""

Say = Callable[[str, str, Sequence[Finding], Span], str]
"""Puts kind, subject, findings and window into one sentence: :func:`~streamapp.drift.findings.sentence`."""


def event_id(alert: Alert) -> str:
    """Return the ``ce_id`` of one message of an alert, whose own id stays the same all its life.

    It depends on the alert, its state, and the requests that it speaks of.
    """
    window = alert.window
    offsets = [] if window is None else sorted(window.partitions.items())
    events = 0 if window is None else window.events
    return caused_id(alert.id, alert.state, alert.updated_at, events, *offsets)


@dataclass(slots=True)
class _Open:
    """An open alert as it was last said, and when, in requests, what happened."""

    alert: Alert
    known: set[str]
    said_at: int
    drifted_at: int


class AlertBook:
    """The open alerts of one reign of a profile.

    Parameters
    ----------
    deployment, model
        What alerts speak of; both enter their ids.
    false_alarm_every
        Noted in alerts.
    clear_after
        Requests without drift after which an alert resolves; noted in alerts.
    events_are
        What is counted, for people.
    say
        Makes the sentence of an alert.
    """

    def __init__(
        self,
        *,
        deployment: str,
        model: ModelRef | None,
        false_alarm_every: int,
        clear_after: int,
        events_are: str = "requests",
        say: Say = sentence,
    ) -> None:
        self.deployment, self.model = deployment, model
        self._events_are, self._sentence = events_are, say
        self.false_alarm_every, self.clear_after = false_alarm_every, clear_after
        self.events = 0
        """Requests judged so far."""
        self._open: dict[AlertKind, _Open] = {}

    @property
    def open(self) -> list[Alert]:
        """The open alerts as they were last said."""
        return [self._open[kind].alert for kind in KINDS if kind in self._open]

    def observe(
        self, span: Span, sightings: Mapping[AlertKind, Sighting], attribute: Attribute
    ) -> list[Alert]:
        """Take a round and what drifts in it, and return the alerts that changed."""
        self.events += span.events
        changed = (self._step(kind, span, sightings.get(kind), attribute) for kind in KINDS)
        return [alert for alert in changed if alert is not None]

    def rebase(self, span: Span) -> list[Alert]:
        """Resolve all open alerts, because from `span` on another profile counts."""
        ended = [self._resolve(kind, span, "rebased") for kind in KINDS if kind in self._open]
        self._open.clear()
        return ended

    def note_verdict(self, alert: Alert) -> None:
        """Keep the verdict of an open alert."""
        own = self._open.get(alert.kind)
        if own is not None and own.alert.id == alert.id:
            own.alert = own.alert.model_copy(update={"verdict": alert.verdict})

    def to_dict(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "events": self.events,
            "open": [
                {
                    "alert": own.alert.model_dump(mode="json", by_alias=True),
                    "known": sorted(own.known),
                    "said_at": own.said_at,
                    "drifted_at": own.drifted_at,
                }
                for own in self._open.values()
            ],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over the state of :meth:`to_dict`."""
        self.events = state["events"]
        self._open = {}
        for own in state["open"]:
            alert = Alert.parse(own["alert"])
            self._open[alert.kind] = _Open(alert, set(own["known"]), own["said_at"], own["drifted_at"])

    def _step(self, kind: AlertKind, span: Span, seen: Sighting | None, attribute: Attribute) -> Alert | None:
        own = self._open.get(kind)
        if own is None:
            return None if seen is None else self._begin(kind, span, seen, attribute)
        if seen is None:
            if self.events - own.drifted_at < self.clear_after:
                return None
            alert = self._resolve(kind, span, "cleared")
            del self._open[kind]
            return alert
        own.drifted_at = self.events
        severity = severity_of(seen.size, own.alert.severity)
        is_news = severity != own.alert.severity or not seen.names <= own.known
        if not is_news or self.events - own.said_at < QUIET:
            return None
        findings, window = attribute(kind, seen)
        own.alert = self._say(own.alert, findings, window, span.to_ms, severity)
        own.known |= seen.names.union(*(finding.columns for finding in findings))
        own.said_at = self.events
        return own.alert

    def _begin(self, kind: AlertKind, span: Span, seen: Sighting, attribute: Attribute) -> Alert:
        findings, window = attribute(kind, seen)
        subject = next(finding.name for finding in findings if seen.names.issuperset(finding.columns))
        version = "" if self.model is None else self.model.version
        first = [f"{partition}:{offsets[0]}" for partition, offsets in sorted(span.partitions.items())]
        alert = Alert(
            id=caused_id(self.deployment, version, kind, subject, *first),
            state="opened",
            kind=kind,
            subject=subject,
            severity=severity_of(seen.size),
            model=self.model,
            summary=self._sentence(kind, subject, findings, window),
            features=drifted_features(findings),
            window=window.window(),
            false_alarm_every=self.false_alarm_every,
            clear_after=self.clear_after,
            opened_at=window.to_ms,
            updated_at=window.to_ms,
        )
        known = set(seen.names.union(*(finding.columns for finding in findings)))
        self._open[kind] = _Open(alert, known, self.events, self.events)
        return alert

    def _say(
        self, alert: Alert, findings: list[Finding], window: Span, now_ms: int, severity: Severity
    ) -> Alert:
        return alert.model_copy(
            update={
                "state": "updated",
                "severity": severity,
                "summary": self._sentence(alert.kind, alert.subject, findings, window),
                "features": drifted_features(findings),
                "window": window.window(),
                "clear_after": self.clear_after,
                "updated_at": max(window.to_ms, now_ms),
            }
        )

    def _resolve(self, kind: AlertKind, span: Span, how: Resolution) -> Alert:
        alert = self._open[kind].alert
        why = (
            f"nothing of its kind has drifted for {self.clear_after:,} {self._events_are}"
            if how == "cleared"
            else "a version with a new profile has taken over"
        )
        resolved = alert.resolved(how, at_ms=span.to_ms, summary=f"{alert.subject}: {why}")
        return resolved.model_copy(
            update={
                "features": [],
                "window": span.window(),
                "clear_after": self.clear_after or alert.clear_after,  # 0: a book that only ends alerts
            }
        )
