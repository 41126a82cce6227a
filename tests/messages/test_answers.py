from __future__ import annotations

from typing import Any

import orjson
import pytest

from streamapp.errors import MessageError
from streamapp.messages import is_native, native_answers, request_offset

NATIVE: dict[str, Any] = {
    "id": "r-17",
    "model": {"name": "bikes", "version": "v1"},
    "prediction": "busy",
    "probabilities": {"busy": 0.75, "calm": 0.25},
    "features": {"temp": 0.5},
    "request": {"topic": "bikes.requests", "partition": 3, "offset": 7, "timestamp": "2011-05-02T08:00:00Z"},
    "predicted_at": "2011-05-02T08:00:00Z",
}
V1 = {
    **{name: NATIVE[name] for name in ("id", "model", "request", "predicted_at")},
    "predictions": ["busy", "busy"],
    "probabilities": [NATIVE["probabilities"]] * 2,
    "features": [NATIVE["features"]] * 2,
}
V2 = {
    "id": "r-17",
    "model_name": "bikes",
    "model_version": "v1",
    "outputs": [
        {"name": "prediction", "shape": [2], "datatype": "BYTES", "data": ["busy", "busy"]},
        {"name": "probabilities", "shape": [2, 2], "datatype": "FP64", "data": [0.75, 0.25] * 2},
    ],
    "parameters": {
        **NATIVE["request"],
        "predicted_at": NATIVE["predicted_at"],
        "classes": ["busy", "calm"],
        "features": [NATIVE["features"]] * 2,
    },
}


@pytest.mark.parametrize("answer", [V1, V2], ids=["V1", "V2"])
def test_each_row_reads_as_a_native_answer(answer: dict[str, Any]) -> None:
    assert native_answers(answer) == [NATIVE, NATIVE]
    assert native_answers({**answer, "review_probability": 0.5})[1] == {**NATIVE, "review_probability": 0.5}
    assert request_offset(answer) == request_offset(NATIVE) == 7


@pytest.mark.parametrize("column", ["prediction", "predictions", "outputs", "model", '"},"prediction":'])
def test_only_native_answers_look_native(column: str) -> None:
    one = {**NATIVE, "features": {column: "a"}}
    rows = [{"temp": "a"}, {column: "a"}]
    assert is_native(orjson.dumps(one))
    assert not is_native(orjson.dumps({**V1, "features": rows}))
    beside = {**V2["parameters"], "features": rows, "prediction": ["busy", "busy"]}  # type: ignore[dict-item]
    assert not is_native(orjson.dumps({**V2, "parameters": beside}))


def test_an_answer_in_another_order_is_looked_through() -> None:
    assert is_native(orjson.dumps(NATIVE, option=orjson.OPT_SORT_KEYS))
    assert is_native(orjson.dumps({**NATIVE, "id": "x" * 300}))
    assert not is_native(orjson.dumps({**NATIVE, "id": "x" * 300, "features": {"outputs": 1}}))


def test_what_was_not_asked_for_is_not_there() -> None:
    labels, sure = V2["outputs"]
    without = {name: value for name, value in NATIVE.items() if name != "probabilities"}
    assert native_answers({**V2, "outputs": [labels]}) == [without, without]
    beside = {**V2["parameters"], "prediction": ["busy", "busy"]}  # type: ignore[dict-item]
    assert native_answers({**V2, "outputs": [sure], "parameters": beside}) == [NATIVE, NATIVE]


def test_native_answers_and_rejections_are_what_they_are() -> None:
    rejection = {"id": "r", "error": {"code": "not-json"}, "request": NATIVE["request"]}
    assert native_answers(NATIVE) == [NATIVE]
    assert native_answers(rejection) == [rejection]


@pytest.mark.parametrize(
    "change",
    [
        {"predictions": 3},
        {"probabilities": [{}]},
        {"features": [{}] * 3},
        {"request": None, "model": None, "predictions": None},
    ],
)
def test_parts_that_do_not_fit_together_are_told(change: dict[str, Any]) -> None:
    with pytest.raises(MessageError, match="do not fit together"):
        native_answers({**V1, **change})
    with pytest.raises(MessageError, match="do not fit together"):
        native_answers({**V2, "parameters": None})


def test_a_text_does_not_make_an_answer_doubtful() -> None:
    assert is_native(b'{"id":"r","prediction":"\\"predictions\\":[","features":{"a":"\\"outputs\\":"}}')
    assert not is_native(b'{"id":"r","predictions":["a"]}')
    assert not is_native(b'{"id":"r","model_name":"m","outputs":[]}')
