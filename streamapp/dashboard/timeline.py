"""What happened, in order: alerts, trainings, promotions, rejections, each with what stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from heapq import nlargest
from operator import itemgetter
from typing import Generic, Protocol, TypeVar

from streamapp.dashboard.evidence import alert_evidence, training_evidence, version_evidence
from streamapp.dashboard.view import Entry, Evidence, Tone, WindowBars
from streamapp.messages import Alert, Champion, DecisionRecord, Model, Retrain, RetrainReason

__all__ = ["REASONS", "Timeline", "Windows"]

_MOST = 120
_REMEMBERED = 500

REASONS: dict[RetrainReason, str] = {
    "accuracy": "answers have become worse",
    "input": "inputs or outputs drift",
    "target": "labels drift",
    "age": "the model is old",
    "schedule": "the schedule says so",
    "user": "somebody asked for it",
}
_OUTCOMES = {"trained": "trained", "failed": "failed", "dropped": "not needed", "waiting": "waits"}
_TONES: dict[str, Tone] = {"critical": "bad", "warning": "attention", "info": "info"}
_M = TypeVar("_M")


@dataclass(slots=True)
class _Logged(Generic[_M]):
    """A message, when its record was written, what the first one of its id was, and when in stream time."""

    message: _M
    logged_ms: int
    first: _M
    first_ms: int
    at_ms: int


class Windows(Protocol):
    """What is known of the windows of alerts."""

    def is_settled(self, alert: Alert) -> bool:
        """Return whether nothing more can come of its window."""

    def bars_of(self, alert: Alert) -> WindowBars:
        """Return the distributions in its window, as far as they are there."""


class Timeline:
    """Folds the messages that tell of what happened; at most some hundred of each sort are remembered.

    Parameters
    ----------
    windows
        Asked for the distributions of alerts: as soon as they are settled, they are kept here.
    """

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._bars: dict[str, WindowBars] = {}
        self._alerts: dict[str, _Logged[Alert]] = {}
        self._events: dict[str, _Logged[Retrain]] = {}
        self._decisions: dict[str, DecisionRecord] = {}
        self._models: dict[str, _Logged[Model]] = {}
        self._pointers: list[tuple[Champion, int]] = []
        self._why: dict[str, str] = {}

    @property
    def open_alerts(self) -> list[Alert]:
        """The alerts that are open, the latest first."""
        alerts = [known.message for known in self._alerts.values()]
        return sorted((a for a in alerts if a.state != "resolved"), key=lambda a: -a.opened_at)

    def alert(self, alert: Alert, logged_ms: int) -> None:
        """Take the next state of an alert."""
        _note(self._alerts, alert.id, alert, logged_ms)

    def event(self, event: Retrain, at_ms: int, logged_ms: int) -> None:
        """Take a reason to train, of the stream time `at_ms`."""
        _note(self._events, event.id, event, logged_ms, at_ms)

    def decision(self, decision: DecisionRecord) -> None:
        """Take what became of reasons to train: of each, the last decision counts."""
        for event in decision.events:
            self._decisions[event] = decision
        while len(self._decisions) > _REMEMBERED:
            del self._decisions[next(iter(self._decisions))]

    def model(self, model: Model, logged_ms: int) -> None:
        """Take the record of a version; it is new if its state or its note is."""
        if model.state == "champion" and model.note:
            self._why[model.version] = model.note  # what is said of it later tells why it went
        known = self._models.get(model.version)
        if known is not None and (known.message.state, known.message.note) == (model.state, model.note):
            known.message = model
            return
        _note(self._models, model.version, model, logged_ms)

    def champion(self, champion: Champion, logged_ms: int) -> None:
        """Take where the pointer points now."""
        if not self._pointers or self._pointers[-1][0].version != champion.version:
            self._pointers = [*self._pointers[-_REMEMBERED:], (champion, logged_ms)]

    def entries(self) -> tuple[Entry, ...]:
        """Return what happened, the latest first."""
        self._keep_settled()
        latest = nlargest(_MOST, self._happened(), key=itemgetter(0))
        return tuple(make() for _, make in latest)

    def evidence(self, entry_id: str) -> Evidence | None:
        """Return what stands behind an entry, as it is known now; None if there is no such entry."""
        kind, _, key = entry_id.partition(":")
        if kind == "alert" and key in self._alerts:
            return self._alert_evidence(key)
        if kind == "training" and key in self._events:
            return self._training_evidence(key)
        if kind == "rejected" and key in self._models:
            return self._version_evidence(key, "")
        for pointer, _, before in self._reigns():
            if entry_id == _promotion_id(pointer):
                return self._version_evidence(pointer.version, before)
        return None

    def _keep_settled(self) -> None:
        """Keep the distributions of windows that nothing is added to any more: their panes go some day."""
        for id_, known in self._alerts.items():
            if id_ not in self._bars and self._windows.is_settled(known.first):
                self._bars[id_] = self._windows.bars_of(known.first)
        for gone in self._bars.keys() - self._alerts.keys():
            del self._bars[gone]

    def _happened(self) -> Iterator[tuple[int, Callable[[], Entry]]]:
        """Yield when each thing was logged, and what makes its entry: most are too old to be shown."""
        for id_, alert in self._alerts.items():
            yield alert.first_ms, partial(_alert_entry, id_, alert)
        for id_, event in self._events.items():
            yield event.first_ms, partial(self._training_entry, id_, event)
        for pointer, logged_ms, before in self._reigns():
            yield logged_ms, partial(self._promotion_entry, pointer, before)
        for version, model in self._models.items():
            if model.message.state == "rejected":
                yield model.logged_ms, partial(_rejection_entry, version, model)

    def _reigns(self) -> Iterator[tuple[Champion, int, str]]:
        """Yield each pointer, when it was logged, and the version before it, which the first one lacks."""
        before = ""
        for pointer, logged_ms in self._pointers:
            yield pointer, logged_ms, before
            before = pointer.version

    def _alert_evidence(self, id_: str) -> Evidence:
        known = self._alerts[id_]
        trainings = {event.message.caused_by: event_id for event_id, event in self._events.items()}
        training = trainings.get(id_)
        related = () if training is None else ((f"training:{training}", "led to a training"),)
        found = self._bars.get(id_) or self._windows.bars_of(known.first)
        return alert_evidence(known.first, known.message, found, related)

    def _training_entry(self, id_: str, known: _Logged[Retrain]) -> Entry:
        event, decision = known.message, self._decisions.get(id_)
        failed = decision is not None and decision.outcome == "failed"
        return Entry(
            id=f"training:{id_}",
            at_ms=known.at_ms,
            kind="training",
            tone="attention" if failed else "info",
            title=f"training wanted: {REASONS[event.reason]}",
            text="" if decision is None else _told(decision),
            state="no decision yet" if decision is None else _OUTCOMES[decision.outcome],
        )

    def _training_evidence(self, id_: str) -> Evidence:
        event, decision = self._events[id_].message, self._decisions.get(id_)
        related = []
        if event.caused_by in self._alerts:
            related.append((f"alert:{event.caused_by}", "because of an alert"))
        if decision is not None and decision.version is not None:
            related += [(entry_id, "what became of it") for entry_id in self._fates(decision.version)]
        return training_evidence(event, decision, tuple(related))

    def _fates(self, version: str) -> list[str]:
        ids = [_promotion_id(pointer) for pointer, _ in self._pointers if pointer.version == version]
        known = self._models.get(version)
        if known is not None and known.message.state == "rejected":
            ids.append(f"rejected:{version}")
        return ids

    def _promotion_entry(self, pointer: Champion, before: str) -> Entry:
        version = pointer.version
        left = self._models.get(before)
        left_note = (None if left is None else left.message.note) or ""
        is_back = left_note.startswith(f"rolled back to {version}")
        if not before:
            title = f"{version} answers"
        elif is_back:
            title = f"rolled back: {version} answers again"
        else:
            title = f"{version} took over"
        return Entry(
            id=_promotion_id(pointer),
            at_ms=pointer.at,
            kind="rolled back" if is_back else "promoted",
            tone="attention" if is_back else "good",
            title=title,
            text=left_note if is_back else self._why.get(version, ""),
            state="rolled back" if is_back else ("promoted" if before else "deployed"),
        )

    def _version_evidence(self, version: str, before: str) -> Evidence:
        known = self._models.get(version)
        if known is None:
            return version_evidence(version, None, before, ())
        model = known.message
        cause = (
            ((f"training:{model.caused_by}", "the training it comes from"),)
            if model.caused_by in self._events
            else ()
        )
        return version_evidence(version, model, before, cause)


def _alert_entry(id_: str, known: _Logged[Alert]) -> Entry:
    alert = known.message
    is_over = alert.state == "resolved"
    how = {"cleared": "over", "rebased": "over: a new model"}.get(alert.resolution or "", "over")
    return Entry(
        id=f"alert:{id_}",
        at_ms=alert.opened_at,
        kind="alert",
        tone="info" if is_over else _TONES[alert.severity],
        title=f"{alert.kind} alert",
        text=known.first.summary if is_over else alert.summary,
        state=how if is_over else f"open, {alert.severity}",
    )


def _rejection_entry(version: str, known: _Logged[Model]) -> Entry:
    model = known.message
    return Entry(
        id=f"rejected:{version}",
        at_ms=model.newest_training_data_at or model.trained_at or known.logged_ms,
        kind="rejected",
        tone="info",
        title=f"{version} was not taken",
        text=model.note or "",
        state="rejected",
    )


def _promotion_id(pointer: Champion) -> str:
    return f"promoted:{pointer.version}:{pointer.at}"


def _told(decision: DecisionRecord) -> str:
    made = f"{decision.version}: " if decision.version else ""
    return made + decision.reason


def _note(
    known: dict[str, _Logged[_M]], key: str, message: _M, logged_ms: int, at_ms: int | None = None
) -> None:
    had = known.pop(key, None)
    at = logged_ms if at_ms is None else at_ms
    known[key] = (
        _Logged(message, logged_ms, message, logged_ms, at)
        if had is None
        else _Logged(message, logged_ms, had.first, had.first_ms, had.at_ms)
    )
    while len(known) > _REMEMBERED:
        del known[next(iter(known))]
