from __future__ import annotations

from typing import Any

from streamapp.messages import Alert, Champion, Model, ModelState, Retrain
from streamapp.rollout.history import Reign, VersionStory, tell


def record(version: str, state: ModelState, **fields: Any) -> Model:
    return Model(version=version, state=state, bundle="u", sha256="s", format="joblib", **fields)


def told(models: list[Model], *champions: tuple[str, int], **given: Any) -> dict[str, VersionStory]:
    pointers = [Champion(version=version, at=at) for version, at in champions]
    return {s.model.version: s for s in tell({m.version: m for m in models}, pointers, **given)}


def test_the_champion_comes_first_and_the_rejected_last_each_the_latest_first() -> None:
    models = [
        record("r1", "rejected", trained_at=5), record("a", "retired", trained_at=9), record("b", "retired"),
        record("r2", "rejected", trained_at=6), record("c", "challenger"), record("d", "champion"),
    ]  # fmt: skip
    assert list(told(models, ("a", 1), ("b", 2), ("d", 3))) == ["d", "c", "b", "a", "r2", "r1"]


def test_the_pointer_says_who_serves_whatever_the_records_say() -> None:
    stories = told([record("a", "champion"), record("b", "challenger")], ("a", 1), ("b", 2))
    assert {version: story.model.state for version, story in stories.items()} == {
        "b": "champion", "a": "retired",
    }  # fmt: skip


def test_a_version_may_reign_more_than_once() -> None:
    models = [record("a", "champion"), record("b", "retired")]
    stories = told(models, ("a", 1), ("a", 2), ("b", 3), ("a", 4))
    assert stories["a"].reigns == (Reign(1, 3), Reign(4, None))
    assert stories["b"].reigns == (Reign(3, 4),)


def test_the_reason_of_a_training_is_followed_to_the_alert_as_it_opened() -> None:
    fields: dict[str, Any] = {"id": "a1", "kind": "input", "subject": "temp", "opened_at": 0, "updated_at": 0}
    alerts = [
        Alert(state="opened", summary="temp has moved", **fields),
        Alert(state="resolved", summary="it is back", **fields),
    ]
    events = [Retrain(id="e1", reason="input", caused_by="a1")]
    story = told([record("a", "challenger", caused_by="e1")], events=events, alerts=alerts)["a"]
    assert story.event == events[0]
    assert story.alert == alerts[0]
    gone = told([record("a", "challenger", caused_by="e1")])["a"]
    assert (gone.event, gone.alert) == (None, None)


def test_a_snapshot_is_told_as_one_and_not_as_a_training_whose_event_is_gone() -> None:
    stories = told([record("a", "retired"), record("b", "champion", caused_by="a")], ("a", 1), ("b", 2))
    assert (stories["b"].snapshot_of, stories["a"].snapshot_of) == ("a", None)
    assert told([record("a", "champion", caused_by="an event")])["a"].snapshot_of is None


def test_as_json_it_has_the_fields_of_the_record_and_more() -> None:
    story = told([record("a", "champion", note="promoted")], ("a", 1_000))["a"].to_json()
    assert story["note"] == "promoted"
    assert story["reigns"] == [{"from": "1970-01-01T00:00:01Z", "until": None}]
    assert story["event"] is story["alert"] is None
