from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.messages import Labelled
from streamapp.quality.labelled_rows import LabelledRows, errors_of, losses_of


def row(**fields: Any) -> dict[str, Any]:
    return {
        "id": "r-1",
        "model": {"name": "bikes", "version": "v1"},
        "prediction": "busy",
        "probabilities": {"busy": 0.8, "calm": 0.2},
        "features": {"temp": 0.5},
        "request": {"topic": "t", "partition": 3, "offset": 17, "timestamp": "1970-01-01T00:00:09Z"},
        "predicted_at": "1970-01-01T00:00:09Z",
        "label": "calm",
        "source": "system",
        "labelled_at": "1970-01-01T00:01:00Z",
        "revision": 0,
    } | fields  # fmt: skip


def read(*rows: dict[str, Any]) -> LabelledRows:
    return LabelledRows.read(
        [orjson.dumps(each) for each in rows], range(100, 100 + len(rows)), [5] * len(rows)
    )


def test_a_row_becomes_columns() -> None:
    rows = read(row(), row(source="person:jk", revision=2, label=True, prediction=False))
    assert rows.offsets.tolist() == [100, 101]
    assert rows.times_ms.tolist() == [5, 5]
    assert rows.versions.tolist() == ["v1", "v1"]
    assert rows.predictions.tolist() == ["busy", False]
    assert rows.labels.tolist() == ["calm", True]
    assert rows.probabilities[0] == {"busy": 0.8, "calm": 0.2}
    assert rows.features == [{"temp": 0.5}] * 2
    assert rows.persons.tolist() == [False, True]
    assert rows.revisions.tolist() == [0, 2]
    assert rows.partitions.tolist() == [3, 3]
    assert rows.request_offsets.tolist() == [17, 17]
    assert rows.labelled_at_ms.tolist() == [60_000, 60_000]
    assert rows.skipped == 0


def test_what_the_message_type_writes_can_be_read() -> None:
    value = Labelled.parse(row()).encode()
    assert LabelledRows.read([value], [1], [None]).labelled_at_ms.tolist() == [60_000]


def test_without_a_header_the_requests_timestamp_is_the_time() -> None:
    rows = LabelledRows.read([orjson.dumps(row())], [1], [None])
    assert rows.times_ms.tolist() == [9_000]


@pytest.mark.parametrize(
    "fields",
    [
        {"label": None},
        {"label": ["calm"]},
        {"prediction": None},
        {"revision": "0"},
        {"revision": -1},
        {"revision": True},
        {"source": 7},
        {"labelled_at": "yesterday"},
        {"labelled_at": "2011-05-02T08:00:00"},
        {"model": None},
        {"model": {"name": "bikes"}},
        {"request": {"partition": 3}},
        {"request": {"partition": 3, "offset": 1 << 63, "timestamp": 0}},
        {"probabilities": [0.8, 0.2]},
        {"probabilities": {"busy": "0.8"}},
        {"features": [1, 2]},
    ],
)
def test_a_record_that_is_no_row_is_skipped_and_counted(fields: dict[str, Any]) -> None:
    rows = read(row(), row(**fields), row(label="busy"))
    assert rows.skipped == 1
    assert rows.offsets.tolist() == [100, 102]
    assert rows.labels.tolist() == ["calm", "busy"]


@given(st.lists(st.none() | st.binary(max_size=40) | st.sampled_from([b"[]", b"null", b"1", b'{"id":1}'])))
def test_no_bytes_raise(values: list[bytes | None]) -> None:
    rows = LabelledRows.read(values, range(len(values)), [0] * len(values))
    assert len(rows) == 0
    assert rows.skipped == len(values)


def test_rows_can_be_picked() -> None:
    rows = read(row(), row(label="busy"), row(source="person:x")).take(np.array([2, 1]))
    assert rows.offsets.tolist() == [102, 101]
    assert rows.labels.tolist() == ["calm", "busy"]
    assert rows.persons.tolist() == [True, False]
    assert len(rows.features) == len(rows.probabilities) == 2


def test_zero_one_compares_labels_as_python_does() -> None:
    rows = read(row(), row(label="busy"), row(prediction=1, label=1.0), row(prediction="1", label=1))
    assert losses_of(rows, "zero-one", None, ("busy", "calm")).tolist() == [1, 0, 0, 1]


def test_brier_takes_probabilities_by_name_and_leaves_out_rows_without() -> None:
    rows = read(
        row(),
        row(probabilities={"calm": 0.2, "busy": 0.8}),
        row(label="storm"),
        row(probabilities=None),
        row(probabilities={"busy": 1.0, "wild": 0.0}),
    )
    losses = losses_of(rows, "brier", None, ("busy", "calm"))
    assert losses[:3].tolist() == pytest.approx([0.64, 0.64, 0.84])
    assert np.isnan(losses[3:]).all()


def test_classes_that_are_no_strings_keep_their_probabilities() -> None:
    rows = read(row(prediction=True, label=True, probabilities={"False": 0.1, "True": 0.9}))
    assert losses_of(rows, "brier", None, (False, True)).tolist() == pytest.approx([0.01])


def test_absolute_needs_numbers() -> None:
    rows = read(row(prediction=3.0, label=5), row(prediction=3.0, label="five"), row(prediction=0, label=99))
    losses = losses_of(rows, "absolute", 4.0, None)
    assert losses[[0, 2]].tolist() == [0.5, 1.0]
    assert np.isnan(losses[1])


@pytest.mark.parametrize(
    ("loss", "scale", "classes"), [("brier", None, None), ("absolute", None, None), ("other", 1.0, None)]
)
def test_a_loss_that_lacks_what_it_takes_judges_no_row(
    loss: str, scale: float | None, classes: tuple[str, ...] | None
) -> None:
    assert np.isnan(losses_of(read(row()), loss, scale, classes)).all()


def test_errors_are_those_of_finite_numbers() -> None:
    given = [(7.0, 5.0), (4, 5), ("busy", 5.0), (1.7e308, -1.7e308)]
    errors = errors_of(read(*[row(prediction=answer, label=label) for answer, label in given]))
    assert errors[:2].tolist() == [2.0, 1.0]
    assert np.isnan(errors[2:]).all()
