from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamapp.errors import ConfigError, PredictionError
from streamapp.messages import Alert, format_time
from streamapp.models import Baseline, Predictions, Rows, Segments
from streamapp.models.segments import SegmentColumn
from streamapp.rollout import Candidate, Judge, Judged

from .conftest import MINUTE_MS, SETTINGS, Log, baseline, candidate


def judge_of(champion: Candidate, *challengers: Candidate, **settings: Any) -> Judge:
    judge = Judge("bikes", **(SETTINGS | settings))
    judge.follow(champion, {c.version: c for c in challengers})
    return judge


def test_a_better_challenger_is_promoted_with_its_numbers() -> None:
    judge = judge_of(candidate("old"), candidate("new"))
    log = Log().answer(600, old=0.3, new=0.1)
    judged = judge.fold(log.rows())
    assert judged.rejected == []
    decision = judged.promoted
    assert decision is not None
    assert decision.version == "new"
    assert decision.scores["zero-one"] < decision.scores["champion-zero-one"]
    assert decision.scores["rows"] == decision.offset + 1
    assert decision.scores["e-value"] >= 20
    assert decision.at_ms == (decision.offset - 2) * MINUTE_MS
    assert decision.note.startswith("promoted: its zero-one loss is 0.")
    assert f"over {decision.offset + 1:,} labelled rows, that of champion old" in decision.note


def test_a_worse_challenger_is_rejected_and_never_judged_again() -> None:
    judge = judge_of(candidate("old"), candidate("new"))
    judged = judge.fold(Log().answer(600, old=0.1, new=0.4).rows())
    assert judged.promoted is None
    assert [d.version for d in judged.rejected] == ["new"]
    assert judged.rejected[0].note.startswith("rejected: its")
    judge.follow(candidate("old"), {"new": candidate("new")})
    better = Log().answer(600).answer(600, old=0.5, new=0.0)
    assert judge.fold(better.rows(600)) == Judged()
    again = Judge.restore(judge.snapshot(), "bikes", **SETTINGS)
    again.follow(candidate("old"), {"new": candidate("new")})
    assert again.fold(Log().answer(1_200).answer(600, old=0.5, new=0.0).rows(1_200)) == Judged()


def test_an_equal_challenger_is_rejected_after_the_last_row() -> None:
    judge = judge_of(candidate("old"), candidate("new"), gate_max_rows=300)
    judged = judge.fold(Log().answer(400, old=0.0, new=0.0).rows())
    assert judged.rejected[0].offset == 299
    assert judged.rejected[0].note.startswith("rejected, undecided after 300 rows: its")


def test_rows_that_a_challenger_may_have_learned_from_do_not_count() -> None:
    learned_ms = 250 * MINUTE_MS
    judge = judge_of(candidate("old"), candidate("new", newest_training_data_at_ms=learned_ms))
    log = Log().answer(251, old=1.0, new=0.0)
    assert judge.fold(log.rows()).promoted is None
    judged = judge.fold(log.answer(50, old=1.0, new=0.0).rows(251))
    assert judged.promoted is not None
    assert judged.promoted.offset == 251 + judged.promoted.scores["rows"] - 1


def test_nor_do_rows_that_the_champion_may_have_learned_from() -> None:
    judge = judge_of(candidate("old", newest_training_data_at_ms=100 * MINUTE_MS), candidate("new"))
    judged = judge.fold(Log().answer(300, old=1.0, new=0.0).rows())
    assert judged.promoted is not None
    assert judged.promoted.offset == 101 + judged.promoted.scores["rows"] - 1


def test_a_challenger_of_unknown_origin_counts_from_when_it_came() -> None:
    judge = judge_of(candidate("old"))
    log = Log().answer(100, old=1.0, new=0.0)
    judge.fold(log.rows())
    judge.follow(candidate("old"), {"new": candidate("new")})
    judged = judge.fold(log.answer(50, old=1.0, new=0.0).rows(50))
    assert judged.promoted is not None
    assert judged.promoted.offset >= 100


@pytest.mark.parametrize(
    "spoil",
    [{"revision": 1}, {"model": {"name": "bikes", "version": "older"}}, {"features": None}],
)
def test_corrections_others_answers_and_rows_without_input_do_not_count(spoil: dict[str, Any]) -> None:
    judge = judge_of(candidate("old"), candidate("new"), gate_max_rows=100)
    log = Log()
    for _ in range(100):
        log.append("old", {"old": "no", "new": "yes"}, **spoil)
    assert judge.fold(log.rows()) == Judged()


def test_a_repeated_row_counts_once() -> None:
    judge = judge_of(candidate("old"), candidate("new"))
    log = Log()
    for _ in range(500):
        log.append("old", {"old": "no", "new": "yes"}, request={"partition": 0, "offset": 7, "timestamp": 0})
    assert judge.fold(log.rows(0, 250)) == Judged()
    assert judge.fold(log.rows(250)) == Judged()


def test_one_is_promoted_and_the_others_start_afresh_against_it() -> None:
    judge = judge_of(candidate("old"), candidate("best"), candidate("good"))
    log = Log().answer(80, old=1.0, best=0.0, good=0.3)
    judged = judge.fold(log.rows())
    assert judged.promoted is not None
    assert judged.promoted.version == "best"
    assert judged.rejected == []
    judge.follow(candidate("best"), {"good": candidate("good")})
    log.answer(400, "best", best=0.0, good=0.3)
    after = judge.fold(log.rows(80))
    assert [d.version for d in after.rejected] == ["good"]
    assert after.rejected[0].scores["rows"] == after.rejected[0].offset - 79


@pytest.mark.parametrize("restarts", [False, True])
def test_a_champion_that_a_person_chose_is_challenged_afresh(restarts: bool) -> None:
    judge = judge_of(candidate("old"), candidate("new"), gate_max_rows=100)
    log = Log().answer(90, old=0.0, new=0.0)
    judge.fold(log.rows())
    if restarts:
        judge = Judge.restore(judge.snapshot(), "bikes", **(SETTINGS | {"gate_max_rows": 100}))
    judge.follow(candidate("other"), {"new": candidate("new")})
    log.answer(100, "other", other=0.0, new=0.0)
    assert judge.fold(log.rows(90, 189)) == Judged()
    assert [d.offset for d in judge.fold(log.rows(189)).rejected] == [189]


def test_all_rows_of_a_batch_are_predicted_in_one_call() -> None:
    sizes = []
    other = candidate("new")

    def predict(rows: Rows) -> Predictions:
        sizes.append(len(rows))
        return other.predict(rows)

    judge = judge_of(candidate("old"), candidate("new", predict=predict))
    judge.fold(Log().answer(100, old=0.1, new=0.1).rows())
    assert sizes == [100]


def test_a_row_that_a_challenger_cannot_answer_is_its_mistake() -> None:
    def predict(rows: Rows) -> Predictions:
        if any(row["old"] == "yes" for row in rows):
            raise PredictionError("division by zero")
        return candidate("new").predict(rows)

    judge = judge_of(candidate("old"), candidate("new", predict=predict))
    judged = judge.fold(Log().answer(100, old=0.2, new=0.0).rows())
    assert [d.version for d in judged.rejected] == ["new"]
    assert judged.rejected[0].scores["zero-one"] > 0.5


def test_an_answer_that_is_no_number_is_a_mistake() -> None:
    def predict(rows: Rows) -> Predictions:
        return Predictions(np.full(len(rows), np.nan))

    regressor = {"loss": "absolute", "loss_scale": 2.0, "classes": None}
    judge = judge_of(candidate("old", **regressor), candidate("new", predict=predict, **regressor))
    log = Log()
    for _ in range(50):
        log.append("old", {"x": "1"}, prediction=3.0, label=4.0)
    (decision,) = judge.fold(log.rows()).rejected
    assert (decision.scores["champion-absolute"], decision.scores["absolute"]) == (0.5, 1.0)


def test_a_challenger_that_lacks_what_the_loss_needs_is_rejected() -> None:
    judge = judge_of(candidate("old", loss="brier"), candidate("new"))
    log = Log()
    log.append("old", {"old": "no", "new": "yes"}, probabilities={"no": 0.6, "yes": 0.4})
    judged = judge.fold(log.rows())
    assert judged.rejected[0].note.startswith("rejected: it cannot be judged: the loss brier needs")


def test_a_margin_asks_for_more() -> None:
    log = Log().answer(800, old=0.2, new=0.1)
    judge = judge_of(candidate("old"), candidate("new"), gate_margin=0.3)
    judged = judge.fold(log.rows())
    assert [d.version for d in judged.rejected] == ["new"]


def test_growing_losses_open_an_alert_and_ask_for_a_training() -> None:
    judge = judge_of(candidate("old", baseline=baseline(0.1)))
    log = Log().answer(500, old=0.1).answer(300, old=0.5)
    judged = judge.fold(log.rows())
    (alert,) = judged.alerts
    assert (alert.kind, alert.subject, alert.state, alert.severity) == (
        "accuracy", "zero-one", "opened", "critical",
    )  # fmt: skip
    assert alert.model is not None
    assert alert.model.version == "old"
    assert alert.window is not None
    assert alert.window.events <= 60
    assert alert.window.to == alert.opened_at == alert.updated_at
    end = alert.window.to // MINUTE_MS
    assert alert.window.from_ == (end - alert.window.events + 1) * MINUTE_MS
    assert max(until for _, until in alert.window.partitions.values()) == end + 1
    assert alert.summary.endswith(f"over the last {alert.window.events} labelled rows, 10.0 % on the holdout")
    assert judge.open_alert == alert
    first, *more = judged.retrains
    assert (first.event.reason, first.event.caused_by) == ("accuracy", alert.id)
    assert first.at_ms == (end - 2) * MINUTE_MS
    assert [due.event.caused_by for due in more] == [alert.id]


def test_while_it_stays_bad_trainings_are_asked_for_again_after_a_pause() -> None:
    judge = judge_of(candidate("old", baseline=baseline(0.1)))
    judged = judge.fold(Log().answer(1_000, old=0.5).rows())
    assert len(judged.alerts) == 1
    assert 3 <= len(judged.retrains) <= 5
    assert len({due.event.id for due in judged.retrains}) == len(judged.retrains)
    assert (np.diff([due.at_ms for due in judged.retrains]) >= 200 * MINUTE_MS).all()


def test_an_alert_clears_when_the_losses_were_quiet() -> None:
    judge = judge_of(candidate("old", baseline=baseline(0.1)))
    log = Log().answer(100, old=0.6).answer(700, old=0.05)
    opened, cleared = judge.fold(log.rows()).alerts
    assert (cleared.id, cleared.state, cleared.resolution) == (opened.id, "resolved", "cleared")
    assert cleared.updated_at >= opened.updated_at + 500 * MINUTE_MS
    assert judge.open_alert is None
    again = judge.fold(log.answer(100, old=0.6).rows(800)).alerts
    assert [alert.state for alert in again] == ["opened"]
    assert again[0].id != opened.id


def test_an_alert_ends_with_its_champion() -> None:
    judge = judge_of(candidate("old", baseline=baseline(0.1)))
    log = Log().answer(100, old=0.6)
    (opened,) = judge.fold(log.rows()).alerts
    judge.follow(candidate("new"), {})
    restored = Judge.restore(judge.snapshot(), "bikes", **SETTINGS)
    restored.follow(candidate("new"), {})
    (resolved,) = restored.fold(log.answer(1, "new", new=0.0).rows(100)).alerts
    assert (resolved.id, resolved.state, resolved.resolution) == (opened.id, "resolved", "rebased")
    assert resolved.updated_at == 97 * MINUTE_MS


def test_a_promotion_resolves_the_alert_at_once() -> None:
    judge = judge_of(candidate("old", baseline=baseline(0.1)), candidate("new"))
    judged = judge.fold(Log().answer(400, old=0.4, new=0.1).rows())
    assert [(alert.state, alert.resolution) for alert in judged.alerts] == [
        ("opened", None), ("resolved", "rebased"),
    ]  # fmt: skip
    assert judged.promoted is not None
    assert judged.alerts[1].updated_at >= judged.promoted.at_ms


def test_without_a_holdout_the_first_labelled_rows_are_the_baseline() -> None:
    judge = judge_of(candidate("old"))
    log = Log().answer(1_999, old=0.2)
    assert judge.fold(log.rows()) == Judged()
    assert not judge.has_baseline
    judged = judge.fold(log.answer(300, old=0.2).answer(200, old=0.7).rows(1_999))
    assert judge.has_baseline
    assert judged.alerts[0].summary.endswith("on its first 2,000 labelled rows")
    assert judged.alerts[0].opened_at > 2_299 * MINUTE_MS
    assert judged.alerts[0].opened_at == judged.retrains[0].at_ms + 2 * MINUTE_MS


def test_a_baseline_of_another_loss_is_none() -> None:
    assert not judge_of(candidate("old", loss="brier", baseline=baseline(0.1))).has_baseline


def test_answers_of_an_earlier_version_raise_no_alarm() -> None:
    judge = judge_of(candidate("old", baseline=baseline(0.1)))
    assert judge.fold(Log().answer(500, "older", older=0.9, old=0.9).rows()).alerts == []


def test_trainings_come_by_schedule_in_stream_time() -> None:
    hour = 60 * MINUTE_MS
    judge = judge_of(candidate("old", newest_training_data_at_ms=-30 * MINUTE_MS), retrain_every_ms=hour)
    judged = judge.fold(Log().answer(220, old=0.0).rows())
    assert [due.event.reason for due in judged.retrains] == ["schedule"] * 4
    assert [due.at_ms // MINUTE_MS for due in judged.retrains] == [30, 90, 150, 210]
    assert judged.retrains[0].event.caused_by is None


def test_a_new_training_begins_the_period_anew() -> None:
    hour = 60 * MINUTE_MS
    judge = judge_of(candidate("old"), retrain_every_ms=hour)
    log = Log().answer(50, old=0.0, new=0.0)
    assert judge.fold(log.rows()).retrains == []
    judge.follow(candidate("old"), {"new": candidate("new", newest_training_data_at_ms=45 * MINUTE_MS)})
    judged = judge.fold(log.answer(100, old=0.0, new=0.0).rows(50))
    assert [due.at_ms // MINUTE_MS for due in judged.retrains] == [105]


def test_data_from_the_streams_future_do_not_stop_the_schedule() -> None:
    far = 1_000_000 * MINUTE_MS
    judge = judge_of(candidate("old", newest_training_data_at_ms=far), retrain_every_ms=60 * MINUTE_MS)
    judged = judge.fold(Log().answer(100, old=0.0).rows())
    assert [due.at_ms // MINUTE_MS for due in judged.retrains] == [60]


def test_before_a_champion_is_known_only_time_passes() -> None:
    judge = Judge("bikes", **(SETTINGS | {"retrain_every_ms": 60 * MINUTE_MS}))
    judged = judge.fold(Log().answer(100, old=1.0).rows())
    assert len(judged.retrains) == 1
    assert judged.alerts == []
    assert judge.quality is None


def test_quality_is_of_the_answers_that_were_given() -> None:
    judge = judge_of(candidate("old"))
    log = Log().answer(50, old=1.0).answer(50, "older", older=0.0)
    judge.fold(log.rows())
    quality = judge.quality
    assert quality is not None
    assert (quality.rows, quality.metrics["accuracy"]) == (100, 0.5)


def test_no_rows_cause_nothing() -> None:
    assert judge_of(candidate("old")).fold(Log().rows()) == Judged()


def test_times_are_event_times() -> None:
    judge = judge_of(candidate("old", baseline=baseline(0.1)))
    (alert,) = judge.fold(Log().answer(100, old=0.6).rows()).alerts
    assert b"1970-01-01T00:" in Alert.encode(alert)
    assert format_time(alert.updated_at).startswith("1970-01-01T00:")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"accuracy_false_alarm_every": 1}, "accuracy_false_alarm_every is 1"),
        ({"gate_alpha": 2.0}, "alpha is 2"),
        ({"retrain_every_ms": 0}, "every 0 ms"),
    ],
)
def test_settings_outside_their_bounds_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Judge("bikes", **(SETTINGS | setting))


def test_without_a_gate_the_newest_challenger_wins_with_the_next_row() -> None:
    newer = candidate("newer", newest_training_data_at_ms=7 * MINUTE_MS)
    older = candidate("older", newest_training_data_at_ms=3 * MINUTE_MS)
    judge = judge_of(candidate("old"), newer, older, gate=False)
    judged = judge.fold(Log().answer(5, old=0.0, newer=1.0, older=0.0).rows())
    assert judged.promoted is not None
    assert (judged.promoted.version, judged.promoted.offset) == ("newer", 0)
    assert judged.promoted.note == "promoted without comparison: the gate is off"
    assert [d.note for d in judged.rejected] == ["rejected: newer is newer, and the gate is off"]
    judge.follow(newer, {"older": older})
    assert judge.fold(Log().answer(9, "newer", newer=1.0, older=0.0).rows(5)) == Judged()


def test_without_a_gate_a_restart_changes_nothing() -> None:
    judge = judge_of(candidate("old"), candidate("new"), gate=False)
    again = Judge.restore(judge.snapshot(), "bikes", **SETTINGS, gate=False)
    again.follow(candidate("old"), {"new": candidate("new")})
    rows = Log().answer(2, old=0.0, new=1.0).rows()
    assert again.fold(rows) == judge.fold(rows)


def test_the_accuracy_alert_is_about_the_segment_that_has_become_worse() -> None:
    def log(worse: float, seed: int) -> Log:
        log = Log(np.random.default_rng(seed))
        for _ in range(2_000):
            city = str(log.rng.choice(["Aue", "Bonn"], p=[0.9, 0.1]))
            wrong = log.rng.random() < (worse if city == "Bonn" else 0.1)
            log.append("old", {"old": "no" if wrong else "yes", "city": city})
        return log

    holdout = log(0.1, 1).rows()
    levels = {"city": np.array([(row or {})["city"] for row in holdout.features], dtype=object)}
    known = Baseline.of_losses("zero-one", (holdout.predictions == "no").astype(float), levels)
    segments = Segments((SegmentColumn("city", "string", ("Aue", "Bonn")),))
    champion = candidate("old", baseline=known, segments=segments)
    judge = judge_of(champion, accuracy_false_alarm_every=10_000)
    judged = judge.fold(log(0.9, 2).rows())
    assert [(a.subject, a.features[0].name) for a in judged.alerts] == [("city=Bonn", "city")]
    assert judged.retrains[0].event.caused_by == judged.alerts[0].id
    again = Judge.restore(judge.snapshot(), "bikes", **(SETTINGS | {"accuracy_false_alarm_every": 10_000}))
    assert again.open_alert == judge.open_alert == judged.alerts[0]


def test_an_alarm_says_since_when_and_trainings_follow_it() -> None:
    judge = judge_of(candidate("old", baseline=baseline(0.1)), retrain_cooldown_rows=10_000)
    log = Log().answer(1_000, old=0.1).answer(2_500, old=0.5)
    asked = [due.event for due in judge.fold(log.rows()).retrains]
    first, *more = asked
    assert first.reason == "accuracy"
    assert first.since is not None
    assert 900 <= first.since <= 1_050
    assert {(event.reason, event.caused_by, event.since) for event in more} == {
        ("accuracy", first.caused_by, first.since)
    }
    # At about 1,000 and 2,000 rows since then; 4,000 are not there yet.
    assert len(more) == 2
    assert len({event.id for event in asked}) == 3


def test_nothing_follows_an_alarm_that_was_over_soon() -> None:
    judge = judge_of(candidate("old", baseline=baseline(0.1)), retrain_cooldown_rows=10_000)
    log = Log().answer(1_000, old=0.1).answer(80, old=0.9).answer(4_000, old=0.02)
    assert len(judge.fold(log.rows()).retrains) == 1


@pytest.mark.parametrize("step", [37, 5_000])
def test_a_schedule_in_rows_counts_from_the_last_reason(step: int) -> None:
    old = candidate("old", baseline=baseline(0.1))
    judge = judge_of(old, retrain_every_rows=700, retrain_cooldown_rows=10_000)
    rows = Log().answer(1_000, old=0.1).answer(80, old=0.9).answer(1_000, old=0.02).rows()
    asked = []
    for start in range(0, len(rows), step):
        part = rows.take(np.arange(start, min(start + step, len(rows))))
        asked += judge.fold(part).retrains
    assert [due.event.reason for due in asked] == ["schedule", "accuracy", "schedule"]
    last = asked[-1].at_ms - asked[-2].at_ms
    assert last == 700 * MINUTE_MS


@pytest.mark.parametrize("step", [37, 50_000])
def test_a_schedule_that_no_version_answers_waits_twice_as_long_each_time(step: int) -> None:
    judge = judge_of(candidate("old"), retrain_every_rows=100, gate_max_rows=100_000)
    rows = Log().answer(2_000, old=0.1, new=0.1).rows()

    def at(part: slice) -> list[int]:
        asked = []
        for start in range(part.start, part.stop, step):
            chunk = rows.take(np.arange(start, min(start + step, part.stop)))
            asked += [due.at_ms // MINUTE_MS for due in judge.fold(chunk).retrains]
        return asked

    first = at(slice(0, 1_550))
    assert np.diff(first).tolist() == [200, 400, 800]
    judge = Judge.restore(judge.snapshot(), "bikes", **(SETTINGS | {"retrain_every_rows": 100}))
    judge.follow(candidate("old"), {"new": candidate("new")})
    again = at(slice(1_550, 2_000))
    assert again[0] - first[-1] == 100, "a version has come: the schedule begins anew"
    assert np.diff(again).tolist() == [200]
