"""Target drift among what JUDGE says: whose rows count, over which champions it goes on, what it asks for."""

from __future__ import annotations

import zlib
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.messages import Alert
from streamapp.models import Signature
from streamapp.profile import Profile
from streamapp.profile.policy_text import parse_choices
from streamapp.rollout import Candidate, Judge, Judged

from .conftest import MINUTE_MS, SETTINGS, Log, baseline, candidate

CLASSES = ("busy", "calm")
OPTIONS = SETTINGS | {"accuracy_false_alarm_every": 10_000, "clear_after": 300}
World = tuple[float, float, float]
USUAL: World = (0.5, 1.0, 0.0)
"""Share of busy rows; mean temperature of busy and of calm ones."""


def drawn(rng: np.random.Generator, n: int, world: World) -> tuple[np.ndarray, np.ndarray]:
    is_busy = rng.random(n) < world[0]
    return rng.normal(size=n) + np.where(is_busy, world[1], world[2]), is_busy


def reference(world: World = USUAL, seed: int = 1, rows: int = 3_000) -> dict[str, Any]:
    """What a version knows of labelled rows of this world."""
    temp, is_busy = drawn(np.random.default_rng(seed), rows, world)
    X, y = {"temp": temp}, np.where(is_busy, "busy", "calm").astype(object)
    return {
        "classes": CLASSES,
        "profile": Profile.fit(X, y=y, classes=CLASSES),
        "signature": Signature.infer(X, y, target="traffic"),
    }


HERE = reference()
THERE = reference(world=(0.8, 1.0, 0.0))


def live(log: Log, rows: int, world: World = USUAL, version: str = "old", **fields: Any) -> Log:
    """Append labelled rows of `world`, all of them answered right."""
    temp, is_busy = drawn(log.rng, rows, world)
    for each, busy in zip(temp.tolist(), is_busy.tolist(), strict=True):
        label = "busy" if busy else "calm"
        log.append(
            version, None, **({"features": {"temp": each}, "label": label, "prediction": label} | fields)
        )
    return log


def judge_of(champion: Candidate, *challengers: Candidate, **options: Any) -> Judge:
    judge = Judge("bikes", **(OPTIONS | options))
    judge.follow(champion, {c.version: c for c in challengers})
    return judge


def opened(judged: Judged) -> Alert:
    (alert,) = [alert for alert in judged.alerts if alert.state == "opened"]
    return alert


def test_other_labels_open_an_alert_and_ask_for_a_training() -> None:
    judge = judge_of(candidate("old", **HERE))
    assert judge.has_target_baseline
    judged = judge.fold(live(live(Log(), 1_000), 700, (0.7, 1.0, 0.0)).rows())
    alert = opened(judged)
    assert (alert.kind, alert.subject) == ("target", "traffic")
    assert alert.model is not None
    assert alert.model.version == "old"
    assert alert.false_alarm_every == 10_000
    assert " % of labels since row " in alert.summary  # in the first year of the epoch
    (due,) = judged.retrains
    assert (due.event.reason, due.event.caused_by) == ("target", alert.id)
    assert due.at_ms > 1_000 * MINUTE_MS
    assert judge.open_target_alert is not None
    assert judge.open_alert is None


def test_inputs_that_swap_between_the_classes_open_an_alert() -> None:
    judged = judge_of(candidate("old", **HERE)).fold(live(Log(), 1_000, (0.5, 0.0, 1.0)).rows())
    alert = opened(judged)
    assert {feature.name for feature in alert.features} == {"temp|busy", "temp|calm"}
    assert "temp has moved " in alert.summary
    assert " where the label is " in alert.summary


def test_an_input_that_the_settings_do_not_watch_says_nothing_and_a_change_of_them_resolves() -> None:
    policy = parse_choices(["temp:watch=false", "gone:floor=1"])
    log = live(Log(), 1_000, (0.5, 0.0, 1.0))
    unwatched = judge_of(candidate("old", **HERE), policy=policy)
    assert unwatched.fold(log.rows()) == Judged()
    before = judge_of(candidate("old", **HERE))
    opened(before.fold(log.rows()))
    after = Judge.restore(before.snapshot(), "bikes", **OPTIONS, policy=policy)
    after.follow(candidate("old", **HERE), {})
    assert [alert.resolution for alert in after.fold(live(log, 64).rows(1_000)).alerts] == ["rebased"]


def test_without_drift_nothing_is_said() -> None:
    assert judge_of(candidate("old", **HERE)).fold(live(Log(), 5_000).rows()) == Judged()


def test_without_a_reference_of_labels_it_is_off() -> None:
    judge = judge_of(candidate("old", classes=CLASSES))
    assert not judge.has_target_baseline
    assert judge.fold(live(Log(), 1_000, (0.9, 5.0, 5.0)).rows()) == Judged()


def test_corrections_and_repeats_do_not_count() -> None:
    judge = judge_of(candidate("old", **HERE))
    log = live(Log(), 64 * 20)
    live(log, 640, (1.0, 1.0, 0.0), revision=1)
    again = {"partition": 0, "offset": 0, "timestamp": 0}
    live(log, 640, (1.0, 1.0, 0.0), request=again)
    assert judge.fold(log.rows()) == Judged()


def test_rows_count_whichever_version_answered_them() -> None:
    judge = judge_of(candidate("old", **HERE))
    judged = judge.fold(live(Log(), 640, (0.9, 1.0, 0.0), version="older").rows())
    assert opened(judged).kind == "target"


@pytest.mark.parametrize("features", [None, {"temp": "warm"}])
def test_rows_without_inputs_that_can_be_read_count_for_the_labels(features: dict[str, Any] | None) -> None:
    judge = judge_of(candidate("old", **HERE))
    assert judge.fold(live(Log(), 2_000, (0.5, 9.0, 9.0), features=features).rows()) == Judged()
    judged = judge.fold(live(live(Log(), 2_000), 640, (0.9, 1.0, 0.0), features=features).rows(2_000))
    assert {feature.name for feature in opened(judged).features} == {"traffic"}


def test_labels_are_read_as_classes_are() -> None:
    rng = np.random.default_rng(2)
    X, y = {"temp": rng.normal(size=2_000)}, (rng.random(2_000) < 0.5).astype(int).astype(object)
    known = {
        "classes": (0, 1),
        "profile": Profile.fit(X, y=y, classes=(0, 1)),
        "signature": Signature.infer(X, y),
    }
    judge = judge_of(candidate("old", **known))
    log = Log()
    for i in range(2_000):
        label = [0, 1, 0.0, True, False, 1.0][rng.integers(6)]
        log.append("old", None, features={"temp": float(rng.normal())}, label=label, prediction=i % 2)
    assert [alert for alert in judge.fold(log.rows()).alerts if alert.kind == "target"] == []


def test_a_regressors_labels_are_numbers_and_others_are_left_out() -> None:
    rng = np.random.default_rng(3)
    X, y = {"temp": rng.normal(size=2_000)}, rng.normal(50, 9, 2_000)
    known = {"profile": Profile.fit(X, y=y), "signature": Signature.infer(X, y)}
    judge = judge_of(candidate("old", loss="absolute", loss_scale=20.0, **(known | {"classes": None})))
    log = Log()
    for _ in range(640):
        log.append("old", None, features={"temp": 0.0}, label="many", prediction=50.0)
        log.append("old", None, features={"temp": 0.0}, label=float(rng.normal(50, 9)), prediction=50.0)
    assert judge.fold(log.rows()) == Judged()
    for _ in range(640):
        log.append("old", None, features={"temp": 0.0}, label=float(rng.normal(58, 9)), prediction=58.0)
    alert = opened(judge.fold(log.rows(1_280)))
    assert alert.summary.startswith("target has moved up by ")


def test_a_successor_with_the_same_reference_goes_on() -> None:
    judge = judge_of(candidate("old", **HERE))
    log = live(Log(), 640, (0.9, 1.0, 0.0))
    first = opened(judge.fold(log.rows()))
    judge.follow(candidate("new", **HERE), {})
    judged = judge.fold(live(log, 4_000, version="new").rows(640))
    *_, cleared = judged.alerts
    assert (cleared.id, cleared.resolution) == (first.id, "cleared")
    live(log, 640, (0.1, 1.0, 0.0), version="new")
    second = opened(judge.fold(log.rows(4_640)))
    assert second.model is not None
    assert second.model.version == "new"


@pytest.mark.parametrize("restarts", [False, True])
def test_one_with_another_reference_begins_anew(restarts: bool) -> None:
    judge = judge_of(candidate("old", **HERE))
    log = live(Log(), 640, (0.8, 1.0, 0.0))
    first = opened(judge.fold(log.rows()))
    if restarts:
        judge = Judge.restore(judge.snapshot(), "bikes", **OPTIONS)
    judge.follow(candidate("new", **THERE), {})
    (resolved,) = judge.fold(live(log, 3_000, (0.8, 1.0, 0.0), version="new").rows(640)).alerts
    assert (resolved.id, resolved.resolution) == (first.id, "rebased")
    assert judge.open_target_alert is None


def test_a_promotion_resolves_it_at_once() -> None:
    judge = judge_of(candidate("old", **HERE), candidate("new", **THERE))
    log = live(Log(), 640, (1.0, 1.0, 0.0), features=None)
    assert opened(judge.fold(log.rows())).kind == "target"
    live(log, 200, (1.0, 1.0, 0.0), features={"temp": 0.5, "new": "busy"}, prediction="calm", label="busy")
    judged = judge.fold(log.rows(640))
    assert judged.promoted is not None
    (resolved,) = judged.alerts
    assert (resolved.kind, resolved.resolution) == ("target", "rebased")
    assert judge.open_target_alert is None


def test_accuracy_and_target_share_the_false_alarms() -> None:
    def alarmed_at(every: int, **known: Any) -> int:
        judge = judge_of(candidate("old", baseline=baseline(0.1), **known), accuracy_false_alarm_every=every)
        log = live(Log(np.random.default_rng(5)), 3_000)
        wrong = np.random.default_rng(6).random(3_000) < 0.16
        for i in np.flatnonzero(wrong).tolist():
            row = orjson.loads(log.records[i][0]) | {"prediction": "neither"}
            log.records[i] = (orjson.dumps(row), log.records[i][1])
        alert = next(a for a in judge.fold(log.rows()).alerts if (a.kind, a.state) == ("accuracy", "opened"))
        assert alert.false_alarm_every == every
        return alert.opened_at

    alone = {"classes": CLASSES}
    assert alarmed_at(8_000, **HERE) == alarmed_at(10_000, **alone) > alarmed_at(2_000, **alone)


def test_a_snapshot_from_before_target_drift_is_taken_over() -> None:
    judge = judge_of(candidate("old", baseline=baseline(0.1), classes=CLASSES))
    log = live(Log(), 100, prediction="neither")
    alert = opened(judge.fold(log.rows()))
    state = orjson.loads(zlib.decompress(judge.snapshot()))
    del state["target"], state["watch"]["share"]
    again = Judge.restore(zlib.compress(orjson.dumps(state)), "bikes", **OPTIONS)
    again.follow(candidate("old", baseline=baseline(0.1), **HERE), {})
    assert again.open_alert == alert
    assert again.has_target_baseline
    judged = again.fold(live(log, 640, (0.9, 1.0, 0.0)).rows(100))
    assert opened(judged).kind == "target"


def test_another_rate_of_false_alarms_begins_anew() -> None:
    judge = judge_of(candidate("old", **HERE))
    log = live(Log(), 640, (0.9, 1.0, 0.0))
    first = opened(judge.fold(log.rows()))
    changed = OPTIONS | {"accuracy_false_alarm_every": 50_000}
    again = Judge.restore(judge.snapshot(), "bikes", **changed)
    again.follow(candidate("old", **HERE), {})
    (resolved,) = again.fold(live(log, 1).rows(640)).alerts
    assert (resolved.id, resolved.resolution) == (first.id, "rebased")


STORY_LOG = live(live(live(Log(), 500), 300, (0.85, 1.0, 0.0)), 3_200)
live(STORY_LOG, 600, (0.5, 0.0, 1.0))
live(STORY_LOG, 400, (0.5, 0.0, 1.0), version="new")
CHANGES = 4_600
CHAMPIONS = {0: candidate("old", **HERE), CHANGES: candidate("new", **THERE)}


def tell(cuts: set[int], *, restarts: bool = False) -> dict[str, list[Any]]:
    """Fold the story cut so, the champion being changed by a person at one row, with restarts or without."""
    judge = Judge("bikes", **OPTIONS)
    told: dict[str, list[Any]] = {"alerts": [], "retrains": []}
    for start, end in pairwise(sorted({0, *cuts, CHANGES, len(STORY_LOG.records)})):
        if restarts:
            judge = Judge.restore(judge.snapshot(), "bikes", **OPTIONS)
        judge.follow(CHAMPIONS[CHANGES if start >= CHANGES else 0], {})
        judged = judge.fold(STORY_LOG.rows(start, end))
        told["alerts"] += judged.alerts
        told["retrains"] += judged.retrains
    return told


WHOLE = tell(set())


def test_the_story_has_something_of_everything() -> None:
    states = {(alert.state, alert.resolution) for alert in WHOLE["alerts"]}
    assert states >= {("opened", None), ("resolved", "cleared"), ("resolved", "rebased")}
    assert {alert.kind for alert in WHOLE["alerts"]} == {"target"}
    assert {due.event.reason for due in WHOLE["retrains"]} == {"target"}
    assert len({due.event.id for due in WHOLE["retrains"]}) == len(WHOLE["retrains"]) >= 2


@pytest.mark.parametrize("cut", range(1, 5_000, 311))
def test_a_snapshot_at_any_cut_continues_as_if_nothing_had_been(cut: int) -> None:
    assert tell({cut}, restarts=True) == WHOLE


@given(st.sets(st.integers(0, 5_000), max_size=20), st.booleans())
@settings(max_examples=10, deadline=None)
def test_batches_change_nothing(cuts: set[int], restarts: bool) -> None:
    assert tell(cuts, restarts=restarts) == WHOLE


def test_rows_that_lack_a_personal_column_are_watched_in_the_others() -> None:
    rng = np.random.default_rng(1)
    temp, is_busy = drawn(rng, 3_000, USUAL)
    X, y = {"temp": temp, "age": rng.normal(40, 9, 3_000)}, np.where(is_busy, "busy", "calm").astype(object)
    private = {
        "classes": CLASSES,
        "profile": Profile.fit(X, y=y, classes=CLASSES, personal=["age"]),
        "signature": Signature.infer(X, y, target="traffic", personal={"age": "hash"}),
    }
    judge, log = judge_of(candidate("old", **private)), Log()
    for rows, world in ((1_000, USUAL), (900, (0.5, 2.0, 0.0))):
        begin = len(log.records)
        for each, busy in zip(*(a.tolist() for a in drawn(log.rng, rows, world)), strict=True):
            label = "busy" if busy else "calm"
            features = {"temp": each, "age": "9f86d081884c7d65"}
            log.append("old", None, features=features, label=label, prediction=label)
        judged = judge.fold(log.rows(begin))
        assert bool(judged.alerts) == (world != USUAL)
    assert (opened(judged).kind, opened(judged).subject) == ("target", "temp|busy")


def test_labels_whose_hours_are_not_known_are_left_alone_where_inputs_follow_the_hour() -> None:
    rng, times = np.random.default_rng(0), np.arange(3_000) * 5 * MINUTE_MS
    temp = np.sin(times / 86_400_000 * 2 * np.pi) + rng.normal(size=3_000)
    X, y = {"temp": temp}, np.where(temp > 0, "busy", "calm").astype(object)
    profile = Profile.fit(X, y=y, classes=CLASSES, times=times)
    assert judge_of(candidate("old", **(HERE | {"profile": profile}))).has_target_baseline
    assert profile.labelled is not None
    whole = replace(profile, labelled=replace(profile.labelled, season=None))
    assert not judge_of(candidate("old", **(HERE | {"profile": whole}))).has_target_baseline
