from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from streamapp.agents.notes import note_alerts, note_dead_letters, note_retrain, note_state, note_training
from streamapp.errors import TrainingError
from streamapp.messages import Alert, DecisionRecord, InRecord, Model, Retrain, dead_letter
from streamapp.runtime.log_fields import IDS
from tests.runtime.spans import Made

CANARY = "Kanarienvogel"


def alert(state: str) -> Alert:
    return Alert.parse(
        {
            "id": "a1",
            "state": state,
            "kind": "accuracy",
            "subject": f"name={CANARY}",
            "model": {"name": "bikes", "version": "v1"},
            "summary": f"answers for name={CANARY} have become worse",
            "opened_at": 0,
            "updated_at": 0,
        }
    )


def decision(outcome: str, reason: str) -> DecisionRecord:
    version = "v2" if outcome == "trained" else None
    return DecisionRecord.parse(
        {
            "id": "d1",
            "at": 0,
            "events": ["e1"],
            "outcome": outcome,
            "reason": reason,
            "caused_by": "a1",
            "version": version,
        }
    )


def tell_all(host: Any) -> None:
    """Tell the story of an alert, from its first day to its last."""
    note_alerts(host, [alert("opened"), alert("updated")])
    note_retrain(host, Retrain(id="e1", reason="accuracy", caused_by="a1"))
    failure = TrainingError(f"it could not be fitted: ValueError: could not convert '{CANARY}'")
    note_training(host, decision("failed", str(failure)), failure=failure)
    note_training(host, decision("trained", "accuracy is in alarm"), began_ns=5)
    made_by = Model.parse(
        {
            "version": "v2",
            "state": "challenger",
            "bundle": "file:///b",
            "sha256": "0" * 64,
            "format": "joblib",
            "caused_by": "e1",
        }
    )
    note_state(host, "v2", "champion", made_by=made_by)
    note_alerts(host, [alert("resolved")])


def host(made: Made | None) -> Any:
    return SimpleNamespace(
        traces=None if made is None else made.traces, settings=SimpleNamespace(name="bikes")
    )


def test_each_event_is_one_line_with_ids_and_no_value(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "streamapp")
    tell_all(host(None))
    told = [
        (r.levelname, r.getMessage(), {name: getattr(r, name) for name in IDS if getattr(r, name, None)})
        for r in caplog.records
    ]
    assert told == [
        ("WARNING", "alert opened: accuracy, warning", {"version": "v1", "alert": "a1"}),
        ("INFO", "reason to train: accuracy", {"alert": "a1", "event": "e1"}),
        (
            "WARNING",
            "a training gave no model: TrainingError; see streamapp watch bikes decisions",
            {"alert": "a1", "event": "e1"},
        ),
        (
            "INFO",
            "decision on a training, trained: accuracy is in alarm",
            {"version": "v2", "alert": "a1", "event": "e1"},
        ),
        ("INFO", "version is champion", {"version": "v2", "event": "e1"}),
        ("INFO", "alert resolved: accuracy, warning", {"version": "v1", "alert": "a1"}),
    ]
    assert CANARY not in caplog.text


def test_spans_lead_from_the_promotion_to_the_alert() -> None:
    made = Made()
    tell_all(host(made))
    spans = {span.name: span for span in made.spans}
    assert list(spans) == [
        "alert opened",
        "retrain event",
        "training failed",
        "training trained",
        "version champion",
        "alert resolved",
    ]

    def causes(name: str) -> list[str]:
        ids = {span.context.span_id: span.name for span in made.spans if span.context}
        return [ids[link.context.span_id] for link in spans[name].links]

    assert causes("version champion") == ["training trained"]
    assert causes("training trained") == ["retrain event", "alert opened"]
    assert causes("retrain event") == causes("alert resolved") == ["alert opened"]
    assert spans["training trained"].start_time == 5
    assert (spans["training failed"].attributes or {})["error.type"] == "TrainingError"
    assert not any(CANARY in str(span.to_json()) for span in made.spans)


def test_rejected_records_of_a_batch_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    letters = [
        dead_letter(
            InRecord(partition=3, offset=17 + i, timestamp=0, key=None, value=CANARY.encode()),
            topic="bikes.requests",
            code="not-json",
            message=f"{CANARY} is no JSON",
        )
        for i in range(12)
    ]
    caplog.set_level(logging.INFO, "streamapp")
    note_dead_letters([])
    note_dead_letters(letters)
    (line,) = caplog.records
    assert (line.levelname, line.getMessage()) == ("WARNING", "rejected, the first as not-json")
    fields = line.__dict__
    assert [fields[name] for name in ("topic", "partition", "offset", "count")] == [
        "bikes.requests",
        3,
        17,
        12,
    ]
    caplog.clear()
    caplog.set_level(logging.DEBUG, "streamapp")
    note_dead_letters(letters)
    assert [each.__dict__["offset"] for each in caplog.records[1:]] == [17 + i for i in range(12)]
    assert CANARY not in caplog.text
