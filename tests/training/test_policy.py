from __future__ import annotations

from typing import Any

import pytest

from streamapp.messages import Model, OffsetRange, Retrain
from streamapp.training import Plan, TrainingRules, plan_training

TOPIC = "bikes.labelled"
RULES = TrainingRules(min_rows=500, cooldown_rows=2_000, max_rows=10_000)


def event(id: str, reason: Any = "input", data: list[OffsetRange] | None = None) -> Retrain:
    return Retrain(id=id, reason=reason, data=data)


def span(start: int, end: int, **fields: Any) -> OffsetRange:
    return OffsetRange(**{"topic": TOPIC, "partition": 0, "start": start, "end": end} | fields)


def version(name: str, caused_by: str | None, *data: OffsetRange) -> Model:
    return Model(
        version=name, state="rejected", bundle="u", sha256="s", format="joblib",
        caused_by=caused_by, training_data=list(data),
    )  # fmt: skip


def plan(*events: Retrain, end: int, begin: int = 0, models: list[Model] | None = None) -> Plan:
    return plan_training(events, models or [], topic=TOPIC, begin=begin, end=end, rules=RULES)


def started(found: Plan) -> tuple[str, list[tuple[int, int]], set[str]]:
    assert found.start is not None
    assert found.wait_rows == 0
    return (
        found.start.event.id,
        [(part.start, part.end) for part in found.start.data],
        set(found.start.answers),
    )


def test_nothing_waits_for_nothing() -> None:
    assert plan(end=10_000) == Plan()


def test_the_newest_rows_are_taken_as_far_as_the_log_still_holds_them() -> None:
    assert started(plan(event("a"), end=30_000)) == ("a", [(20_000, 30_000)], {"a"})
    assert started(plan(event("a"), end=30_000, begin=27_000)) == ("a", [(27_000, 30_000)], {"a"})


@pytest.mark.parametrize("reason", ["input", "accuracy", "schedule", "target", "age"])
def test_it_waits_until_enough_rows_are_newer_than_the_newest_that_was_trained_on(reason: str) -> None:
    models = [version("v1", "x", span(0, 8_000)), version("v2", "y", span(0, 3_000))]
    assert plan(event("a", reason), end=9_000, models=models).wait_rows == 1_000
    assert plan(event("a", reason), end=9_999, models=models).wait_rows == 1
    assert started(plan(event("a", reason), end=10_000, models=models))[1] == [(0, 10_000)]


def test_too_few_rows_are_waited_for() -> None:
    lax = TrainingRules(min_rows=500, cooldown_rows=0, max_rows=10_000)
    assert plan_training([event("a")], [], topic=TOPIC, begin=0, end=450, rules=lax).wait_rows == 50
    assert plan_training([event("a")], [], topic=TOPIC, begin=100, end=450, rules=lax).wait_rows == 150


def test_ranges_of_other_topics_or_of_a_topic_made_anew_do_not_hold_it_up() -> None:
    models = [
        version("v1", "x", span(0, 20_000)),
        version("v2", "y", span(0, 2_400, topic="other")),
        version("v3", "z", span(0, 300)),
    ]
    assert started(plan(event("a"), end=2_500, models=models))[0] == "a"


def test_a_user_does_not_wait_for_the_cooldown_and_takes_the_others_along() -> None:
    models = [version("v1", "x", span(0, 8_000))]
    found = plan(event("a"), event("b", "user"), event("c"), end=8_001, models=models)
    assert started(found) == ("b", [(0, 8_001)], {"a", "b", "c"})


def test_a_user_is_told_when_there_are_too_few_rows_and_others_go_on_waiting() -> None:
    found = plan(event("a"), event("b", "user"), end=120)
    assert [(one.event.id, one.why) for one in found.dropped] == [
        ("b", "there are 120 labelled rows and 500 are needed")
    ]
    assert found.start is None
    assert found.wait_rows == 380
    assert plan(event("b", "user"), end=120).wait_rows == 0


def test_events_that_wait_together_get_one_training_named_after_the_most_urgent() -> None:
    found = plan(event("a", "schedule"), event("b", "accuracy"), event("c", "accuracy"), end=5_000)
    assert started(found) == ("b", [(0, 5_000)], {"a", "b", "c"})
    assert started(plan(event("a", "input"), event("b", "schedule"), end=5_000))[0] == "a"


def test_what_has_a_version_is_done_and_so_is_what_waited_before_it() -> None:
    models = [version("v1", "b", span(0, 5_000))]
    found = plan(event("a"), event("b", "accuracy"), event("c"), end=5_100, models=models)
    assert found.answered == {"a", "b"}
    assert found.wait_rows == 1_900
    assert plan(event("a"), event("b"), end=9_000, models=models) == Plan(answered=frozenset({"a", "b"}))


def test_an_event_with_data_is_answered_by_itself_on_these() -> None:
    models = [version("v1", "x", span(0, 8_000))]
    data = [span(100, 700), span(2_000, 2_100)]
    found = plan(event("a"), event("b", data=data), end=8_100, models=models)
    assert started(found) == ("b", [(100, 700), (2_000, 2_100)], {"b"})
    models.append(version("v2", "b", *data))
    after = plan(event("a"), event("b", data=data), end=8_100, models=models)
    # A version for its own data says nothing about those that waited before it.
    assert (after.start, after.wait_rows, set(after.answered)) == (None, 1_900, {"b"})


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ([span(100, 500)], "its data are 400 rows and 500 are needed"),
        ([], "its data are 0 rows"),
        ([span(0, 9_001)], "offsets 0 to 9,001; bikes.labelled holds 10 to 9,000"),
        ([span(5, 4_000)], "holds 10 to 9,000"),
        ([span(700, 100)], "offsets 700 to 100"),
        ([span(10, 4_000, topic="bikes.requests")], "must be in bikes.labelled"),
        ([span(10, 4_000, partition=1)], "partition 1"),
    ],
)
def test_data_that_cannot_be_trained_on_drop_the_event_alone(data: list[OffsetRange], why: str) -> None:
    found = plan(event("a", data=data), event("b"), begin=10, end=9_000)
    assert [one.event.id for one in found.dropped] == ["a"]
    assert why in found.dropped[0].why
    assert started(found)[0] == "b"
