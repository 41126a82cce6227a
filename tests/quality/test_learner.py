from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import base, linear_model, preprocessing, tree

from streamapp.errors import ConfigError
from streamapp.messages import format_time
from streamapp.models import Bundle, Signature
from streamapp.quality import LabelledRows, OnlineLearner
from streamapp.quality.learning_lag import LearningLag


class Known(base.Regressor):  # type: ignore[misc]
    """Answers which rows it has learned, row i as bit i."""

    def __init__(self) -> None:
        self.rows = 0

    def learn_one(self, x: dict[str, Any], y: float) -> None:
        assert not self.rows & 1 << x["row"], "learned twice"
        self.rows |= 1 << x["row"]

    def predict_one(self, x: dict[str, Any]) -> float:
        return float(self.rows)


SIGNATURE = Signature.infer({"row": np.arange(3)}, np.zeros(3), Known())


def rows_of(times: list[tuple[int, int]], **fields: Any) -> LabelledRows:
    """Row i with its times of request and label, and its number as its feature."""
    values = [
        orjson.dumps(
            {
                "model": {"version": "v"}, "prediction": 0.0, "features": {"row": i}, "label": 1.0,
                "source": "system", "labelled_at": format_time(labelled_ms), "revision": 0,
                "request": {"partition": 0, "offset": i, "timestamp": 0},
            } | fields
        )
        for i, (_, labelled_ms) in enumerate(times)
    ]  # fmt: skip
    return LabelledRows.read(values, range(len(times)), [requested_ms for requested_ms, _ in times])


def part(rows: LabelledRows, start: int, end: int) -> LabelledRows:
    return rows.take(np.arange(start, end))


def learner_of(model: Any = None, **options: Any) -> OnlineLearner:
    options = {"lag": LearningLag(share=1.0, at_least=3)} | options
    return OnlineLearner(model or Known(), SIGNATURE, **options)


def known(learner: OnlineLearner, rows: LabelledRows, cuts: tuple[int, ...] = ()) -> dict[int, int]:
    """The rows that were known when each row was answered, in the order of the answers."""
    found = {}
    for start, end in pairwise([0, *cuts, len(rows)]):
        for each in learner.update(part(rows, start, end), list(range(start, end))):
            assert each.answer is not None
            found[each.stake] = int(each.answer.values[0])
    return found


def bits(rows: Any) -> int:
    return sum(1 << int(row) for row in rows)


def test_labels_at_once_each_row_is_answered_before_it_is_learned() -> None:
    found = known(learner_of(), rows_of([(i, i) for i in range(20)]))
    assert found == {i: bits(range(i)) for i in range(17)}
    assert list(found) == sorted(found)


def test_rows_of_one_moment_know_nothing_of_each_other() -> None:
    found = known(learner_of(), rows_of([(i // 5, i // 5) for i in range(30)]))
    assert found[13] == bits(range(10))


def test_with_labels_that_come_late_a_row_is_answered_with_those_given_before_its_request() -> None:
    found = known(learner_of(), rows_of([(i, i + 10) for i in range(40)]))
    assert found[25] == bits(range(15))


def test_what_comes_later_than_the_lag_is_learned_and_not_answered() -> None:
    times = [(i, i + 1) for i in range(30)]
    times[25] = (2, 26)
    learner = learner_of(lag=LearningLag(share=0.5, at_least=3))
    found = known(learner, rows_of(times))
    assert 25 not in found
    assert learner.late == 1
    assert found[26] == bits(range(25))
    assert found[27] == bits(range(26))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), min_size=8, max_size=50),
    st.sampled_from([0.3, 0.95, 1.0]),
    st.data(),
)
def test_any_order_of_requests_and_any_cut(
    drawn: list[tuple[int, int]], share: float, data: st.DataObject
) -> None:
    times = sorted(((at, at + age) for at, age in drawn), key=lambda each: each[1])
    rows = rows_of(times)
    learner = learner_of(lag=LearningLag(share=share, at_least=3))
    whole = known(learner, rows)
    for row, answer in whole.items():
        assert answer == bits(j for j, (_, labelled) in enumerate(times) if labelled < times[row][0])
    cuts = sorted(data.draw(st.sets(st.integers(1, len(times) - 1))))
    again = learner_of(lag=LearningLag(share=share, at_least=3))
    assert known(again, rows, tuple(cuts)) == whole
    assert (again.learned, again.late, again.model.rows) == (
        learner.learned,
        learner.late,
        learner.model.rows,
    )


def test_labels_it_was_made_from_are_not_learned_again() -> None:
    learner = learner_of(learned_until_ms=9)
    assert learner.newest_label_ms == 9
    found = known(learner, rows_of([(i, i) for i in range(20)]))
    assert found[15] == bits(range(10, 15))
    assert learner.newest_label_ms == 16


def test_one_stray_time_moves_nothing() -> None:
    times = [(i, i) for i in range(30)]
    times[10] = (10, 10_000_000)
    found = known(learner_of(), rows_of(times))
    assert found[26] == bits(set(range(26)) - {10})


def test_no_more_waits_than_is_allowed() -> None:
    learner = learner_of(max_waiting=10, lag=LearningLag(at_least=1_000))
    found = known(learner, rows_of([(i, i) for i in range(30)]))
    assert found == {i: bits(range(i)) for i in range(25)}


def test_rows_that_are_not_asked_for_are_only_learned() -> None:
    learner = learner_of()
    assert learner.update(rows_of([(i, i) for i in range(20)]), [None] * 20) == []
    assert learner.learned == 17


@pytest.mark.parametrize("fields", [{"features": None}, {"features": {"row": "x"}}])
def test_a_row_that_cannot_be_read_has_no_answer_and_is_not_learned(fields: dict[str, Any]) -> None:
    learner = learner_of()
    answers = learner.update(rows_of([(i, i) for i in range(10)], **fields), [0] * 10)
    assert [each.answer for each in answers] == [None] * 7
    assert (learner.learned, learner.refused) == (0, 7)


def test_a_label_that_is_no_number_is_not_learned() -> None:
    learner = learner_of()
    known(learner, rows_of([(i, i) for i in range(10)], label="warm"))
    assert (learner.learned, learner.refused) == (0, 7)


def test_a_label_that_is_no_class_and_a_model_that_raises_end_nothing() -> None:
    X, y = {"row": np.arange(40)}, np.array(["calm", "busy"] * 20)
    model = tree.HoeffdingTreeClassifier()
    for i, label in enumerate(y.tolist()):
        model.learn_one({"row": i}, label)
    strange = OnlineLearner(model, Signature.infer(X, y.astype(object), model), lag=LearningLag(at_least=3))
    strange.update(rows_of([(i, i) for i in range(10)], label="odd"), [None] * 10)
    assert (strange.learned, strange.refused) == (0, 7)
    # A logistic regression cannot subtract from a name.
    names = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    raising = OnlineLearner(names, Signature.infer(X, y.astype(object), model), lag=LearningLag(at_least=3))
    raising.update(rows_of([(i, i) for i in range(10)], label="calm"), [None] * 10)
    assert (raising.learned, raising.refused) == (0, 7)


def test_the_model_of_a_bundle_stays_as_it_is() -> None:
    X, y = {"row": np.arange(40)}, np.array([False, True] * 20)
    model = tree.HoeffdingTreeClassifier()
    for i, label in enumerate(y.tolist()):
        model.learn_one({"row": i}, label)
    bundle = Bundle.create(
        model, X, y, name="m", format="river", created_at_ms=0, newest_training_data_at_ms=4
    )
    learner = OnlineLearner.of(bundle)
    learner.update(rows_of([(i, i) for i in range(40)], label=True), [None] * 40)
    assert learner.learned == 32
    bundle.check_golden()
    assert learner.model.predict_proba_one({"row": 3}) != bundle.estimator.predict_proba_one({"row": 3})


def test_a_lag_follows_the_newest_rows() -> None:
    lag = LearningLag(share=0.95, rows=100, at_least=1)
    for behind_ms in [1_000] * 100 + [5] * 94:
        lag.see(behind_ms)
    assert lag.ms == 1_000
    lag.see(5)
    assert lag.ms == 5


@pytest.mark.parametrize("share", [0.0, 1.5])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match=f"is {share}; more than 0, at most 1"):
        LearningLag(share=share)
