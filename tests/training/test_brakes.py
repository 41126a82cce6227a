from __future__ import annotations

from typing import Any

import pytest

from streamapp.messages import Model, OffsetRange, Retrain
from streamapp.training import Harm, Plan, TrainingRules, plan_training

TOPIC = "bikes.labelled"
HOUR_MS = 3_600_000


def event(id: str, reason: Any, since: int | None = None) -> Retrain:
    return Retrain(id=id, reason=reason, since=since)


def version(caused_by: str | None, end: int, hour: float = 0) -> Model:
    return Model(
        version=f"v-{caused_by}-{end}-{hour}", state="rejected", bundle="u", sha256="s", format="joblib",
        caused_by=caused_by, newest_training_data_at=int(hour * HOUR_MS),
        training_data=[OffsetRange(topic=TOPIC, partition=0, start=0, end=end)],
    )  # fmt: skip


def plan(
    *events: Retrain,
    end: int,
    models: list[Model] | None = None,
    hour: float | None = None,
    harm: dict[str, Harm] | None = None,
    **rules: Any,
) -> Plan:
    return plan_training(
        events,
        models or [],
        topic=TOPIC,
        begin=0,
        end=end,
        rules=TrainingRules(**rules),
        now_ms=None if hour is None else int(hour * HOUR_MS),
        harm=harm,
    )


def held(found: Plan) -> list[tuple[str, str]]:
    assert found.start is None
    return [(each.event.id, each.brake) for each in found.waiting]


def answers(found: Plan) -> tuple[str, set[str]]:
    assert found.start is not None
    return found.start.event.id, set(found.start.answers)


@pytest.mark.parametrize("reason", ["accuracy", "target"])
def test_an_alarm_waits_for_rows_of_the_new_world_and_for_no_cooldown(reason: str) -> None:
    models = [version("old", 9_000)]
    found = plan(event("a", reason, since=9_100), end=9_599, models=models)
    assert held(found) == [("a", "change")]
    assert found.wait_rows == 1
    assert found.waiting[0].why == "there are 499 rows since the change and 500 are needed"
    found = plan(event("a", reason, since=9_100), end=9_600, models=models)
    assert answers(found) == ("a", {"a"})
    assert found.start is not None
    assert found.start.since == 9_100


def test_others_wait_with_it_but_no_user() -> None:
    alarm, schedule, user = event("a", "accuracy", 9_100), event("b", "schedule"), event("c", "user")
    assert held(plan(alarm, schedule, end=9_200)) == [("a", "change"), ("b", "change")]
    found = plan(alarm, schedule, user, end=9_200)
    # What a user gets now is no answer to the alarm.
    assert answers(found) == ("c", {"b", "c"})
    assert [each.event.id for each in found.waiting] == ["a"]


def test_a_version_without_rows_since_the_change_is_no_answer_to_it() -> None:
    events = [event("a", "accuracy", 9_100), event("c", "user")]
    assert plan(*events, end=9_300, models=[version("c", 9_200)]).answered == {"c"}
    assert plan(*events, end=9_800, models=[version("c", 9_599)]).answered == {"c"}
    assert plan(*events, end=9_800, models=[version("c", 9_600)]).answered == {"a", "c"}


def test_what_follows_a_change_is_not_answered_by_the_first_training() -> None:
    events = [event("a", "accuracy", 9_100), event("b", "accuracy", 9_100)]
    found = plan(*events, end=10_100, models=[version("a", 9_600)])
    assert found.answered == {"a"}
    assert answers(found) == ("b", {"b"})


def test_a_change_stays_known_to_trainings_for_other_reasons() -> None:
    events = [event("a", "accuracy", 9_100), event("b", "schedule")]
    found = plan(*events, end=20_000, models=[version("a", 9_600)])
    assert found.start is not None
    assert (found.start.event.id, found.start.since) == ("b", 9_100)
    assert plan(event("b", "schedule"), end=20_000).start.since is None  # type: ignore[union-attr]


def test_a_cooldown_in_stream_time_holds_all_but_users_and_alarms_that_know_the_change() -> None:
    models = [version("x", 1_000, hour=10)]
    brakes: dict[str, Any] = {"cooldown_rows": 0, "cooldown_ms": 5 * HOUR_MS}
    found = plan(event("a", "schedule"), end=5_000, models=models, hour=14.9, **brakes)
    assert held(found) == [("a", "cooldown")]
    assert "1970-01-01T15:00:00Z of stream time" in found.waiting[0].why
    assert answers(plan(event("a", "schedule"), end=5_000, models=models, hour=15, **brakes))
    assert answers(plan(event("a", "user"), end=5_000, models=models, hour=11, **brakes))
    assert answers(plan(event("a", "accuracy", 2_000), end=5_000, models=models, hour=11, **brakes))


@pytest.mark.parametrize("reason", ["schedule", "input", "age"])
def test_half_of_the_budget_is_for_alarms(reason: str) -> None:
    models = [version("x", 0, hour=10)]
    for hour, is_held in ((15.9, True), (16, False)):
        found = plan(event("a", reason), end=5_000, models=models, hour=hour, per_day=8)
        assert (found.start is None) == is_held
    assert plan(event("a", "accuracy"), end=5_000, models=models, hour=10, per_day=8).start is not None


def test_a_day_has_a_budget_and_users_are_above_it() -> None:
    models = [version(f"x{i}", 0, hour=10 + i) for i in range(3)]
    alarm = event("a", "accuracy", 100)
    found = plan(alarm, end=5_000, models=models, hour=33.9, per_day=3)
    assert held(found) == [("a", "budget")]
    assert found.waiting[0].why == (
        "3 trainings in a day are the budget: the next may start at 1970-01-02T10:00:00Z of stream time"
    )
    assert answers(plan(alarm, end=5_000, models=models, hour=34, per_day=3))
    assert answers(plan(event("a", "user"), end=5_000, models=models, hour=13, per_day=3))


def test_versions_that_people_brought_cost_no_budget() -> None:
    models = [version(None, 0, hour=10 + i) for i in range(3)]
    assert answers(plan(event("a", "accuracy", 100), end=5_000, models=models, hour=13, per_day=1))


def test_snapshots_of_a_model_that_goes_on_learning_cost_no_budget() -> None:
    learner = version(None, 0, hour=9)
    models = [learner, *(version(learner.version, 0, hour=10 + i) for i in range(3))]
    assert answers(plan(event("a", "accuracy", 100), end=5_000, models=models, hour=13, per_day=1))
    trained = [learner, *(version("an event", 0, hour=10 + i) for i in range(3))]
    assert held(plan(event("a", "accuracy", 100), end=5_000, models=trained, hour=13, per_day=1))


def test_drift_of_inputs_trains_only_if_it_did_harm() -> None:
    drift = event("a", "input")
    for verdict, outcome in (("none", "dropped"), ("unknown", "waiting"), ("some", "start")):
        found = plan(drift, end=5_000, harm={"a": Harm(verdict, "loss is so")})  # type: ignore[arg-type]
        assert [bool(found.dropped), bool(found.waiting), found.start is not None].count(True) == 1
        assert getattr(found, outcome)
    assert plan(drift, end=5_000, harm={"a": Harm("none", "loss is so")}).dropped[0].why == (
        "drift without harm: loss is so"
    )


def test_a_training_for_another_reason_answers_drift_whose_harm_is_unknown() -> None:
    found = plan(event("a", "input"), event("b", "schedule"), end=5_000, harm={"a": Harm("unknown", "")})
    assert answers(found) == ("b", {"a", "b"})
    assert found.waiting == ()
