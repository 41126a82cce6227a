from __future__ import annotations

from streamapp.messages import Model, OffsetRange, Retrain, TriedWindow
from streamapp.training import Dropped, Plan, Start, Waiting
from streamapp.training.decisions import failed, not_trained, recovered, trained

EVENT = Retrain(id="e", reason="accuracy", caused_by="alert")
DATA = (OffsetRange(topic="bikes.labelled", partition=0, start=0, end=900),)
START = Start(EVENT, DATA, frozenset({"e", "b", "a"}), why="the loss has grown")
MODEL = Model(
    version="v1", state="challenger", bundle="u", sha256="s", format="joblib",
    newest_training_data_at=7, training_data=list(DATA), caused_by="e",
)  # fmt: skip


def test_an_event_waits_once_for_each_brake_and_is_dropped_once() -> None:
    waiting = [Waiting(EVENT, "change", "100 rows"), Waiting(EVENT, "budget", "24 trainings")]
    first = not_trained(Plan(waiting=(waiting[0],)), 5)
    # Later there are more rows, and it still waits: the same decision.
    again = not_trained(Plan(waiting=(Waiting(EVENT, "change", "200 rows"),)), 6)
    assert first[0].id == again[0].id
    assert not_trained(Plan(waiting=(waiting[1],)), 5)[0].id != first[0].id
    assert (first[0].outcome, first[0].reason, first[0].caused_by, first[0].at) == (
        "waiting", "100 rows", "alert", 5,
    )  # fmt: skip
    (dropped,) = not_trained(Plan(dropped=(Dropped(EVENT, "drift without harm"),)), 5)
    assert (dropped.outcome, dropped.events, dropped.version) == ("dropped", ["e"], None)


def test_a_training_names_all_that_it_answers_its_candidates_and_the_choice() -> None:
    tried = (TriedWindow(window="all 900", rows=600, loss=0.2), TriedWindow(window="x", rows=300, loss=0.1))
    record = trained(START, MODEL, tried, 5)
    assert record.events == ["e", "a", "b"]
    assert record.reason == "the loss has grown; of 2 windows, x were best"
    assert (record.version, record.data, record.candidates) == ("v1", list(DATA), list(tried))
    assert trained(START, MODEL, tried[:1], 5).reason == "the loss has grown"


def test_a_record_that_a_crash_swallowed_has_the_id_that_it_would_have_had() -> None:
    lost = recovered(EVENT, MODEL)
    assert lost.id == trained(START, MODEL, (), 5).id
    assert (lost.version, lost.at, lost.data) == ("v1", 7, list(DATA))


def test_a_failure_says_why_and_is_another_decision() -> None:
    record = failed(START, "a single class", 5)
    assert (record.outcome, record.reason, record.version) == ("failed", "a single class", None)
    assert record.id != trained(START, MODEL, (), 5).id
