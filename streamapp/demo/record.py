"""What the demo has seen so far: answers, labels, alerts, versions. Filled by the follower, pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson

from streamapp.demo.flights import LATE, Flights
from streamapp.errors import MessageError
from streamapp.messages import CHAMPION_KEY, Alert, Champion, Model, Retrain, RetrainReason, format_time

__all__ = ["Record", "Tell"]

Tell = Callable[[int, str, str], None]
"""Told what happened: stream time (ms), a word, a line."""

_NOBODY = -1
_REASONS: dict[RetrainReason, str] = {
    "accuracy": "the answers have become worse",
    "input": "the inputs or the outputs drift",
    "target": "the labels drift",
    "age": "the model is old",
    "schedule": "the schedule says so",
    "user": "somebody asks for it",
}


class Record:
    """All that is known about a run.

    Parameters
    ----------
    flights
        The n that are asked about.
    tell
        Told each alert, retraining, promotion and rejection as it happens.

    Attributes
    ----------
    p_late
        (n,) probabilities as they were answered first; NaN where there was no prediction.
    latency_ms
        (n,) from a request's timestamp to its answer's; NaN before the answer.
    sent_ms
        (n,) wall clock of the requests, set by the feeder.
    answered_by
        (n,) positions in `versions`, -1 for none.
    labels
        Sent by the feeder.
    rolled_back
        Versions that JUDGE has gone back from, and why.
    """

    def __init__(self, flights: Flights, tell: Tell) -> None:
        n = len(flights)
        self.flights = flights
        self.p_late = np.full(n, np.nan)
        self.latency_ms = np.full(n, np.nan)
        self.sent_ms = np.zeros(n, dtype=np.int64)
        self.answered_by = np.full(n, _NOBODY, dtype=np.int32)
        self.is_labelled = np.zeros(n, dtype=np.bool_)
        self.requests = self.labels = self.answered = self.rejections = self.labelled = 0
        self.dead_letters = 0
        self.now_ms = int(flights.asked_ms[0]) if n else 0
        self.alerts: dict[str, Alert] = {}
        self.versions: list[str] = []
        self.models: dict[str, Model] = {}
        self.pointers: list[str] = []
        self.rolled_back: dict[str, str] = {}
        self.retrain_reasons: Counter[str] = Counter()
        self._row = {id_: row for row, id_ in enumerate(flights.ids.tolist())}
        self._seen = np.zeros(n, dtype=np.bool_)
        self._events: set[str] = set()
        self._tell = tell

    def take(self, topic: str, key: bytes | None, value: bytes | None, timestamp_ms: int) -> None:
        """Take note of a record of one of the deployment's topics, named without the deployment."""
        try:
            match topic:
                case "predictions":
                    self._answer(orjson.loads(value or b""), timestamp_ms)
                case "labelled":
                    self._labelled(orjson.loads(value or b""))
                case "drift-alerts" if value is not None:
                    self._alert(Alert.decode(value))
                case "retrain-events":
                    self._retrain(Retrain.decode(value))
                case "models" if value is not None:
                    self._version(key, value)
                case "dead-letters":
                    self.dead_letters += 1
        except MessageError:
            return

    def _answer(self, answer: dict[str, Any], timestamp_ms: int) -> None:
        row = self._row.get(answer["id"])
        if row is None or self._seen[row]:
            return  # at-least-once: the first one counts
        self._seen[row] = True
        self.answered += 1
        self.latency_ms[row] = max(timestamp_ms - int(self.sent_ms[row]), 0)
        if "error" in answer:
            self.rejections += 1
            return
        self.p_late[row] = answer["probabilities"][LATE]
        self.answered_by[row] = self._number(answer["model"]["version"])

    def _labelled(self, labelled: dict[str, Any]) -> None:
        row = self._row.get(labelled["id"])
        if row is not None and not self.is_labelled[row]:
            self.is_labelled[row] = True
            self.labelled += 1

    def _alert(self, alert: Alert) -> None:
        before = self.alerts.get(alert.id)
        self.alerts[alert.id] = alert
        if before is None:
            why = "" if alert.verdict is None else f"; {alert.verdict.sentence}"
            self._tell(self.now_ms, "drift", f"{alert.kind}: {alert.summary}{why}")
        if alert.state == "resolved" and (before is None or before.state != "resolved"):
            since = format_time(alert.opened_at)[:10]
            why = "a new version takes over" if alert.resolution == "rebased" else "it is as it was"
            self._tell(self.now_ms, "resolved", f"{alert.kind} {alert.subject}, open since {since}: {why}")

    def _retrain(self, event: Retrain) -> None:
        if event.id in self._events:
            return
        self._events.add(event.id)
        self.retrain_reasons[event.reason] += 1
        self._tell(self.now_ms, "retrain", f"wanted: {_REASONS[event.reason]}")

    def _version(self, key: bytes | None, value: bytes) -> None:
        if key == CHAMPION_KEY:
            pointer = Champion.decode(value)
            if not self.pointers or self.pointers[-1] != pointer.version:
                self.pointers.append(pointer.version)
                if len(self.pointers) > 1:
                    self._tell(self.now_ms, "promoted", f"{pointer.version} answers from now on")
            return
        model = Model.decode(value)
        before = self.models.get(model.version)
        self.models[model.version] = model
        self._number(model.version)
        if before is None and model.caused_by is not None:
            rows = sum(part.end - part.start for part in model.training_data)
            until = format_time(model.newest_training_data_at or 0)[:10]
            self._tell(
                self.now_ms, "challenger", f"{model.version}, trained on {rows:,} flights until {until}"
            )
        elif before is not None and before.note != model.note:
            if model.state in {"rejected", "champion"}:
                self._tell(self.now_ms, "verdict", f"{model.version} {model.note}")
            elif model.state == "retired" and (model.note or "").startswith("rolled back"):
                self.rolled_back[model.version] = model.note or ""
                self._tell(self.now_ms, "rollback", f"{model.version} {model.note}")

    def _number(self, version: str) -> int:
        if version not in self.versions:
            self.versions.append(version)
        return self.versions.index(version)
