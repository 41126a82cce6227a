"""Requests as they lie in their topic, models made up for a test, and answers held to their types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import orjson
from jsonschema import Draft202012Validator

from streamapp.messages import (
    Header,
    InRecord,
    OutRecord,
    Prediction,
    PredictionV1,
    PredictionV2,
    Record,
    Rejection,
    answer_id,
    event_headers,
    header,
    record_bytes,
    trace_headers,
)
from streamapp.messages.schemas import schema_of
from streamapp.models.predictions import Predictions
from streamapp.models.signature import Column, Signature
from streamapp.profile.columns import Columns
from streamapp.serving.answers import Answers
from streamapp.serving.scorer import Scorer

NAMES: dict[type, str] = {
    Prediction: "prediction",
    PredictionV2: "prediction-v2",
    PredictionV1: "prediction-v1",
    Rejection: "rejection",
}

LIMIT = 1 << 21
REQUEST_LIMIT = 1 << 20
TIME_MS = 1_304_323_200_000
NOW_MS = TIME_MS + 4

GOOD: dict[str, Any] = {
    "temp": 0.5,
    "humidity": 0.25,
    "hour": 8,
    "holiday": False,
    "weather": "mist",
    "station": "north",
    "pressure": 1013.0,
}
"""A row that the bundle of these tests answers."""


def request(
    value: bytes | None,
    offset: int = 17,
    *,
    headers: Sequence[Header] = (),
    timestamp: int = TIME_MS,
    key: bytes | None = b"k",
) -> InRecord:
    """A request record of partition 3."""
    return InRecord(3, offset, timestamp, key, value, headers)


def body(features: object, **more: object) -> bytes:
    """The bytes of a request in the native dialect."""
    return orjson.dumps({"id": "r-17", "features": features} | more)


def row(**changes: object) -> dict[str, Any]:
    """A good row with changes."""
    return GOOD | changes


def scorer(**options: Any) -> Scorer:
    """A scorer of the deployment ``bikes``."""
    return Scorer("bikes", **({"max_request_bytes": REQUEST_LIMIT, "max_answer_bytes": LIMIT} | options))


def answer(records: Iterable[Record], model: Any, **options: Any) -> Answers:
    """The answers to `records`, each held to its type, its schema and its request."""
    records = list(records)
    answers = scorer(**options).answer(records, model, NOW_MS)
    assert len(answers.outputs) == len(records)
    limit = options.get("max_answer_bytes", LIMIT)
    for record, output in zip(records, answers.outputs, strict=True):
        check(record, output)
        assert record_bytes(output.key, output.value, output.headers) <= limit
    for letter in answers.dead_letters:
        assert record_bytes(letter.key, letter.value, letter.headers) <= limit
    rejected = answers.counted.rejected
    assert answers.counted.offsets.tolist() == [record.offset for record in records]
    assert rejected.tolist() == [isinstance(read(output), Rejection) for output in answers.outputs]
    assert len(answers.dead_letters) == rejected.sum() == sum(answers.counters.rejections.values())
    assert answers.counters.requests == len(records)
    assert not rejected[answers.counted.row_records].any()
    outputs = answers.counted.outputs
    assert answers.counters.rows == (0 if outputs is None else len(outputs))
    for values in answers.counted.columns.values():
        assert len(values) == answers.counters.rows
    return answers


def check(record: Record, output: OutRecord) -> None:
    """Hold an answer to its type, its schema and its request."""
    message = read(output)
    _validator(NAMES[type(message)]).validate(orjson.loads(output.value or b""))
    ref = message.parameters if isinstance(message, PredictionV2) else message.request
    assert (ref.topic, ref.partition, ref.offset) == ("bikes.requests", record.partition, record.offset)
    assert output.partition == record.partition
    ce_id = answer_id("bikes.requests", record.partition, record.offset)
    time = header(output.headers, "ce_time")
    plain = event_headers("bikes", message.ce_type, ce_id, 0)
    plain[4] = ("ce_time", time or b"")
    assert output.headers[:6] == plain
    assert list(output.headers[6:]) in ([], trace_headers(record.headers))
    assert output.key in (record.key, None)
    # The types write what serving writes by hand: nothing stands in it that they do not know.
    written = message.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert written == orjson.loads(output.value or b"")


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(schema_of(name))


def read(output: OutRecord) -> Any:
    """The message in an answer: a `Prediction`, one in another dialect, or a `Rejection`."""
    if header(output.headers, "ce_type") == b"streamapp.rejection.v1":
        return Rejection.decode(output.value)
    fields = orjson.loads(output.value or b"")
    if "model_name" in fields:
        return PredictionV2.parse(fields)
    return PredictionV1.parse(fields) if "predictions" in fields else Prediction.parse(fields)


def reject(value: bytes | None, model: Any, **options: Any) -> tuple[str, str | None]:
    """Code and feature of the rejection of a request with this value."""
    answers = answer([request(value)], model, **options)
    message = read(answers.outputs[0])
    assert isinstance(message, Rejection), message
    (letter,) = answers.dead_letters
    assert header(letter.headers, "streamapp-error-code") == message.error.code.encode()
    return str(message.error.code), message.error.feature


@dataclass(frozen=True)
class _Manifest:
    name: str = "bikes"


@dataclass(frozen=True)
class MadeUp:
    """A model that answers what a function says, and takes one column of numbers, ``x``."""

    predict: Callable[[Columns], Any]
    version: str = "v1"
    manifest: _Manifest = field(default_factory=_Manifest)
    signature: Signature = field(
        default_factory=lambda: Signature((Column("x", "float", nullable=True),), "regression")
    )

    def predict_columns(self, columns: Columns) -> Predictions:
        """Answer rows."""
        said: Predictions = self.predict(columns)
        return said


def numbers(*values: float | None) -> list[InRecord]:
    """Requests to a made-up model, at offsets 0, 1, …"""
    return [request(body({"x": x}, id=f"r-{i}"), i) for i, x in enumerate(values)]


def double(columns: Columns) -> Predictions:
    """Answer twice the number; a missing one is 0."""
    return Predictions(2 * np.nan_to_num(columns["x"]))
