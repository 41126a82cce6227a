from __future__ import annotations

from typing import Any

import orjson

from streamapp.messages import Model
from streamapp.rollout.age import Age, Aged

DAY_MS = 86_400_000


def record(version: str = "a", **fields: Any) -> Model:
    given = {"bundle": "u", "sha256": "s", "format": "joblib", "state": "champion", "trained_at": 5 * DAY_MS}
    return Model(version=version, **(given | fields))


def age_of(stale: int | None = 7, retrain: int | None = None) -> Age:
    return Age(
        "bikes",
        stale_after_ms=None if stale is None else stale * DAY_MS,
        retrain_age_ms=None if retrain is None else retrain * DAY_MS,
    )


def test_it_is_the_data_that_grow_old_and_the_training_where_they_are_unknown() -> None:
    known = record(newest_training_data_at=4 * DAY_MS)
    assert age_of().tick(11 * DAY_MS - 1, known) == Aged()
    (alert,) = age_of().tick(11 * DAY_MS, known).alerts
    assert (alert.kind, alert.subject, alert.state, alert.from_clock) == ("stale-model", "a", "opened", True)
    assert age_of().tick(12 * DAY_MS - 1, record()) == Aged()
    assert age_of().tick(12 * DAY_MS, record()).alerts
    assert age_of(7, 1).tick(400 * DAY_MS, record(trained_at=None)) == Aged()


def test_the_alert_is_one_until_another_version_serves() -> None:
    age = age_of()
    (opened,) = age.tick(20 * DAY_MS, record()).alerts
    assert age.tick(30 * DAY_MS, record()) == Aged()
    (resolved,) = age.tick(31 * DAY_MS, record("b", trained_at=30 * DAY_MS)).alerts
    assert (resolved.id, resolved.state, resolved.resolution) == (opened.id, "resolved", "rebased")
    assert (resolved.summary, resolved.updated_at) == ("b serves now", 31 * DAY_MS)
    assert age.alert is None


def test_another_that_is_stale_too_has_an_alert_of_its_own() -> None:
    age = age_of()
    first, *_ = age.tick(20 * DAY_MS, record()).alerts
    resolved, opened = age.tick(21 * DAY_MS, record("b", trained_at=0)).alerts
    assert (resolved.id, resolved.state) == (first.id, "resolved")
    assert (opened.subject, opened.state) == ("b", "opened")


def test_two_that_look_at_different_times_say_the_same() -> None:
    early, late = age_of(7, 7).tick(12 * DAY_MS, record()), age_of(7, 7).tick(13 * DAY_MS, record())
    assert early == late
    assert early.due_ms == early.alerts[0].opened_at == 12 * DAY_MS


def test_a_training_is_due_once_an_age() -> None:
    age = age_of(None, 2)
    asked = [age.tick(day * DAY_MS, record()).retrain for day in range(5, 12)]
    events = [event for event in asked if event is not None]
    assert [event is not None for event in asked] == [False, False, True, False, True, False, True]
    assert {event.reason for event in events} == {"age"}
    assert len({event.id for event in events}) == 3
    assert events[0].caused_by is None
    other = age.tick(11 * DAY_MS, record("b")).retrain
    assert other is not None
    assert other.id not in {event.id for event in events}


def test_a_training_that_is_due_with_an_alert_names_it() -> None:
    aged = age_of(2, 2).tick(20 * DAY_MS, record())
    assert aged.retrain is not None
    assert aged.retrain.caused_by == aged.alerts[0].id


def test_after_a_restart_nothing_is_said_twice() -> None:
    age = age_of(7, 7)
    age.tick(13 * DAY_MS, record())
    again = age_of(7, 7)
    again.load(orjson.loads(orjson.dumps(age.to_dict())))
    assert again.alert == age.alert
    assert again.tick(14 * DAY_MS, record()) == Aged()


def test_without_a_policy_nothing_is_ever_stale() -> None:
    assert age_of(None, None).tick(10_000 * DAY_MS, record()) == Aged()
