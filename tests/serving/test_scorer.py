from __future__ import annotations

from datetime import datetime
from itertools import cycle
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.errors import PredictionError
from streamapp.messages import OMITTED_BYTES, SHA256, Prediction, Rejection, header, record_bytes
from streamapp.models import Bundle, Predictions
from streamapp.profile.columns import Columns
from tests.serving.batches import (
    GOOD,
    NOW_MS,
    TIME_MS,
    MadeUp,
    answer,
    body,
    double,
    numbers,
    read,
    request,
    row,
)


def codes(answers: Any) -> list[str]:
    """Of each answer its code, or ``prediction``."""
    messages = [read(output) for output in answers.outputs]
    return [str(m.error.code) if isinstance(m, Rejection) else "prediction" for m in messages]


def test_an_answer_says_what_the_contract_says(bundle: Bundle) -> None:
    (output,) = answer([request(body(GOOD))], bundle).outputs
    said = bundle.predict([GOOD])
    assert said.probabilities is not None
    assert said.classes is not None
    assert orjson.loads(output.value or b"") == {
        "id": "r-17",
        "model": {"name": "bikes", "version": bundle.version},
        "prediction": said.values[0],
        "probabilities": dict(zip(map(str, said.classes), said.probabilities[0].tolist(), strict=True)),
        "features": GOOD,
        "request": {
            "topic": "bikes.requests",
            "partition": 3,
            "offset": 17,
            "timestamp": "2011-05-02T08:00:00Z",
        },
        "predicted_at": "2011-05-02T08:00:00.004Z",
    }
    assert (output.partition, output.key) == (3, b"k")
    assert list(output.headers) == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"bikes.requests-3-17"),
        ("ce_source", b"/streamapp/bikes"),
        ("ce_type", b"streamapp.prediction.v1"),
        ("ce_time", b"2011-05-02T08:00:00Z"),
        ("content-type", b"application/json"),
    ]


def test_a_regressor_answers_a_number_and_no_probabilities() -> None:
    fields = orjson.loads(answer(numbers(1.5), MadeUp(double)).outputs[0].value or b"")
    assert fields["prediction"] == 3.0
    assert "probabilities" not in fields


def test_a_rejection_names_model_and_feature() -> None:
    message = read(answer([request(body({"x": "1"}))], MadeUp(double)).outputs[0])
    assert isinstance(message, Rejection)
    assert message.model is not None
    assert (message.model.version, message.id, message.error.feature) == ("v1", "r-17", "x")
    assert message.error.message == 'x is "1", a string: send a number'


def test_without_a_model_everything_is_rejected(bundle: Bundle) -> None:
    records = [request(body(GOOD), 1), request(b"{", 2), request(None, 3)]
    answers = answer(records, None)
    assert codes(answers) == ["no-model"] * 3
    assert [read(output).id for output in answers.outputs] == ["r-17", "3-2", "3-3"]
    assert answers.counters.rows == 0
    assert codes(answer(records, bundle)) == ["prediction", "not-json", "not-json"]


@pytest.mark.parametrize(
    ("given", "headers", "expected"),
    [
        (b'"a"', [], "a"),
        (b'""', [], ""),
        (b"17", [], "17"),
        (b"-0", [], "0"),
        (b"18446744073709551616", [], "18446744073709551616"),
        (b"9" * 300, [], "9" * 300),
        (b'"' + b"x" * 4_096 + b'"', [], "x" * 4_096),
        (b'"\\u0000\\u00e9"', [], "\x00é"),
        (b"null", [], "3-17"),
        (b"null", [("ce_id", b"e-1")], "e-1"),
        (b'"a"', [("ce_id", b"e-1")], "a"),
        (b"null", [("ce_id", b"first"), ("ce_id", b"last")], "last"),
        (b"null", [("ce_id", b"")], "3-17"),
        (b"null", [("ce_id", b"\xff")], "3-17"),
        (b"null", [("ce_id", b"x" * 4_097)], "3-17"),
        (b"[1]", [("ce_id", b"e-1")], "e-1"),
    ],
)
def test_where_an_id_comes_from(given: bytes, headers: list[tuple[str, bytes]], expected: str) -> None:
    value = body({"x": 1}).replace(b'"r-17"', given)
    assert read(answer([request(value, headers=headers)], MadeUp(double)).outputs[0]).id == expected


@pytest.mark.parametrize(
    ("time", "expected", "replaced"),
    [
        (None, b"2011-05-02T08:00:00Z", 0),
        (b"2011-05-01T00:00:00Z", b"2011-05-01T00:00:00Z", 0),
        (b"2011-05-02T10:04:59.5+02:00", b"2011-05-02T08:04:59.500Z", 0),
        (b"2011-05-02T08:05:00Z", b"2011-05-02T08:05:00Z", 0),
        (b"2011-05-02T08:05:00.001Z", b"2011-05-02T08:00:00Z", 1),
        (b"2011-05-02T08:00:00", b"2011-05-02T08:00:00Z", 1),
        (b"yesterday", b"2011-05-02T08:00:00Z", 1),
        (b"", b"2011-05-02T08:00:00Z", 1),
        (b"\xff", b"2011-05-02T08:00:00Z", 1),
        (b"0001-01-01T00:00:00+23:59", b"2011-05-02T08:00:00Z", 1),
    ],
)
def test_event_time_is_the_header_where_it_can_be(time: bytes | None, expected: bytes, replaced: int) -> None:
    headers = [] if time is None else [("ce_time", time)]
    answers = answer([request(body({"x": 1}), headers=headers)], MadeUp(double))
    assert header(answers.outputs[0].headers, "ce_time") == expected
    assert read(answers.outputs[0]).request.timestamp == TIME_MS
    assert answers.counters.replaced_times == replaced


@pytest.mark.parametrize("value", [body({"x": 1}), b"{"])
def test_trace_context_is_carried_and_nothing_else(value: bytes) -> None:
    trace = [("traceparent", b"00-1"), ("tracestate", b"s=1")]
    record = request(value, headers=[("a", b"1"), *trace, ("b", b"2")])
    (output,) = answer([record], MadeUp(double)).outputs
    assert output.headers[6:] == trace


def test_a_request_without_key_has_an_answer_without_key() -> None:
    assert answer([request(body({"x": 1}), key=None)], MadeUp(double)).outputs[0].key is None


def test_features_can_be_left_out() -> None:
    (output,) = answer(numbers(1.0), MadeUp(double), answer_features=False).outputs
    assert "features" not in orjson.loads(output.value or b"")


def test_unknown_columns_and_unseen_categories_are_counted(bundle: Bundle) -> None:
    values = [
        row(colour=1, size=2),
        row(weather="hail"),
        row(colour=None, weather="hail"),
        row(temp="x", odd=1),
    ]
    counters = answer([request(body(value), i) for i, value in enumerate(values)], bundle).counters
    assert (counters.predictions, counters.rows, counters.rejections) == (3, 3, {"wrong-type": 1})
    assert (counters.unknown_columns, counters.unknown_names) == (3, ("colour", "size"))
    assert counters.unseen == {"weather": 2}


def test_what_panes_count_is_what_was_predicted(bundle: Bundle) -> None:
    values = [GOOD, row(temp=None), row(temp=2, weather="hail", humidity=None)]
    counted = answer([request(body(value), 5 + i) for i, value in enumerate(values)], bundle).counted
    assert counted.row_records.tolist() == [0, 2]
    assert counted.columns["temp"].tolist() == [0.5, 2.0]
    assert counted.columns["weather"].tolist() == ["mist", "hail"]
    assert np.isnan(counted.columns["humidity"]).tolist() == [False, True]
    said = bundle.predict([values[0], values[2]]).probabilities
    assert counted.outputs == pytest.approx(said)
    later = counted.since(6)
    assert (later.offsets.tolist(), later.rejected.tolist()) == ([6, 7], [True, False])
    assert (later.row_records.tolist(), later.columns["temp"].tolist()) == ([1], [2.0])
    assert later.outputs == pytest.approx(np.asarray(said)[1:])
    assert counted.since(5) is counted
    assert len(counted.since(8).offsets) == len(counted.since(8).columns["temp"]) == 0


def fails_on(bad: float) -> MadeUp:
    """A model that raises as soon as a batch holds one bad number."""

    def predict(columns: Columns) -> Predictions:
        if (columns["x"] == bad).any():
            raise ZeroDivisionError("one of these is poisonous: " + "!" * 500)
        return double(columns)

    return MadeUp(predict)


@settings(max_examples=60, deadline=None)
@given(poisonous=st.lists(st.booleans(), max_size=12))
def test_poisonous_rows_reject_themselves_alone(poisonous: list[bool]) -> None:
    records = numbers(*[13.0 if bad else float(i) for i, bad in enumerate(poisonous)])
    answers = answer(records, fails_on(13.0))
    assert codes(answers) == ["model-failed" if bad else "prediction" for bad in poisonous]
    for i, output in enumerate(answers.outputs):
        message = read(output)
        if isinstance(message, Prediction):
            assert message.prediction == 2.0 * i
        else:
            assert "raised ZeroDivisionError: one of these is poisonous" in message.error.message
            assert len(message.error.message) < 400
    if answers.counted.outputs is not None:
        assert (answers.counted.outputs == 2 * answers.counted.columns["x"]).all()


def test_one_poisonous_row_costs_few_calls() -> None:
    calls = []

    def predict(columns: Columns) -> Predictions:
        calls.append(len(columns["x"]))
        return fails_on(777.0).predict(columns)  # type: ignore[no-any-return]

    answers = answer(numbers(*map(float, range(1_000))), MadeUp(predict))
    assert answers.counters.rejections == {"model-failed": 1}
    assert len(calls) <= 2 * 10 + 3


def test_that_a_model_failed_is_said_once() -> None:
    def predict(columns: Columns) -> Predictions:
        raise PredictionError("the model failed: DateParseError: Unknown datetime string format: tomorrow")

    (rejection,) = [read(output) for output in answer(numbers(1), MadeUp(predict)).outputs]
    assert isinstance(rejection, Rejection)
    assert " failed: DateParseError: Unknown datetime string format: tomorrow: " in rejection.error.message


def test_answers_that_are_no_numbers_reject_their_rows() -> None:
    def predict(columns: Columns) -> Predictions:
        return Predictions(np.where(columns["x"] > 2, np.nan, np.where(columns["x"] < 0, np.inf, 1.0)))

    answers = answer(numbers(1, 3, -1, 2), MadeUp(predict))
    assert codes(answers) == ["prediction", "model-failed", "model-failed", "prediction"]
    assert answers.counted.columns["x"].tolist() == [1.0, 2.0]


CLASSES = ("busy", "calm")


@pytest.mark.parametrize(
    "said",
    [
        lambda n: Predictions(np.zeros(n + 1)),
        lambda n: Predictions(np.zeros((n, 1))),
        lambda n: Predictions(np.zeros(n, dtype=complex)),
        lambda n: Predictions(np.array([None] * n, dtype=object)),
        lambda n: Predictions(np.array([b"busy"] * n, dtype=object)),
        lambda n: Predictions(np.array(["\ud800"] * n, dtype=object)),
        lambda n: Predictions(np.array([1 << 70] * n, dtype=object)),
        lambda n: Predictions(np.array([datetime(2011, 5, 2)] * n, dtype=object)),
        lambda n: Predictions(np.array(["2011-05-02"] * n, dtype="datetime64[D]")),
        lambda n: Predictions(np.array(["busy"] * n), np.zeros((n, 3)), CLASSES),
        lambda n: Predictions(np.array(["busy"] * n), np.zeros(n), CLASSES),
        lambda n: Predictions(np.array(["busy"] * n), np.full((n, 2), np.nan), CLASSES),
        lambda n: Predictions(np.array(["busy"] * n), np.full((n, 2), "0.5", dtype=object), CLASSES),
        lambda n: Predictions(np.array(["busy"] * n), np.zeros((n, 2)), None),
        lambda n: [0.0] * n,
        lambda n: None,
    ],
)
def test_what_is_no_answer_is_a_failed_model(said: Any) -> None:
    answers = answer(numbers(1, 2), MadeUp(lambda columns: said(len(columns["x"]))))
    assert codes(answers) == ["model-failed", "model-failed"]
    assert len(answers.dead_letters) == 2


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([1, 2]), [1, 2]),
        (np.array([1, 2], dtype=np.uint64), [1, 2]),
        (np.array([1.5, 2.5], dtype=np.float32), [1.5, 2.5]),
        (np.array([1.5, 2.5], dtype=np.longdouble), [1.5, 2.5]),
        (np.array([True, False]), [True, False]),
        (np.array(["busy", "calm"]), ["busy", "calm"]),
        (np.array([np.str_("busy"), np.int64(3)], dtype=object), ["busy", 3]),
        (np.array([np.float64(0.5), np.bool_(True)], dtype=object), [0.5, True]),
    ],
)
def test_labels_of_numpy_are_labels(values: np.ndarray, expected: list[Any]) -> None:
    outputs = answer(numbers(1, 2), MadeUp(lambda _: Predictions(values))).outputs
    said = [orjson.loads(output.value or b"")["prediction"] for output in outputs]
    assert said == expected
    assert list(map(type, said)) == list(map(type, expected))


def test_a_model_that_changes_its_mind_about_its_form_fails_and_does_not_raise() -> None:
    def predict(columns: Columns) -> Predictions:
        x = columns["x"]
        if len(x) > 1:
            raise ValueError("one at a time")
        return Predictions(x) if x[0] > 1 else Predictions(np.array(["low"]), np.ones((1, 1)), ("low",))

    answers = answer(numbers(0, 1, 2, 3), MadeUp(predict))
    assert set(codes(answers)) == {"prediction", "model-failed"}
    assert codes(answers)[0] != codes(answers)[3]


MOODS: dict[str, Any] = {
    "good": lambda n: Predictions(np.zeros(n)),
    "raises": lambda n: np.zeros(0)[n],
    "nan": lambda n: Predictions(np.where(np.arange(n) % 2 == 0, 1.0, np.nan)),
    "too long": lambda n: Predictions(np.zeros(n + 1)),
    "two classes": lambda n: Predictions(np.array(["busy"] * n), np.full((n, 2), 0.5), CLASSES),
    "three": lambda n: Predictions(np.array(["a"] * n, dtype=object), np.full((n, 3), 0.5), ("a", "b", "c")),
    "objects": lambda n: Predictions(np.array([1, None, "x"] * n, dtype=object)[:n]),
    "nothing": lambda n: None,
}


@settings(max_examples=150, deadline=None)
@given(count=st.integers(1, 9), moods=st.lists(st.sampled_from(sorted(MOODS)), min_size=1, max_size=6))
def test_no_model_makes_a_scorer_raise(count: int, moods: list[str]) -> None:
    mood = cycle(moods)
    model = MadeUp(lambda columns: MOODS[next(mood)](len(columns["x"])))
    answers = answer(numbers(*map(float, range(count))), model)
    assert set(codes(answers)) <= {"prediction", "model-failed"}


def test_an_answer_that_does_not_fit_is_a_rejection_without_features() -> None:
    def predict(columns: Columns) -> Predictions:
        return Predictions(
            np.array(["long " * 200 if x > 1 else "short" for x in columns["x"]], dtype=object)
        )

    answers = answer(numbers(0, 2, 1), MadeUp(predict), max_answer_bytes=1_300)
    assert codes(answers) == ["prediction", "too-large", "prediction"]
    assert answers.counted.columns["x"].tolist() == [0.0, 1.0]
    message = read(answers.outputs[1])
    assert isinstance(message, Rejection)
    assert "more than the 1300 of its topic" in message.error.message
    assert "features" not in orjson.loads(answers.outputs[1].value or b"")
    (letter,) = answers.dead_letters
    assert letter.value == numbers(0, 2, 1)[1].value


def test_a_dead_letter_that_does_not_fit_keeps_what_identifies_its_value() -> None:
    import hashlib  # noqa: PLC0415

    value = b"{" + b" " * 5_000
    record = request(value, headers=[("x", b"1")])
    (letter,) = answer([record], MadeUp(double), max_answer_bytes=3_000).dead_letters
    assert (letter.key, letter.value) == (b"k", None)
    assert letter.headers[0] == ("x", b"1")
    assert header(letter.headers, OMITTED_BYTES) == b"5001"
    assert header(letter.headers, SHA256) == hashlib.sha256(value).hexdigest().encode()
    assert header(letter.headers, "streamapp-source-offset") == b"17"


def test_key_and_headers_that_do_not_fit_stay_behind_too() -> None:
    record = request(b"{", key=b"k" * 4_000, headers=[("traceparent", b"t" * 4_000)])
    answers = answer([record], MadeUp(double), max_answer_bytes=3_000)
    (letter,), (output,) = answers.dead_letters, answers.outputs
    assert (letter.key, letter.value) == (None, None)
    assert header(letter.headers, "traceparent") is None
    assert header(letter.headers, "streamapp-source-offset") == b"17"
    assert (output.key, output.headers[6:]) == (None, [])


@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(1_500, 6_000),
    key=st.none() | st.integers(0, 6_000).map(lambda n: b"k" * n),
    extra=st.integers(0, 6_000),
    trace=st.integers(0, 6_000),
    is_good=st.booleans(),
)
def test_whatever_is_sent_fits(limit: int, key: bytes | None, extra: int, trace: int, is_good: bool) -> None:
    value = body({"x": 1.5 if is_good else "x"}) + b" " * extra
    record = request(value, key=key, headers=[("traceparent", b"t" * trace), ("other", b"o" * extra)])
    answers = answer([record], MadeUp(double), max_answer_bytes=limit)  # which looks at every size
    if is_good and record_bytes(key, value, record.headers) < 1_000:
        assert codes(answers) == ["prediction"]


@pytest.mark.parametrize("given_id", ["x" * 4_096, "\x00" * 4_096, '"' * 4_096])
def test_a_rejection_with_the_longest_id_fits_the_smallest_topic(given_id: str) -> None:
    record = request(body({"x": "no number"}, id=given_id), key=b"k" * 50_000)
    (output,) = answer([record], MadeUp(double), max_answer_bytes=(64 << 10) + 2).outputs
    assert read(output).id == given_id


def test_the_clock_goes_into_predicted_at_alone() -> None:
    (output,) = answer(numbers(1.0), MadeUp(double)).outputs
    assert read(output).predicted_at == NOW_MS
    assert (output.value or b"").count(b"2011-05-02T08:00:00.004Z") == 1
