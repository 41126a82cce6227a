"""What happened, in order: alerts, trainings, promotions, rejections, each with what stands behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from streamapp.dashboard.evidence import alert_evidence, training_evidence, version_evidence
from streamapp.dashboard.view import Bars, Entry, Tone
from streamapp.messages import Alert, Champion, DecisionRecord, Model, Retrain, RetrainReason

__all__ = ["REASONS", "Timeline"]

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


class Timeline:
    """Folds the messages that tell of what happened; at most some hundred of each sort are remembered.

    Parameters
    ----------
    bars_of
        The distributions of an alert, as long as its panes are there: what was seen once is kept.
    """

    def __init__(self, bars_of: Callable[[Alert], tuple[Bars, ...]]) -> None:
        self._bars_of = bars_of
        self._bars: dict[str, tuple[Bars, ...]] = {}
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
        found = [*self._alert_entries(), *self._trainings(), *self._promotions(), *self._rejections()]
        found.sort(key=lambda each: each[0], reverse=True)
        return tuple(entry for _, entry in found[:_MOST])

    def _alert_entries(self) -> list[tuple[int, Entry]]:
        found = []
        trainings = {known.message.caused_by: id_ for id_, known in self._events.items()}
        for id_, known in self._alerts.items():
            alert = known.message
            if not self._bars.get(id_):
                self._bars[id_] = self._bars_of(known.first)
            is_over = alert.state == "resolved"
            how = {"cleared": "over", "rebased": "over: a new model"}.get(alert.resolution or "", "over")
            training = trainings.get(id_)
            related = () if training is None else ((f"training:{training}", "led to a training"),)
            entry = Entry(
                id=f"alert:{id_}",
                at_ms=alert.opened_at,
                kind="alert",
                tone="info" if is_over else _TONES[alert.severity],
                title=f"{alert.kind} alert",
                text=known.first.summary if is_over else alert.summary,
                state=how if is_over else f"open, {alert.severity}",
                evidence=alert_evidence(known.first, alert, self._bars[id_], related),
            )
            found.append((known.first_ms, entry))
        for gone in self._bars.keys() - self._alerts.keys():
            del self._bars[gone]
        return found

    def _trainings(self) -> list[tuple[int, Entry]]:
        found = []
        for id_, known in self._events.items():
            event, decision = known.message, self._decisions.get(id_)
            related = []
            if event.caused_by in self._alerts:
                related.append((f"alert:{event.caused_by}", "because of an alert"))
            if decision is not None and decision.version is not None:
                related += [
                    (entry_id, "what became of it") for entry_id in self._fates(decision.version)
                ]  # fmt: skip
            outcome = "no decision yet" if decision is None else _OUTCOMES[decision.outcome]
            failed = decision is not None and decision.outcome == "failed"
            entry = Entry(
                id=f"training:{id_}",
                at_ms=known.at_ms,
                kind="training",
                tone="attention" if failed else "info",
                title=f"training wanted: {REASONS[event.reason]}",
                text="" if decision is None else _told(decision),
                state=outcome,
                evidence=training_evidence(event, decision, tuple(related)),
            )
            found.append((known.first_ms, entry))
        return found

    def _fates(self, version: str) -> list[str]:
        ids = [_promotion_id(pointer) for pointer, _ in self._pointers if pointer.version == version]
        known = self._models.get(version)
        if known is not None and known.message.state == "rejected":
            ids.append(f"rejected:{version}")
        return ids

    def _promotions(self) -> list[tuple[int, Entry]]:
        found, before = [], ""
        for pointer, logged_ms in self._pointers:
            version = pointer.version
            known = self._models.get(version)
            model = None if known is None else known.message
            left = self._models.get(before)
            left_note = (None if left is None else left.message.note) or ""
            is_back = left_note.startswith(f"rolled back to {version}")
            if not before:
                title = f"{version} answers"
            elif is_back:
                title = f"rolled back: {version} answers again"
            else:
                title = f"{version} took over"
            entry = Entry(
                id=_promotion_id(pointer),
                at_ms=pointer.at,
                kind="rolled back" if is_back else "promoted",
                tone="attention" if is_back else "good",
                title=title,
                text=left_note if is_back else self._why.get(version, ""),
                state="rolled back" if is_back else ("promoted" if before else "deployed"),
                evidence=version_evidence(version, model, before, self._cause(model)),
            )
            found.append((logged_ms, entry))
            before = version
        return found

    def _rejections(self) -> list[tuple[int, Entry]]:
        found = []
        for version, known in self._models.items():
            model = known.message
            if model.state != "rejected":
                continue
            entry = Entry(
                id=f"rejected:{version}",
                at_ms=model.newest_training_data_at or model.trained_at or known.logged_ms,
                kind="rejected",
                tone="info",
                title=f"{version} was not taken",
                text=model.note or "",
                state="rejected",
                evidence=version_evidence(version, model, "", self._cause(model)),
            )
            found.append((known.logged_ms, entry))
        return found

    def _cause(self, model: Model | None) -> tuple[tuple[str, str], ...]:
        if model is None or model.caused_by not in self._events:
            return ()
        return ((f"training:{model.caused_by}", "the training it comes from"),)


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
