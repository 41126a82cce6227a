"""Challengers that go on learning, as JUDGE judges them."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from river import base

from streamapp.models import Predictions, Rows, Signature
from streamapp.models.segments import SegmentColumn, Segments
from streamapp.quality import LabelledRows, OnlineLearner
from streamapp.quality.learning_lag import LearningLag
from streamapp.rollout import Candidate, Judge, Judged

from .conftest import MINUTE_MS, SETTINGS, baseline

CLASSES = ("no", "yes")


class Last(base.Classifier):  # type: ignore[misc]
    """Answers the label it has learned last for the same side."""

    def __init__(self) -> None:
        self.last = {0: "no", 1: "no"}

    def learn_one(self, x: dict[str, Any], y: str) -> None:
        self.last[x["side"]] = y

    def predict_one(self, x: dict[str, Any]) -> str:
        return self.last[x["side"]]


SIGNATURE = Signature.infer({"side": np.array([0, 1])}, np.array(["no", "yes"], dtype=object), Last())


def candidate(version: str, *, learns: bool = False, **fields: Any) -> Candidate:
    """A version that says no; it learns if told so."""

    def predict(rows: Rows) -> Predictions:
        return Predictions(np.array(["no"] * len(rows), dtype=object), None, CLASSES)

    def learner() -> OnlineLearner:
        return OnlineLearner(
            Last(),
            SIGNATURE,
            learned_until_ms=fields.get("newest_training_data_at_ms"),
            lag=LearningLag(at_least=3),
        )

    given: dict[str, Any] = {"predict": predict, "loss": "zero-one", "classes": CLASSES} | fields
    return Candidate(version=version, learner=learner if learns else None, **given)


def log(n: int, *, label: str | None = "yes", seed: int = 0, first: int = 0, **fields: Any) -> list[Any]:
    """`n` records: a request a minute, a label half an hour later; `label` is drawn where it is None."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(CLASSES, n).tolist() if label is None else [label] * n
    sides = rng.integers(0, 2, n).tolist()
    return [
        orjson.dumps(
            {
                "model": {"version": "old"}, "prediction": "no", "features": {"side": side}, "label": given,
                "source": "system", "labelled_at": (i + 30) * MINUTE_MS, "revision": 0,
                "request": {"partition": 0, "offset": i, "timestamp": 0},
            } | fields
        )
        for i, (side, given) in enumerate(zip(sides, drawn, strict=True), start=first)
    ]  # fmt: skip


def rows(records: list[Any], start: int = 0, end: int | None = None) -> LabelledRows:
    chosen = records[start:end]
    offsets = range(start, start + len(chosen))
    return LabelledRows.read(chosen, offsets, [offset * MINUTE_MS for offset in offsets])


def judge_of(*challengers: Candidate, champion: str = "old", **settings: Any) -> Judge:
    judge = Judge("bikes", **(SETTINGS | settings))
    judge.follow(candidate(champion), {c.version: c for c in challengers})
    return judge


def test_the_learner_is_judged_and_not_what_it_began_as() -> None:
    records = log(400)
    promoted = judge_of(candidate("new", learns=True)).fold(rows(records)).promoted
    assert promoted is not None
    assert promoted.version == "new"
    # The labels of the first half hour are given at its end: until then it says no, as the champion does.
    assert 0.0 < promoted.scores["zero-one"] < promoted.scores["champion-zero-one"] == 1.0
    assert promoted.scores["zero-one"] * promoted.scores["rows"] == pytest.approx(32, abs=2)
    frozen = judge_of(candidate("new"), gate_max_rows=300).fold(rows(records))
    assert frozen.promoted is None
    assert [decision.version for decision in frozen.rejected] == ["new"]


def test_it_does_not_know_the_label_that_it_is_to_foretell() -> None:
    judged = judge_of(candidate("new", learns=True), gate_max_rows=800).fold(rows(log(1_000, label=None)))
    assert judged.promoted is None
    (rejected,) = judged.rejected
    assert rejected.scores["zero-one"] == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("size", [1, 7, 150])
def test_any_cut_gives_the_same_decision(size: int) -> None:
    records = log(400)
    whole = judge_of(candidate("new", learns=True)).fold(rows(records)).promoted
    judge = judge_of(candidate("new", learns=True))
    parts = (judge.fold(rows(records, at, at + size)) for at in range(0, len(records), size))
    assert next(part.promoted for part in parts if part.promoted is not None) == whole


@pytest.mark.parametrize("stop", [1, 25, 34, 39])
def test_a_restart_learns_the_rows_again_and_decides_the_same(stop: int) -> None:
    records = log(400)
    whole = judge_of(candidate("new", learns=True)).fold(rows(records)).promoted
    judge = judge_of(candidate("new", learns=True))
    assert judge.fold(rows(records, 0, stop)) == Judged()
    again = Judge.restore(judge.snapshot(), "bikes", **SETTINGS)
    assert again.online.relearn_from is None
    again.follow(candidate("old"), {"new": candidate("new", learns=True)})
    assert again.online.relearn_from == 0
    for at in range(0, stop, 10):
        again.online.relearn(rows(records, at, min(at + 10, stop)))
    again.online.caught_up()
    assert again.online.relearn_from is None
    assert again.fold(rows(records, stop)).promoted == whole


def test_where_the_rows_are_gone_it_begins_anew() -> None:
    records = log(400)
    judge = judge_of(candidate("new", learns=True))
    assert judge.fold(rows(records, 0, 39)) == Judged()
    again = Judge.restore(judge.snapshot(), "bikes", **SETTINGS)
    again.follow(candidate("old"), {"new": candidate("new", learns=True)})
    again.online.begin_anew_before(20)
    again.online.relearn(rows(records, 20, 39))
    again.online.caught_up()
    promoted = again.fold(rows(records, 39)).promoted
    assert promoted is not None
    fresh = judge_of(candidate("new", learns=True)).fold(rows(records, 39)).promoted
    assert fresh is not None
    assert (promoted.offset, promoted.scores["rows"]) == (fresh.offset, fresh.scores["rows"])


def test_what_it_has_learned_outlives_a_champion_and_its_gate_does_not() -> None:
    records = log(39) + log(361, first=39, model={"version": "newer"})
    judge = judge_of(candidate("new", learns=True))
    assert judge.fold(rows(records, 0, 39)) == Judged()
    judge.follow(candidate("newer"), {"new": candidate("new", learns=True)})
    assert judge.fold(rows(records, 39, 45)) == Judged()
    # A restart keeps where it began to learn, and where it began to be judged.
    again = Judge.restore(judge.snapshot(), "bikes", **SETTINGS)
    again.follow(candidate("newer"), {"new": candidate("new", learns=True)})
    again.online.relearn(rows(records, 0, 45))
    again.online.caught_up()
    promoted = judge.fold(rows(records, 45)).promoted
    assert promoted is not None
    assert promoted.scores["zero-one"] == 0.0
    assert again.fold(rows(records, 45)).promoted == promoted


def test_only_rows_of_the_champion_requested_after_what_was_learned_count() -> None:
    learned_ms = 100 * MINUTE_MS
    new = candidate("new", learns=True, newest_training_data_at_ms=learned_ms)
    promoted = judge_of(new).fold(rows(log(400))).promoted
    assert promoted is not None
    # Row 101 is the first that counts; answers come two or three rows after the row.
    assert promoted.offset - 101 - promoted.scores["rows"] == pytest.approx(1, abs=2)
    others = judge_of(new).fold(rows(log(400, model={"version": "other"})))
    assert others == Judged()


@pytest.mark.parametrize(
    "spoil", [{"revision": 1}, {"request": {"partition": 0, "offset": 1, "timestamp": 0}}]
)
def test_corrections_and_repeats_are_not_learned(spoil: dict[str, Any]) -> None:
    judge = judge_of(candidate("new", learns=True))
    assert judge.fold(rows(log(400, **spoil))) == Judged()


def test_a_loss_that_needs_what_it_lacks_rejects_it() -> None:
    judge = Judge("bikes", **SETTINGS)
    judge.follow(candidate("old", loss="brier"), {"new": candidate("new", learns=True)})
    judged = judge.fold(rows(log(60, probabilities={"no": 0.9, "yes": 0.1})))
    (rejected,) = judged.rejected
    assert rejected.note.startswith("rejected: it cannot be judged")


def test_rows_that_it_cannot_answer_are_as_bad_as_can_be() -> None:
    judge = judge_of(candidate("new", learns=True))
    judged = judge.fold(rows(log(400, label="no", features={"side": "left"})))
    (rejected,) = judged.rejected
    assert rejected.scores["zero-one"] == 1.0


def test_switched_off_in_between_its_trial_begins_anew_as_what_it_was() -> None:
    records = log(400)
    judge = judge_of(candidate("new", learns=True), gate_max_rows=300)
    assert judge.fold(rows(records, 0, 38)) == Judged()
    again = Judge.restore(judge.snapshot(), "bikes", **(SETTINGS | {"gate_max_rows": 300}))
    again.follow(candidate("old"), {"new": candidate("new")})
    assert again.online.relearn_from is None
    judged = again.fold(rows(records, 38))
    assert judged.promoted is None
    assert judged.rejected[0].scores["rows"] == 300


@pytest.mark.parametrize("stop", [50, 75, 95])
def test_the_margin_in_alarm_holds_also_for_rows_that_are_learned_again(stop: int) -> None:
    settings = SETTINGS | {
        "gate_margin": 0.05,
        "gate_margin_in_alarm": -0.2,
        "accuracy_false_alarm_every": 100,
    }
    # The champion is right for an hour, and half wrong from then on, as the learner is.
    records = log(60, label="no") + log(500, label=None, first=60)
    old = candidate("old", baseline=baseline(0.05))
    whole = Judge("bikes", **settings)
    whole.follow(old, {"new": candidate("new", learns=True)})
    judged = whole.fold(rows(records))
    assert judged.promoted is not None
    assert judged.promoted.note.startswith("promoted while the champion is in alarm: its zero-one loss is")
    calm = Judge("bikes", **(settings | {"gate_margin_in_alarm": None}))
    calm.follow(old, {"new": candidate("new", learns=True)})
    assert calm.fold(rows(records, 0, judged.promoted.offset + 1)).promoted is None
    judge = Judge("bikes", **settings)
    judge.follow(old, {"new": candidate("new", learns=True)})
    assert judge.fold(rows(records, 0, stop)).promoted is None
    again = Judge.restore(judge.snapshot(), "bikes", **settings)
    again.follow(old, {"new": candidate("new", learns=True)})
    again.online.relearn(rows(records, 0, stop))
    again.online.caught_up()
    assert again.fold(rows(records, stop)).promoted == judged.promoted


def test_a_learner_that_is_far_worse_in_a_segment_is_rejected_with_its_name() -> None:
    rng = np.random.default_rng(1)
    records = []
    for i in range(600):
        side = int(rng.integers(0, 2))
        label = str(rng.choice(CLASSES)) if side == 0 else "yes"
        prediction = label if side == 0 else "no"  # the champion knows one side and not the other
        records += log(1, label=label, first=i, features={"side": side}, prediction=prediction)
    settings = SETTINGS | {"gate_alpha": 1e-6, "gate_segment_rows": 20}
    old = candidate("old", segments=Segments((SegmentColumn("side", "integer", ("0", "1")),)))
    judge = Judge("bikes", **settings)
    judge.follow(old, {"new": candidate("new", learns=True)})
    judged = judge.fold(rows(records))
    assert judged.promoted is None
    assert judged.rejected[0].note.startswith("rejected: where side is 0 its zero-one loss is higher by 0.")
    free = Judge("bikes", **(settings | {"gate_segment_margin": None}))
    free.follow(old, {"new": candidate("new", learns=True)})
    assert free.fold(rows(records)).promoted is not None


def test_with_the_gate_off_it_wins_as_it_is_and_has_learned_nothing() -> None:
    promoted = judge_of(candidate("new", learns=True), gate=False).fold(rows(log(5))).promoted
    assert promoted is not None
    assert (promoted.version, promoted.offset, promoted.learned_from) == ("new", 0, None)


def test_a_restart_between_two_champions_lets_no_row_of_the_first_count() -> None:
    records = log(39) + log(361, first=39, model={"version": "newer"})
    judge = judge_of(candidate("new", learns=True))
    assert judge.fold(rows(records, 0, 39)) == Judged()
    judge.follow(candidate("newer"), {"new": candidate("new", learns=True)})
    again = Judge.restore(judge.snapshot(), "bikes", **SETTINGS)
    again.follow(candidate("newer"), {"new": candidate("new", learns=True)})
    again.online.relearn(rows(records, 0, 39))
    again.online.caught_up()
    assert again.fold(rows(records, 39)).promoted == judge.fold(rows(records, 39)).promoted


def served(first: int, n: int, *, right: bool) -> LabelledRows:
    """Rows that the learner, or a snapshot of it, has answered; what it says, the one before never does."""
    records = log(n, label="yes" if right else "no", first=first, model={"version": "new"}, prediction="yes")
    return LabelledRows.read(
        records, range(first, first + n), [i * MINUTE_MS for i in range(first, first + n)]
    )


def won() -> Judge:
    judge = judge_of(candidate("new", learns=True))
    assert judge.fold(rows(log(400))).promoted is not None
    return judge


def test_snapshots_that_take_over_do_not_begin_the_guard_afresh() -> None:
    judge, once = won(), won()
    first = candidate("new", newest_training_data_at_ms=399 * MINUTE_MS)
    once.follow(first, {}, {"old": candidate("old")})
    whole = once.fold(served(400, 300, right=False)).promoted
    assert whole is not None
    assert (whole.version, whole.rolled_back, whole.scores["zero-one"]) == ("old", "new", 0.0)
    for at in range(400, whole.offset + 1):  # they are new versions to everyone but the judge
        judge.follow(first, {}, {"old": candidate("old")})
        assert judge.shadows("new") == ("old",)
        promoted = judge.fold(served(at, 1, right=False)).promoted
        assert promoted == (whole if at == whole.offset else None)
    assert judge.shadows("old") == ("new",)


def test_what_a_learner_answers_before_its_first_snapshot_does_not_roll_it_back() -> None:
    judge = won()
    judge.follow(candidate("new"), {})
    assert judge.fold(served(400, 100, right=False)).promoted is None
    first = candidate("new", newest_training_data_at_ms=599 * MINUTE_MS)
    judge.follow(first, {}, {"old": candidate("old")})
    assert judge.fold(served(500, 100, right=False)).promoted is None
    promoted = judge.fold(served(600, 100, right=False)).promoted
    assert promoted is not None
    assert (promoted.version, promoted.rolled_back) == ("old", "new")
    assert promoted.offset == 599 + promoted.scores["rows"]
