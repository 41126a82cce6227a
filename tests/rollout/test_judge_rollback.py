"""What becomes of champions that were replaced: they guard, they come back, they wait."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamapp.errors import ConfigError
from streamapp.models.segments import SegmentColumn, Segments
from streamapp.rollout import Candidate, Judge, Judged
from streamapp.rollout.terms import Terms

from .conftest import MINUTE_MS, SETTINGS, Log, baseline, candidate

VERSIONS = {name: candidate(name) for name in ("old", "new", "newest")}


def judge_of(**settings: Any) -> Judge:
    judge = Judge("bikes", **(SETTINGS | {"rollback_cooldown_rows": 100} | settings))
    follow(judge, "old")
    return judge


def follow(judge: Judge, champion: str, *challengers: Candidate) -> None:
    former = {version: VERSIONS[version] for version in judge.shadows(champion)}
    judge.follow(VERSIONS[champion], {c.version: c for c in challengers}, former)


def by_hand(**settings: Any) -> tuple[Judge, Log]:
    """A judge whose new champion was promoted by hand after 50 rows."""
    judge, log = judge_of(**settings), Log().answer(50, old=0.1)
    judge.fold(log.rows())
    follow(judge, "new")
    return judge, log


def test_a_champion_that_is_worse_than_the_one_before_is_rolled_back_with_an_alert() -> None:
    judge, log = by_hand()
    judged = judge.fold(log.answer(400, "new", old=0.1, new=0.4).rows(50))
    decision = judged.promoted
    assert decision is not None
    assert (decision.version, decision.rolled_back) == ("old", "new")
    assert decision.note.startswith("back: its zero-one loss is 0.")
    assert decision.scores["zero-one"] < decision.scores["champion-zero-one"]
    assert decision.offset < 150
    opened, resolved = judged.alerts
    assert (opened.kind, opened.subject, opened.state, opened.severity) == (
        "accuracy", "rollback", "opened", "critical",
    )  # fmt: skip
    assert opened.summary.startswith("rolled back from new to old: over ")
    assert opened.model is not None
    assert opened.model.version == "new"
    assert (resolved.id, resolved.state) == (opened.id, "resolved")
    assert judged.rejected == []


def test_its_own_accuracy_alert_is_resolved_before_that_of_the_rollback_opens() -> None:
    judge, log = judge_of(), Log().answer(50, old=0.1)
    judge.fold(log.rows())
    new = candidate("new", baseline=baseline(0.1))
    judge.follow(new, {}, {"old": VERSIONS["old"]})
    judged = judge.fold(log.answer(400, "new", old=0.1, new=0.5).rows(50))
    assert [(alert.subject, alert.state) for alert in judged.alerts] == [
        ("zero-one", "opened"), ("zero-one", "resolved"), ("rollback", "opened"), ("rollback", "resolved"),
    ]  # fmt: skip


def test_a_champion_that_the_gate_promoted_is_guarded_too() -> None:
    judge = judge_of()
    follow(judge, "old", VERSIONS["new"])
    log = Log().answer(400, old=0.5, new=0.1)
    promoted = judge.fold(log.rows()).promoted
    assert promoted is not None
    assert promoted.rolled_back is None
    follow(judge, "new")
    back = judge.fold(log.answer(400, "new", old=0.1, new=0.5).rows(400)).promoted
    assert back is not None
    assert back.rolled_back == "new"


def test_there_is_no_ping_pong() -> None:
    """What was rolled back comes back by a fresh gate only, on rows after the cooldown."""
    judge, log = by_hand()
    back = judge.fold(log.answer(20, "new", old=0.0, new=1.0).rows(50)).promoted
    assert back is not None
    follow(judge, "old")
    before = len(log.records)
    judged = judge.fold(log.answer(200, "old", old=1.0, new=0.0).rows(before))
    assert judged.promoted is not None
    again = judged.promoted
    assert (again.version, again.rolled_back) == ("new", None)
    assert again.note.startswith("promoted again: ")
    assert again.offset - back.offset == 100 + again.scores["rows"]


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("cut", [180, 200, 260])
def test_what_was_rolled_back_has_one_gate(cut: int, restarts: bool) -> None:
    judge, log = by_hand()
    assert judge.fold(log.answer(20, "new", old=0.0, new=1.0).rows(50)).promoted is not None
    follow(judge, "old")
    log.answer(190, "old", old=0.1, new=0.9).answer(100, "old", old=0.9, new=0.0)
    found = [judge.fold(log.rows(70, cut)).promoted]
    if restarts:
        settings = SETTINGS | {"rollback_cooldown_rows": 100}
        judge = Judge.restore(judge.snapshot(), "bikes", **settings)
        follow(judge, "old")
    assert [*found, judge.fold(log.rows(cut)).promoted] == [None, None]


def test_nobody_guards_a_champion_that_was_gone_back_to() -> None:
    judge, log = by_hand(rollback_cooldown_rows=5_000)
    follow(judge, "old")  # by hand, too
    judged = judge.fold(log.answer(1_000, "old", old=0.9, new=0.0).rows(50))
    assert judged.promoted is None


def test_after_its_rows_the_guard_is_a_challenger_like_others() -> None:
    judge, log = by_hand(rollback_rows=60)
    judge.fold(log.answer(100, "new", old=0.1, new=0.1).rows(50))
    judged = judge.fold(log.answer(200, "new", old=0.0, new=0.6).rows(150))
    assert judged.promoted is not None
    assert (judged.promoted.version, judged.promoted.rolled_back) == ("old", None)
    assert judged.promoted.scores["rows"] == judged.promoted.offset + 1 - 110


def test_without_guard_and_former_champions_a_promotion_by_hand_is_final() -> None:
    judge, log = by_hand(rollback_rows=0, keep_champions=0)
    assert judge.shadows("new") == ()
    assert judge.fold(log.answer(500, "new", old=0.0, new=0.9).rows(50)) == Judged()


def test_without_a_gate_a_champion_is_guarded_and_nothing_comes_back_by_itself() -> None:
    judge, log = by_hand(gate=False, rollback_rows=60)
    again = Judge.restore(judge.snapshot(), "bikes", **SETTINGS, gate=False, rollback_rows=60)
    assert judge.fold(log.answer(60, "new", old=0.1, new=0.1).rows(50)) == Judged()
    assert judge.fold(log.answer(300, "new", old=0.0, new=0.9).rows(110)) == Judged()
    again.follow(VERSIONS["new"], {}, {"old": VERSIONS["old"]})
    worse = Log().answer(50, old=0.1).answer(60, "new", old=0.0, new=0.9)
    assert Judge.restore(judge.snapshot(), "bikes", **SETTINGS, gate=False).shadows("new") == ("old",)
    assert again.shadows("new") == ("old",)
    fresh = Judge("bikes", **SETTINGS, gate=False)
    follow(fresh, "old")
    fresh.fold(worse.rows(0, 50))
    follow(fresh, "new")
    promoted = fresh.fold(worse.rows(50)).promoted
    assert promoted is not None
    assert promoted.rolled_back == "new"


def test_it_goes_back_to_the_one_before_though_others_would_do() -> None:
    judge, log = by_hand()
    judge.fold(log.answer(30, "new", old=0.1, new=0.1, newest=0.1).rows(50))
    follow(judge, "newest")
    rest = log.answer(200, "newest", old=0.0, new=0.1, newest=0.9)
    decision = judge.fold(rest.rows(80)).promoted
    assert decision is not None
    assert (decision.version, decision.rolled_back) == ("new", "newest")


@pytest.mark.parametrize("cut", [90, 139, 140, 141, 300])
def test_others_may_come_back_from_when_the_guard_is_done(cut: int) -> None:
    judge, log = by_hand(rollback_rows=60, gate_max_rows=10_000)
    judge.fold(log.answer(30, "new", old=0.1, new=0.1, newest=0.1).rows(50))
    follow(judge, "newest")
    log.answer(60, "newest", old=0.0, new=0.2, newest=0.2).answer(300, "newest", old=0.0, new=0.4, newest=0.4)
    found = [judge.fold(log.rows(80, cut)), judge.fold(log.rows(cut))]
    [decision] = [judged.promoted for judged in found if judged.promoted is not None]
    assert (decision.version, decision.rolled_back) == ("old", None)
    assert decision.scores["rows"] == decision.offset + 1 - 140


def test_a_regime_that_comes_back_brings_its_champion_back() -> None:
    """The former champion loses its gate first, and wins a fresh one when its regime returns."""
    judge, log = by_hand(rollback_rows=50, gate_max_rows=10_000)
    judge.fold(log.answer(400, "new", old=0.6, new=0.1).rows(50))
    judged = judge.fold(log.answer(400, "new", old=0.1, new=0.6).rows(450))
    assert judged.promoted is not None
    assert judged.promoted.version == "old"
    assert judged.promoted.offset - 450 < 100
    assert judged.rejected == []


def test_in_alarm_a_challenger_that_is_no_worse_is_enough_and_may_be_as_much_worse() -> None:
    old = candidate("old", baseline=baseline(0.1))
    judge = Judge("bikes", **(SETTINGS | {"gate_margin_in_alarm": -0.1, "gate_max_rows": 5_000}))
    judge.follow(old, {"new": candidate("new")})
    log = Log().answer(100, old=0.1, new=0.1).answer(1_000, old=0.55, new=0.5)
    decision = judge.fold(log.rows()).promoted
    assert decision is not None
    assert decision.note.startswith("promoted while the champion is in alarm: its zero-one loss")
    calm = Judge("bikes", **(SETTINGS | {"gate_margin_in_alarm": None, "gate_max_rows": 5_000}))
    calm.follow(old, {"new": candidate("new")})
    later = calm.fold(log.rows()).promoted
    assert later is None or later.offset > decision.offset


def test_a_challenger_that_is_far_worse_in_a_segment_is_rejected_with_its_name() -> None:
    segments = Segments((SegmentColumn("city", "string", ("a", "b")),))
    log = Log()
    for i in range(800):
        in_a = i % 4 == 0
        worse, better = {"old": "yes", "new": "no"}, {"old": "no", "new": "yes"}
        answers = (
            worse
            if in_a and i % 8 == 0
            else better
            if not in_a and i % 3 == 0
            else {"old": "yes", "new": "yes"}
        )
        log.append("old", {**answers, "city": "a" if in_a else "b"})
    judge = Judge("bikes", **(SETTINGS | {"gate_alpha": 1e-6, "gate_segment_rows": 30}))
    judge.follow(candidate("old", segments=segments), {"new": candidate("new")})
    judged = judge.fold(log.rows())
    assert judged.promoted is None
    assert judged.rejected[0].note.startswith("rejected: where city is a its zero-one loss is higher by 0.")
    assert "over all: its zero-one loss is" in judged.rejected[0].note
    free = Judge("bikes", **(SETTINGS | {"gate_alpha": 1e-6, "gate_segment_margin": None}))
    free.follow(candidate("old", segments=segments), {"new": candidate("new")})
    assert free.fold(log.rows()).promoted is not None


def test_rows_from_before_it_was_replaced_do_not_count_for_a_former_champion() -> None:
    judge, log = by_hand()
    for _ in range(60):  # labels that come late: requests of the time before
        log.append("new", {"old": "yes", "new": "no"})
    early = [(value, 10 * MINUTE_MS) for value, _ in log.records[50:]]
    log.records[50:] = early
    assert judge.fold(log.rows(50)).promoted is None


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"keep_champions": -1}, "keep_champions is -1"),
        ({"rollback_alpha": 0.0}, "alpha is 0.0"),
        ({"rollback_rows": -1}, "rollback_rows is -1"),
        ({"gate_segment_rows": 1}, "segment_rows is 1"),
        ({"gate_segment_margin": 1.5}, "segment_margin is 1.5"),
    ],
)
def test_terms_outside_their_bounds_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Judge("bikes", **(SETTINGS | setting))


def test_who_has_served_before_must_be_better_in_alarm_too() -> None:
    terms = Terms(margin=0.0, margin_in_alarm=-0.1)
    worse = np.repeat([0.0, 1.0], 500)[np.random.default_rng(1).permutation(1_000)]
    in_alarm = np.ones(1_000, dtype=bool)
    assert terms.new_gate().update(worse, worse, in_alarm) == "promote"
    assert terms.new_gate(is_former=True).update(worse, worse, in_alarm) is None
