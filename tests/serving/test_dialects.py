"""Requests in V2 and V1: answered in kind, and rejected with words that name the tensor and the row."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.messages import Prediction, PredictionV1, PredictionV2, Rejection, native_answers
from streamapp.models import Bundle, Predictions
from streamapp.models.signature import Column, Signature
from streamapp.profile.columns import Columns
from streamapp.serving.columns import RowReader
from streamapp.serving.decode import decode_batch
from tests.serving.batches import GOOD, MadeUp, answer, double, read, request, row
from tests.serving.dialects import DATATYPES, as_doubles, native, tensors, v1, v2

NULLS = row(temp=-1.25, humidity=None, weather=None)
ROWS = [GOOD, NULLS, row(temp=3.0, hour=23, holiday=True, station="south")]


def values(value: bytes, model: Any, **options: Any) -> dict[str, Any]:
    """The answer to one request as JSON."""
    (output,) = answer([request(value)], model, **options).outputs
    fields: dict[str, Any] = orjson.loads(output.value or b"")
    return fields


def rejection(value: bytes, model: Any, **options: Any) -> tuple[str, str | None, int | None, str]:
    """Code, feature, row and message of the rejection of a request."""
    (output,) = answer([request(value)], model, **options).outputs
    message = read(output)
    assert isinstance(message, Rejection), message
    error = message.error
    return str(error.code), error.feature, error.row, error.message


def test_a_v2_request_is_answered_in_v2(bundle: Bundle) -> None:
    said = bundle.predict(ROWS)
    assert said.probabilities is not None
    assert values(v2(tensors(ROWS)), bundle) == {
        "id": "r-17",
        "model_name": "bikes",
        "model_version": bundle.version,
        "outputs": [
            {"name": "prediction", "shape": [3], "datatype": "BYTES", "data": said.values.tolist()},
            {
                "name": "probabilities",
                "shape": [3, 2],
                "datatype": "FP64",
                "data": said.probabilities.ravel().tolist(),
            },
        ],
        "parameters": {
            "classes": ["busy", "calm"],
            "features": ROWS,
            "topic": "bikes.requests",
            "partition": 3,
            "offset": 17,
            "timestamp": "2011-05-02T08:00:00Z",
            "predicted_at": "2011-05-02T08:00:00.004Z",
        },
    }


@pytest.mark.parametrize(
    "instances", [ROWS, [list(each.values()) for each in ROWS]], ids=["objects", "lists"]
)
def test_a_v1_request_is_answered_in_v1(bundle: Bundle, instances: list[Any]) -> None:
    said = bundle.predict(ROWS)
    assert said.probabilities is not None
    assert values(v1(instances), bundle) == {
        "id": "r-17",
        "predictions": said.values.tolist(),
        "probabilities": [dict(zip(["busy", "calm"], p, strict=True)) for p in said.probabilities.tolist()],
        "model": {"name": "bikes", "version": bundle.version},
        "features": ROWS,
        "request": {
            "topic": "bikes.requests",
            "partition": 3,
            "offset": 17,
            "timestamp": "2011-05-02T08:00:00Z",
        },
        "predicted_at": "2011-05-02T08:00:00.004Z",
    }


SIGNATURE = Signature(
    (
        Column("temp", "float"),
        Column("humidity", "float", nullable=True),
        Column("hour", "integer"),
        Column("holiday", "boolean"),
        Column("weather", "string", nullable=True),
        Column("station", "string"),
        Column("pressure", "float", bounds=(900.0, 1_100.0)),
    ),
    "regression",
)
ONE = Signature((Column("x", "float", nullable=True),), "regression")
TWO = Signature((Column("a", "integer"), Column("b", "float", nullable=True)), "regression")


def product(columns: Columns) -> Predictions:
    return Predictions(columns["a"] * np.nan_to_num(columns["b"]))


@pytest.mark.parametrize(
    ("inputs", "predictions"),
    [
        ([{"name": "any", "shape": [2, 2], "datatype": "FP64", "data": [2, 0.5, 3, 1.5]}], [1.0, 4.5]),
        ([{"name": "any", "shape": [2, 2], "datatype": "FP64", "data": [[2, 0.5], [3, None]]}], [1.0, 0.0]),
        ([{"name": "a", "shape": [1, 2], "datatype": "INT8", "data": [2, -128]}], [-256.0]),
        (tensors([{"a": 2, "b": 0.5}], {"b": "FP16", "a": "UINT64"}), [1.0]),
        ([{"name": "a", "shape": [2, 1], "datatype": "INT32", "data": [[2], [3]]},
          {"name": "b", "shape": [2, 1], "datatype": "FP32", "data": [0.5, 1.5]}], [1.0, 4.5]),
        (tensors([{"a": 2}, {"a": 3}], {"a": "INT64"}), [0.0, 0.0]),
        (tensors([{"a": 2}], {"a": "FP64"}), [0.0]),
        (tensors([{"a": 8.0, "b": 1}], {"a": "INT16", "b": "INT16"}), [8.0]),
        (tensors([{"a": 2, "b": 1, "c": "x"}], {"a": "INT64", "b": "FP64", "c": "BYTES"}), [2.0]),
    ],
    ids=["all in one", "nested and null", "whole", "other order", "[n, 1]", "a column less",
         "one less, one row", "whole floats", "a column more"],
)  # fmt: skip
def test_tensors_come_in_many_forms(inputs: list[dict[str, Any]], predictions: list[float]) -> None:
    found = values(v2(inputs), MadeUp(product, signature=TWO))
    assert found["outputs"] == [
        {"name": "prediction", "shape": [len(predictions)], "datatype": "FP64", "data": predictions}
    ]
    assert "classes" not in found["parameters"]


@pytest.mark.parametrize("instances", [[1.5, None], [[1.5], [None]], [{"x": 1.5}, {}]])
def test_a_model_of_one_column_takes_plain_values(instances: list[Any]) -> None:
    assert values(v1(instances), MadeUp(double, signature=ONE))["predictions"] == [3.0, 0.0]


@pytest.mark.parametrize("tensor", ["x", "any"])
@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_a_tensor_of_the_only_column_may_have_any_name(tensor: str, shape: list[int]) -> None:
    inputs = [{"name": tensor, "shape": shape, "datatype": "FP64", "data": [1.5, 2.5]}]
    assert values(v2(inputs), MadeUp(double, signature=ONE))["outputs"][0]["data"] == [3.0, 5.0]


@pytest.mark.parametrize(
    ("outputs", "names", "beside"),
    [
        ([{"name": "prediction"}], ["prediction"], False),
        ([{"name": "probabilities"}], ["probabilities"], True),
        ([{"name": "probabilities"}, {"name": "prediction"}], ["prediction", "probabilities"], False),
        ([], ["prediction", "probabilities"], False),
    ],
)
def test_only_the_outputs_that_are_asked_for_are_given(
    bundle: Bundle, outputs: list[Any], names: list[str], beside: bool
) -> None:
    found = values(v2(tensors(ROWS), outputs=outputs), bundle)
    assert [output["name"] for output in found["outputs"]] == names
    assert ("prediction" in found["parameters"]) == beside
    said = native_answers(found)
    assert [one["prediction"] for one in said] == bundle.predict(ROWS).values.tolist()


@pytest.mark.parametrize(
    "wish",
    [
        {"parameters": {"binary_data_output": True}},
        {"outputs": [{"name": "prediction", "parameters": {"binary_data": True}}]},
    ],
)
def test_who_would_like_binary_outputs_gets_json(bundle: Bundle, wish: dict[str, Any]) -> None:
    said = native_answers(values(v2(tensors(ROWS), **wish), bundle))
    assert [one["prediction"] for one in said] == bundle.predict(ROWS).values.tolist()


def test_features_are_left_out_where_they_are_to_be(bundle: Bundle) -> None:
    requests = [request(v2(tensors(ROWS)), 0), request(v1(ROWS), 1)]
    for output in answer(requests, bundle, answer_features=False).outputs:
        assert all("features" not in one for one in native_answers(orjson.loads(output.value or b"")))


def one(
    datatype: str = "FP64", data: Any = (1,), shape: Any = (1,), name: str = "temp", **more: Any
) -> bytes:
    """A request with one tensor."""
    return v2([{"name": name, "shape": shape, "datatype": datatype, "data": data, **more}])


def typed(**changes: str) -> dict[str, str]:
    """The datatypes of columns with changes."""
    return DATATYPES | changes


BAD: list[tuple[str, bytes, str, str | None, int | None]] = [
    ("inputs no array", v2({"temp": 1}), "wrong-type", None, None),
    ("inputs with a number", v2([1]), "wrong-type", None, None),
    ("no inputs", v2([]), "bad-shape", None, None),
    ("no name", v2([{"shape": [1], "datatype": "FP64", "data": [1]}]), "wrong-type", None, None),
    ("no shape", v2([{"name": "temp", "datatype": "FP64", "data": [1]}]), "bad-shape", "temp", None),
    ("no rows", one(shape=[0], data=[]), "bad-shape", "temp", None),
    ("a free size", one(shape=[-1]), "bad-shape", "temp",
     None),
    ("no datatype", v2([{"name": "temp", "shape": [1], "data": [1]}]), "wrong-type", "temp", None),
    ("another datatype", one("BF16"), "wrong-type",
     "temp", None),
    ("no data", v2([{"name": "temp", "shape": [1], "datatype": "FP64"}]), "bad-shape", "temp", None),
    ("too few values", one(shape=[2]), "bad-shape",
     "temp", None),
    ("too many values", one(data=[1, 2]), "bad-shape",
     "temp", None),
    ("nested otherwise", one(name="x", shape=[2, 2], data=[[1], [2, 3, 4]]),
     "bad-shape", "x", None),
    ("all columns but one", one(name="x", shape=[1, 6], data=[1] * 6),
     "bad-shape", "x", None),
    ("one tensor of no column", one(name="x"), "bad-shape",
     "x", None),
    ("other rows in a column", v2([*tensors([GOOD]), {"name": "more", "shape": [2], "datatype": "FP64",
     "data": [1, 2]}]), "bad-shape", "more", None),
    ("a column twice", v2([*tensors([GOOD]), *tensors([GOOD], {"temp": "FP64"})]), "bad-shape", "temp", None),
    ("a text in numbers", v2(tensors([GOOD, row(temp="0.5")])), "wrong-type", "temp", 1),
    ("a boolean in numbers", v2(tensors([row(temp=True)])), "wrong-type", "temp", None),
    ("a number in texts", v2(tensors([GOOD, GOOD, row(weather=3)])), "wrong-type", "weather", 2),
    ("a number in booleans", v2(tensors([row(holiday=1)])), "wrong-type", "holiday", None),
    ("a fraction in integers", v2(tensors([row(hour=8.5)])), "wrong-type", "hour", None),
    ("300 in INT8", v2(tensors([row(hour=300)], typed(hour="INT8"))), "out-of-range", "hour", None),
    ("-1 in UINT64", v2(tensors([row(hour=-1)], typed(hour="UINT64"))), "out-of-range", "hour", None),
    ("2^31 in INT32", v2(tensors([row(hour=1 << 31)], typed(hour="INT32"))), "out-of-range", "hour",
     None),
    ("beyond 64 bits", v2(tensors([GOOD, row(hour=1)])).replace(b"8,1]", b"8,18446744073709551616]"),
     "out-of-range", "hour", 1),
    ("1e400", v2(tensors([GOOD, row(temp=2.25)])).replace(b"2.25", b"1e400"), "out-of-range", "temp", 1),
    ("1e400 in integers", v2(tensors([row(hour=77)])).replace(b"77", b"1e400"), "out-of-range", "hour", None),
    ("NaN", v2(tensors([row(temp=2.25)])).replace(b"2.25", b"NaN"), "out-of-range", "temp", None),
    ("a number as text", v2(tensors([row(temp="1")], typed(temp="BYTES"))), "wrong-type", "temp", None),
    ("null that must not be", v2(tensors([GOOD, row(temp=None)])), "missing-feature", "temp", 1),
    ("a column less", v2(tensors([GOOD], {"temp": "FP64"})), "missing-feature", "hour", None),
    ("beyond a bound", v2(tensors([GOOD, row(pressure=1.0)])), "out-of-range", "pressure", 1),
    ("a closed category", v2(tensors([GOOD, row(station="west")])), "unknown-category", "station", 1),
    ("mixed columns in one tensor", one(name="x", shape=[1, 7], data=[1] * 7),
     "wrong-type", "holiday", None),
    ("binary data", one(parameters={"binary_data_size": 8}),
     "bad-shape", None, None),
    ("outputs by name alone", v2(tensors([GOOD]), outputs=["prediction"]), "wrong-type", None, None),
    ("another output", v2(tensors([GOOD]), outputs=[{"name": "predict"}]), "bad-shape", None, None),
    ("an id of another type", v2(tensors([GOOD]), id=[1]), "wrong-type", None, None),
    ("instances no array", v1({"a": 1}), "wrong-type", None, None),
    ("no instances", v1([]), "bad-shape", None, None),
    ("an instance too short", v1([list(GOOD.values()), [1]]), "bad-shape", None, 1),
    ("a plain value for seven columns", v1([1.0]), "bad-shape", None, None),
    ("a wrong value in an instance", v1([GOOD, row(temp="x")]), "wrong-type", "temp", 1),
    ("an integer beyond 64 bits in an instance", v1([GOOD, row(temp=77)]).replace(b"77", b"9" * 30),
     "out-of-range", "temp", 1),
    ("1e400 in an instance", v1([GOOD, row(temp=77)]).replace(b"77", b"1e400"), "out-of-range", "temp", 1),
    ("half a pair", v2(tensors([row(weather="@")])).replace(b"@", b"\\ud800"), "not-json", None, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "code", "feature", "at"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_a_bad_request_is_rejected_and_says_where(
    bundle: Bundle, value: bytes, code: str, feature: str | None, at: int | None
) -> None:
    found = rejection(value, bundle)
    assert found[:3] == (code, feature, at)
    assert (at is not None) == found[3].startswith(f"row {at}: ")
    assert (": " in found[3]) or code == "out-of-range"
    assert len(found[3]) < 400


@pytest.mark.parametrize(
    "value",
    [
        v2(tensors([GOOD] * 4)),
        v1([GOOD] * 4),
        v2(
            [{"name": n, "shape": [4, 1], "datatype": t, "data": [GOOD[n]] * 4} for n, t in DATATYPES.items()]
        ),
    ],
)
def test_more_rows_than_may_be_are_too_many(bundle: Bundle, value: bytes) -> None:
    assert rejection(value, bundle, max_request_rows=3)[0] == "too-large"
    assert "max_request_rows = 3" in rejection(value, bundle, max_request_rows=3)[3]
    assert len(native_answers(values(value, bundle, max_request_rows=4))) == 4


def test_an_answer_that_is_too_large_is_known_before(bundle: Bundle) -> None:
    value = v2(tensors([row(weather="x" * 900)] * 3))
    found = rejection(value, bundle, max_answer_bytes=3_000)
    assert found[0] == "too-large"
    assert "its answer would take" in found[3]


def test_one_row_that_the_model_cannot_answer_rejects_its_request_alone() -> None:
    def picky(columns: Columns) -> Predictions:
        if (columns["x"] == 13.0).any():
            raise ValueError("unlucky")
        return double(columns)

    model = MadeUp(picky, signature=ONE)
    requests = [request(value, at) for at, value in enumerate((v1([1, 2]), v1([3, 13, 4]), v1([5, 6])))]
    answers = answer(requests, model)
    said = [read(output) for output in answers.outputs]
    assert isinstance(said[1], Rejection)
    assert (said[1].error.code, said[1].error.row) == ("model-failed", 1)
    assert [one.predictions for one in said if isinstance(one, PredictionV1)] == [[2.0, 4.0], [10.0, 12.0]]
    assert answers.counted.columns["x"].tolist() == [1.0, 2.0, 5.0, 6.0]
    assert answers.counters.rows == 4
    assert answers.counters.requests == 3


def test_a_mixed_batch_is_answered_in_kind_and_in_order(bundle: Bundle) -> None:
    bodies = [
        native(ROWS[0]),
        v2(tensors(ROWS[:1])),
        v1(ROWS),
        v2(tensors(ROWS), outputs=[{"name": "prediction"}]),
        b"{",
        native(ROWS[2]),
        v2(tensors([GOOD, row(temp="x")])),
        v2(tensors(ROWS)),
        v1([GOOD]),
    ]
    answers = answer([request(value, at) for at, value in enumerate(bodies)], bundle)
    kinds = [type(read(output)) for output in answers.outputs]
    assert kinds == [
        Prediction, PredictionV2, PredictionV1, PredictionV2, Rejection, Prediction, Rejection, PredictionV2,
        PredictionV1,
    ]  # fmt: skip
    for output, value in zip(answers.outputs, bodies, strict=True):
        (alone,) = answer([request(value)], bundle).outputs
        if isinstance(read(output), Rejection):
            continue
        one = native_answers(orjson.loads(output.value or b""))
        same = native_answers(orjson.loads(alone.value or b""))
        assert [each["prediction"] for each in one] == [each["prediction"] for each in same]
        assert [each["features"] for each in one] == [each["features"] for each in same]
        for each, other in zip(one, same, strict=True):
            if "probabilities" in other:
                assert each["probabilities"] == pytest.approx(other["probabilities"], rel=1e-9)
    assert answers.counted.row_records.tolist() == [0, 1, 2, 2, 2, 3, 3, 3, 5, 7, 7, 7, 8]
    assert answers.counters.rows == 13


def test_ids_are_given_as_to_any_request(bundle: Bundle) -> None:
    inputs = tensors([GOOD])
    assert values(orjson.dumps({"inputs": inputs}), bundle)["id"] == "3-17"
    assert values(v2(inputs, id=7), bundle)["id"] == "7"
    assert values(orjson.dumps({"inputs": inputs}).replace(b"{", b'{"id": %b,' % (b"9" * 30), 1), bundle)[
        "id"
    ] == ("9" * 30)
    (output,) = answer(
        [request(orjson.dumps({"instances": [GOOD]}), headers=[("ce_id", b"e")])], bundle
    ).outputs
    assert orjson.loads(output.value or b"")["id"] == "e"


def test_bytes_are_strings_whatever_is_in_them(bundle: Bundle) -> None:
    texts = ['"\\\x00\u2028\U0001f600', "", '"outputs":', "é"]
    found = values(v2(tensors([row(weather=text) for text in texts])), bundle)
    assert [each["weather"] for each in found["parameters"]["features"]] == texts
    assert len(native_answers(found)) == 4


FRAME = b"\x00\x00\x00\x00\x07"


@pytest.mark.parametrize("body", [native(GOOD), v2(tensors([GOOD])), v1([GOOD])], ids=["native", "V2", "V1"])
def test_schema_ids_are_skipped_where_that_is_set(bundle: Bundle, body: bytes) -> None:
    records = [request(body, 0), request(FRAME + body, 1), request(FRAME[:3], 2)]
    answers = answer(records, bundle, framing="confluent")
    plain, framed, short = (orjson.loads(output.value or b"") for output in answers.outputs)
    assert short["error"]["code"] == "not-json"
    assert native_answers(plain)[0]["prediction"] == native_answers(framed)[0]["prediction"]
    assert answers.dead_letters[0].value == FRAME[:3]
    assert rejection(FRAME + body, bundle)[0] == "not-json"
    assert "set request_framing = confluent" in rejection(FRAME + body, bundle)[3]


def test_without_a_model_every_dialect_is_rejected() -> None:
    records = [request(value, at) for at, value in enumerate((native(GOOD), v2(tensors(ROWS)), v1(ROWS)))]
    for output in answer(records, None).outputs:
        message = read(output)
        assert isinstance(message, Rejection)
        assert (message.id, message.error.code) == ("r-17", "no-model")


good_rows = st.fixed_dictionaries(
    {
        "temp": st.floats(-1e9, 1e9) | st.integers(-(2**40), 2**40),
        "humidity": st.none() | st.floats(0, 1),
        "hour": st.integers(0, 2**40),
        "holiday": st.booleans(),
        "weather": st.none() | st.text(st.sampled_from('a"\\:{}[], \u00e9'), max_size=9),
        "station": st.sampled_from(["north", "south"]),
        "pressure": st.floats(900, 1_100),
    }
)


def classify(columns: Columns) -> Predictions:
    p = 1.0 / (1.0 + np.exp(-np.clip(columns["temp"] + np.nan_to_num(columns["humidity"]), -30.0, 30.0)))
    return Predictions(np.where(p > 0.5, "busy", "calm"), np.column_stack((p, 1.0 - p)), ("busy", "calm"))


CLASSIFIER = MadeUp(classify, signature=Signature(SIGNATURE.columns, "classification", ("busy", "calm")))


@settings(max_examples=30)
@given(
    rows=st.lists(good_rows, min_size=1, max_size=3),
    order=st.permutations(list(DATATYPES)),
    indent=st.booleans(),
)
def test_all_dialects_say_the_same_of_the_same_rows(
    rows: list[dict[str, Any]], order: list[str], indent: bool
) -> None:
    inputs = tensors(rows, {name: DATATYPES[name] for name in order})
    body = orjson.dumps({"id": "r-17", "inputs": inputs}, option=orjson.OPT_INDENT_2 if indent else None)
    lists = [[each[name] for name in DATATYPES] for each in rows]
    alone = [values(native(each), CLASSIFIER) for each in rows]
    for value in (body, v1(rows), v1(lists)):
        assert native_answers(values(value, CLASSIFIER)) == alone


odd: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
sizes = st.integers(-1, 8) | odd
tensor_like = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from([*DATATYPES, "x"]) | odd,
        "shape": st.lists(sizes, max_size=3) | odd,
        "datatype": st.sampled_from(["FP64", "INT8", "UINT64", "BOOL", "BYTES", "x"]) | odd,
        "data": st.lists(odd, max_size=8) | st.lists(st.floats(), min_size=7, max_size=7) | odd,
        "parameters": odd,
    },
)


@settings(max_examples=60, deadline=None)
@given(
    body=st.fixed_dictionaries(
        {},
        optional={
            "id": odd,
            "inputs": st.lists(tensor_like | odd, max_size=3) | odd,
            "instances": st.lists(good_rows | st.lists(odd, min_size=7, max_size=7) | odd, max_size=3) | odd,
            "outputs": st.lists(st.fixed_dictionaries({"name": odd | st.just("prediction")}), max_size=2)
            | odd,
            "parameters": odd,
        },
    ),
)
def test_no_body_raises(body: dict[str, Any]) -> None:
    value = json.dumps(body).encode(errors="surrogatepass")
    answers = answer([request(native(GOOD), 0), request(value, 1)], CLASSIFIER)
    assert isinstance(read(answers.outputs[0]), Prediction)


class _Unread:
    """A reader of tensors that leaves all of them to the slow one."""

    def read(self, value: bytes, *, max_rows: int) -> Any:
        raise ValueError("read it slowly")


FAST, SLOW = RowReader(SIGNATURE), RowReader(SIGNATURE)
SLOW.tensors = _Unread()  # type: ignore[assignment]


@settings(max_examples=150)
@given(data=st.data(), count=st.integers(1, 2))
def test_what_is_read_fast_is_what_is_read_slowly(data: st.DataObject, count: int) -> None:
    inputs = tensors(data.draw(st.lists(good_rows, min_size=count, max_size=count)))
    tensor = data.draw(st.sampled_from(inputs))
    tensor["datatype"] = data.draw(
        st.sampled_from([tensor["datatype"], "FP32", "INT8", "INT32", "UINT8", "BOOL", "BYTES"])
    )
    if data.draw(st.booleans()):
        tensor["data"] = data.draw(st.lists(odd, min_size=count, max_size=count))
    record = request(json.dumps({"id": "r", "inputs": inputs}).encode(errors="surrogatepass"))
    fast, slow = (decode_batch([record], reader, max_request_bytes=1 << 20) for reader in (FAST, SLOW))
    assert (fast.ids, fast.faults, fast.asked) == (slow.ids, slow.faults, slow.asked)
    if slow.features:
        for name, column in slow.columns.items():
            np.testing.assert_array_equal(column, fast.columns[name])
    assert list(map(as_doubles, fast.features)) == list(map(as_doubles, slow.features))
