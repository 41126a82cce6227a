from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.models import Signature
from streamapp.quality.labelled_rows import LabelledRows
from streamapp.training.rows import Examples, choose_rows, fitted_signature, holdout_start

from .conftest import frame_of, times_of, values_of


def signature() -> Signature:
    X, y = frame_of(50, seed=1)
    return Signature.infer(X, y, nullable=["temp"])


def choose(
    values: list[bytes], times_ms: list[int] | None = None, sign: Signature | None = None, **options: Any
) -> Examples:
    times = times_of(len(values)) if times_ms is None else times_ms
    return choose_rows(LabelledRows.read(values, range(len(values)), times), sign or signature(), **options)


def change(value: bytes, **fields: Any) -> bytes:
    return orjson.dumps(orjson.loads(value) | fields)


def test_rows_come_in_the_order_of_their_requests_not_of_their_labels() -> None:
    values = values_of(*frame_of(4, seed=1))
    examples = choose(values, [30, 10, 40, 20])
    assert examples.times_ms.tolist() == [10, 20, 30, 40]
    expected = [orjson.loads(values[i]) for i in (1, 3, 0, 2)]
    assert examples.columns["temp"].tolist() == [row["features"]["temp"] for row in expected]
    assert examples.labels.tolist() == [row["label"] for row in expected]
    assert examples.labelled_at_ms.tolist() == [61_000, 63_000, 60_000, 62_000]


def test_the_last_revision_of_an_answer_counts_and_a_repeat_of_an_earlier_one_does_not() -> None:
    first, other = values_of(*frame_of(2, seed=1))
    corrected = change(first, label="closed", revision=1)
    examples = choose([first, other, corrected, first], [0, 1, 0, 0])
    assert examples.labels.tolist() == ["closed", orjson.loads(other)["label"]]
    assert examples.left_out == {"corrected later": 2}


def test_what_cannot_be_learned_from_is_left_out_and_counted() -> None:
    values = values_of(*frame_of(8, seed=1))
    values[0] = b"not JSON"
    values[1] = change(values[1], features=None)
    values[2] = change(values[2], label=7)
    values[3] = change(values[3], features={"temp": "warm", "weather": "mist"})
    values[4] = change(values[4], features={"temp": None, "weather": None})
    examples = choose(values)
    assert len(examples) == 3
    assert len(examples.columns["temp"]) == 3
    assert examples.left_out == {
        "unreadable": 1,
        "no features": 1,
        "label of another kind": 1,
        "features of another kind": 2,
    }


@pytest.mark.parametrize(
    ("classes", "given", "read"),
    [
        ((0, 1), [0, 1.0, True, 2, "1"], [0, 1, 1, 2]),
        ((False, True), [False, True, 1, "True"], [False, True, True]),
        (("a", "b"), ["a", "c", 1, False], ["a", "c"]),
        (None, [1, 2.5, True, "3"], [1.0, 2.5]),
    ],
)
def test_labels_are_read_as_the_kind_that_the_model_knows(
    classes: tuple[Any, ...] | None, given: list[Any], read: list[Any]
) -> None:
    X, _ = frame_of(20, seed=1)
    sign = Signature(
        Signature.infer(X, np.ones(20)).columns, "classification" if classes else "regression", classes
    )
    examples = choose(values_of(X[: len(given)], np.array(given, dtype=object)), sign=sign)
    assert list(map(repr, examples.labels.tolist())) == list(map(repr, read))


def test_the_window_ends_at_the_newest_request_and_a_stray_clock_does_not_move_it() -> None:
    values = values_of(*frame_of(10, seed=1))
    times = [*range(0, 9_000, 1_000), 10**12]
    examples = choose(values, times, window_ms=3_000)
    # Three rows have reached second 7: the window begins at second 4.
    assert examples.times_ms.tolist() == [4_000, 5_000, 6_000, 7_000, 8_000, 10**12]
    assert examples.left_out == {"before the window": 4}


def test_nothing_to_learn_from_is_no_error_here() -> None:
    assert len(choose([])) == 0
    assert len(choose([b"{}"], window_ms=10)) == 0


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=60).map(sorted),
    st.floats(0.01, 0.99),
    st.integers(1, 40),
)
def test_no_row_to_fit_on_was_requested_within_the_time_of_the_holdout(
    times: list[int], share: float, at_least: int
) -> None:
    times_ms = np.array(times)
    start = holdout_start(times_ms, share=share, at_least=at_least, at_most=1_000)
    assert 0 <= start < len(times)
    assert all(time < times[start] for time in times[:start])
    # Rows of one time stay together; beside them it is as large as it was wished.
    assert int((times_ms > times[start]).sum()) < max(
        int(len(times) * share), min(at_least, len(times) // 3), 1
    )


def test_levels_and_gaps_are_those_of_the_new_rows() -> None:
    columns = choose(
        [change(v, features={"temp": None, "weather": "hail"}) for v in values_of(*frame_of(40, seed=1))]
    )
    renewed = fitted_signature(signature(), columns.columns)
    assert renewed.columns[1].categories == ("hail",)
    assert renewed.columns[0].nullable


def test_the_rows_of_a_request_are_examples_of_their_own() -> None:
    first, second = values_of(*frame_of(2, seed=1))
    request = orjson.loads(first)["request"]
    rows = [change(first, row=0), change(second, request=request, row=1)]
    again = [change(each, revision=1) for each in rows]
    examples = choose([*rows, *again], [10] * 4)
    assert len(examples) == 2
    assert examples.left_out == {"corrected later": 2}
