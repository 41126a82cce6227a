"""Answers in V2 and V1, and their labels: a labelled row for each of their rows."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from streamapp.messages import InRecord, Labelled, Prediction, event_headers, header
from streamapp.messages.schemas import schema_of
from streamapp.quality.labelled_rows import LabelledRows
from tests.quality.join_log import MINUTE, START, Reader, answer, ids_of, label
from tests.quality.test_review import one, sampler

FEATURES = [{"temp": 0.5}, {"temp": 1.5}, {"temp": None}]


def v2(offset: int, request_id: str, predictions: list[Any], **more: Any) -> InRecord:
    """An answer in V2, as serving writes it."""
    n = len(predictions)
    value = {
        "id": request_id,
        "model_name": "bikes",
        "model_version": "v1",
        "outputs": [
            {"name": "prediction", "shape": [n], "datatype": "BYTES", "data": predictions},
            {"name": "probabilities", "shape": [n, 2], "datatype": "FP64", "data": [0.75, 0.25] * n},
        ],
        "parameters": {
            "classes": ["busy", "calm"],
            "features": FEATURES[:n],
            "topic": "bikes.requests",
            "partition": 0,
            "offset": offset,
            "timestamp": "2011-05-02T08:00:00Z",
            "predicted_at": "2011-05-02T08:00:00.004Z",
        },
    }
    return _record(offset, value | more)


def v1(offset: int, request_id: str, predictions: list[Any]) -> InRecord:
    """An answer in V1, of a regressor."""
    return _record(
        offset,
        {
            "id": request_id,
            "predictions": predictions,
            "model": {"name": "bikes", "version": "v1"},
            "features": FEATURES[: len(predictions)],
            "request": {
                "topic": "bikes.requests",
                "partition": 0,
                "offset": offset,
                "timestamp": "2011-05-02T08:00:00Z",
            },
            "predicted_at": "2011-05-02T08:00:00.004Z",
        },
    )


def _record(offset: int, value: dict[str, Any]) -> InRecord:
    headers = event_headers("bikes", Prediction.ce_type, f"bikes.requests-0-{offset}", START)
    return InRecord(0, offset, START + 4, b"k", orjson.dumps(value), headers)


def test_each_row_of_an_answer_is_a_labelled_row() -> None:
    reader = Reader()
    reader.answers(v2(5, "a", ["busy", "calm", "busy"]))
    joined = reader.feedback(label(7, "a", ["busy", "busy", "calm"], at=MINUTE))
    assert joined.counts == {"joined": 1}
    assert ids_of(joined) == [b"bikes.requests-0-5/%d+0-7" % row for row in range(3)]
    fields = [orjson.loads(row.value or b"") for row in joined.rows]
    for each in fields:
        Draft202012Validator(schema_of("labelled")).validate(each)
    assert fields[1] == {
        "id": "a",
        "model": {"name": "bikes", "version": "v1"},
        "prediction": "calm",
        "probabilities": {"busy": 0.75, "calm": 0.25},
        "features": {"temp": 1.5},
        "request": {
            "topic": "bikes.requests",
            "partition": 0,
            "offset": 5,
            "timestamp": "2011-05-02T08:00:00Z",
        },
        "predicted_at": "2011-05-02T08:00:00.004Z",
        "row": 1,
        "label": "busy",
        "source": "system",
        "labelled_at": "2011-05-02T08:01:00Z",
        "revision": 0,
    }
    assert {header(row.headers, "ce_time") for row in joined.rows} == {b"2011-05-02T08:00:00Z"}
    rows = LabelledRows.read([row.value for row in joined.rows], [0, 1, 2], [None] * 3)
    assert rows.skipped == 0
    assert rows.request_rows.tolist() == [0, 1, 2]
    assert rows.labels.tolist() == ["busy", "busy", "calm"]


@pytest.mark.parametrize("given", ["busy", ["busy"]])
@pytest.mark.parametrize(
    "given_answer", [v2(5, "a", ["calm"]), v1(5, "a", ["calm"]), answer(5, "a")], ids=["V2", "V1", "native"]
)
def test_one_row_takes_a_label_or_a_list_of_one(given: Any, given_answer: InRecord) -> None:
    reader = Reader()
    reader.answers(given_answer)
    joined = reader.feedback(label(7, "a", given))
    assert ids_of(joined) == [b"bikes.requests-0-5+0-7"]
    row = Labelled.decode(joined.rows[0].value)
    assert (row.label, row.row, row.request.offset) == ("busy", None, 5)


@pytest.mark.parametrize("given", ["busy", ["busy"], ["busy"] * 3, []])
def test_a_label_of_another_length_is_set_aside(given: Any) -> None:
    reader = Reader()
    reader.answers(v1(5, "a", [1.5, 2.5]))
    joined = reader.feedback(label(7, "a", given))
    assert (joined.rows, joined.counts) == ([], {"bad-shape": 1})
    (letter,) = joined.dead_letters
    message = header(letter.headers, "streamapp-error-message") or b""
    assert b"2 rows: send a list with the label of each row" in message
    assert reader.feedback(label(8, "a", [1.0, 2.0])).counts == {"joined": 1}
    assert reader.rows == [("a", 1.0, 0), ("a", 2.0, 0)]


def test_a_list_of_what_is_no_label_is_no_label() -> None:
    joined = Reader().feedback(label(7, "a", ["busy", None]))
    assert joined.counts == {"wrong-type": 1}


def test_early_labels_and_corrections_are_of_all_rows() -> None:
    reader = Reader()
    assert reader.feedback(label(7, "a", [1, 2])).counts == {"waiting": 1}
    reader.answers(v1(5, "a", [1.5, 2.5]))
    reader.feedback(label(8, "a", [3, 4], at=MINUTE))
    assert reader.rows == [("a", 1, 0), ("a", 2, 0), ("a", 3, 1), ("a", 4, 1)]
    assert len(set(reader.ids)) == 4


def test_one_row_that_is_too_large_sets_the_label_aside() -> None:
    reader = Reader(max_bytes=1_500)
    reader.answers(v2(5, "a", ["busy", "calm" * 400]))
    assert reader.feedback(label(7, "a", ["busy", "calm"])).counts == {"too-large": 1}


def test_an_answer_whose_parts_do_not_fit_sets_its_label_aside() -> None:
    reader = Reader()
    reader.answers(v2(5, "a", ["busy", "calm"], outputs=[]))
    assert reader.feedback(label(7, "a", ["busy", "calm"])).counts == {"wrong-type": 1}


def test_schema_ids_before_feedback_are_skipped_where_that_is_set() -> None:
    plain = label(7, "a")
    framed = InRecord(0, 7, START, b"k", b"\0\0\0\0\x07" + (plain.value or b""))
    joined = Reader().feedback(framed)
    assert joined.counts == {"not-json": 1}
    assert b"request_framing" in (header(joined.dead_letters[0].headers, "streamapp-error-message") or b"")
    reader = Reader(framing="confluent")
    assert reader.feedback(framed).counts == {"waiting": 1}
    reader.answers(answer(5, "a"))
    assert reader.rows == [("a", "calm", 0)]


@pytest.mark.parametrize("predictions", [["busy"], ["busy", "calm"]])
def test_answers_to_one_row_are_drawn_for_review_as_native_ones(predictions: list[str]) -> None:
    reader = Reader(sampler=sampler(3_600.0))  # all are wanted
    reader.answers(*[one(i) for i in range(100)])
    reviews = reader.answers(*[v2(i, f"r-{i}", predictions) for i in range(100, 160)]).reviews
    assert bool(reviews) == (len(predictions) == 1)
    drawn = set()
    for record in reviews:
        fields = orjson.loads(record.value or b"")
        Draft202012Validator(schema_of("review")).validate(fields)
        assert (fields["prediction"], fields["features"]) == ("busy", {"temp": 0.5})
        drawn.add(fields["id"])
    rows = reader.feedback(*[label(i, f"r-{i}", predictions) for i in range(100, 160)]).rows
    labelled = [Labelled.decode(row.value) for row in rows]
    assert {row.id for row in labelled if row.review_probability is not None} == drawn
