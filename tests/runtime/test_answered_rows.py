from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from streamapp.errors import BrokerError
from streamapp.messages import InRecord, event_headers
from streamapp.models import Signature
from streamapp.models.column import Column
from streamapp.runtime.admin import create_topics
from streamapp.runtime.answered_rows import read_newest, rows_of_answers, shares
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import producer
from streamapp.topics import TopicNames

COLUMNS = (Column("temp", "float", nullable=True), Column("weather", "string"))
CLASSIFIER = Signature(COLUMNS, "classification", ("busy", "calm"))
REGRESSOR = Signature(COLUMNS, "regression")


def answer(
    offset: int, *, at: int = 1_000, partition: int = 0, kind: str = "prediction", **fields: Any
) -> InRecord:
    value = {
        "id": f"r{offset}",
        "model": {"name": "bikes", "version": "v1"},
        "prediction": "busy",
        "probabilities": {"calm": 0.25, "busy": 0.75},
        "features": {"temp": float(offset), "weather": "mist", "unknown": 3},
        "request": {"topic": "bikes.requests", "partition": partition, "offset": offset},
    } | fields
    headers = event_headers("bikes", f"streamapp.{kind}.v1", f"id-{offset}", at)
    return InRecord(partition, offset, 10_000, None, json.dumps(value).encode(), headers)


def test_rows_are_those_of_one_version_in_the_order_of_event_times() -> None:
    records = [
        answer(0, at=3_000),
        answer(1, at=1_000, partition=1, features={"temp": None, "weather": "rain"}),
        answer(2, at=2_000, model={"name": "bikes", "version": "v0"}),
        answer(3, at=2_000, probabilities={"busy": 0.1, "calm": 0.9}),
    ]
    rows = rows_of_answers(records, "v1", CLASSIFIER)
    assert len(rows) == 3
    assert rows.times_ms.tolist() == [1_000, 2_000, 3_000]
    np.testing.assert_array_equal(rows.columns["temp"], [np.nan, 3.0, 0.0])
    assert rows.columns["weather"].tolist() == ["rain", "mist", "mist"]
    assert rows.outputs is not None
    assert rows.outputs.tolist() == [[0.75, 0.25], [0.1, 0.9], [0.75, 0.25]]
    assert rows.left_out == {"of other versions": 1}


def test_rows_without_a_personal_column_are_none_of_what_the_model_saw() -> None:
    for treatment in ("drop", "hash"):
        private = replace(CLASSIFIER, columns=(replace(COLUMNS[0], personal=treatment), COLUMNS[1]))
        rows = rows_of_answers([answer(0), answer(1), answer(2, features=None)], "v1", private)
        assert len(rows) == 0
        assert rows.outputs is None
        assert rows.left_out == {"without features": 1, "without their personal columns": 2}


def test_what_is_no_row_is_left_out_and_counted() -> None:
    v2 = InRecord(0, 9, 10_000, None, b'{"model_name": "bikes"}', answer(0).headers)
    broken = InRecord(0, 10, 10_000, None, b"{", answer(0).headers)
    nobody = InRecord(0, 11, 10_000, None, None, answer(0).headers)
    records = [
        answer(0),
        answer(0, features={"temp": 9.0, "weather": "repeated"}),
        answer(1, kind="rejection"),
        answer(2, features=None),
        answer(3, features={"temp": "warm", "weather": "mist"}),
        answer(4, features={"temp": 1.0}),
        v2,
        broken,
        nobody,
    ]
    rows = rows_of_answers(records, "v1", CLASSIFIER)
    assert rows.columns["temp"].tolist() == [0.0]
    assert rows.left_out == {
        "repeated": 1,
        "rejections": 1,
        "without features": 1,
        "features of another kind": 2,
        "unreadable": 3,
    }


def test_outputs_are_values_labels_or_nothing() -> None:
    values = rows_of_answers([answer(0, prediction=3.5, probabilities=None)], "v1", REGRESSOR).outputs
    assert values is not None
    assert values.dtype == np.float64
    assert values.tolist() == [3.5]
    labels = rows_of_answers([answer(0), answer(1, probabilities=None)], "v1", CLASSIFIER).outputs
    assert labels is not None
    assert labels.dtype == object
    assert labels.tolist() == ["busy", "busy"]
    none = rows_of_answers([], "v1", CLASSIFIER)
    assert (len(none), none.outputs, none.left_out) == (0, None, {})


@pytest.mark.parametrize(
    ("held", "wanted", "taken"),
    [
        ([0, 0], 10, [0, 0]),
        ([100], 10, [10]),
        ([100, 100], 10, [5, 5]),
        ([1, 100, 2], 10, [1, 7, 2]),
        ([3, 3], 10, [3, 3]),
        ([9, 9, 9], 2, [0, 1, 1]),
    ],
)
def test_partitions_that_hold_little_leave_their_share_to_others(
    held: list[int], wanted: int, taken: list[int]
) -> None:
    assert shares(held, wanted) == taken


@pytest.mark.broker
def test_the_newest_records_of_all_partitions_are_read(broker: Broker) -> None:
    names = TopicNames(f"newest-{uuid.uuid4().hex[:8]}")

    async def fill_and_read() -> tuple[list[Any], list[Any]]:
        await create_topics(
            broker.connection, names, partitions=3, label_horizon_s=86_400, max_request_bytes=1 << 20
        )
        empty = await read_newest(broker.connection, names.predictions, 10)
        async with producer(broker.connection) as client:
            for i in range(40):
                await client.send(names.predictions, str(i).encode(), partition=0)
            await client.send(names.predictions, b"only", partition=2)
        return empty, await read_newest(broker.connection, names.predictions, 10)

    empty, records = asyncio.run(fill_and_read())
    assert empty == []
    assert {(r.partition, r.value) for r in records} == {(0, str(i).encode()) for i in range(31, 40)} | {
        (2, b"only")
    }


@pytest.mark.broker
def test_a_topic_that_is_not_there_is_an_error_with_a_remedy(broker: Broker) -> None:
    with pytest.raises(BrokerError, match="streamapp deploy nobody BUNDLE"):
        asyncio.run(read_newest(broker.connection, "nobody.predictions", 10))


def test_answers_in_other_dialects_are_rows_like_any() -> None:
    about = {"topic": "bikes.requests", "partition": 0, "offset": 5, "timestamp": "2011-05-02T08:00:00Z"}
    features = [{"temp": 7.0, "weather": "mist"}, {"temp": 8.0, "weather": "rain"}]
    v2 = {
        "id": "v2",
        "model_name": "bikes",
        "model_version": "v1",
        "outputs": [
            {"name": "prediction", "shape": [2], "datatype": "BYTES", "data": ["busy", "calm"]},
            {"name": "probabilities", "shape": [2, 2], "datatype": "FP64", "data": [0.25, 0.75, 0.5, 0.5]},
        ],
        "parameters": about
        | {"predicted_at": about["timestamp"], "classes": ["calm", "busy"], "features": features},
    }
    v1 = {
        "id": "v1",
        "predictions": ["busy"],
        "probabilities": [{"busy": 0.9, "calm": 0.1}],
        "model": {"name": "bikes", "version": "v1"},
        "features": features[:1],
        "request": about | {"offset": 6},
        "predicted_at": about["timestamp"],
    }
    records = [
        InRecord(0, at, 10_000, None, json.dumps(value).encode(), answer(at).headers)
        for at, value in enumerate((v2, v1, v2))
    ]
    rows = rows_of_answers(records, "v1", CLASSIFIER)
    assert rows.columns["temp"].tolist() == [7.0, 8.0, 7.0]
    assert rows.outputs is not None
    assert rows.outputs.tolist() == [[0.75, 0.25], [0.5, 0.5], [0.9, 0.1]]
    assert rows.offsets.tolist() == [5, 5, 6]
    assert rows.left_out == {"repeated": 1}
