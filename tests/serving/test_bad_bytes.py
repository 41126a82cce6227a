"""Bytes that are no request, or an odd one: each with the code and the column that it is rejected with."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamapp.messages import Prediction, Rejection, header
from streamapp.models import Bundle
from tests.serving.batches import GOOD, REQUEST_LIMIT, answer, body, read, reject, request, row, scorer

GOOD_BODY = body(GOOD)
DEEP = b"[" * 100_000
V2 = b'{"inputs": [{"name": "temp", "shape": [1], "datatype": "FP64", "data": [1]}]}'
HUGE = 1 << 64


def raw(column: str, text: bytes) -> bytes:
    """A request in which `column` holds `text`, which need not be JSON."""
    return orjson.dumps({"features": row(**{column: "@@"})}).replace(b'"@@"', text)


def without(column: str) -> bytes:
    return body({name: value for name, value in GOOD.items() if name != column})


BAD: list[tuple[str, bytes | None, str, str | None]] = [
    # No JSON
    ("no value", None, "not-json", None),
    ("empty", b"", "not-json", None),
    ("blank", b" \n", "not-json", None),
    ("text", b"hello", "not-json", None),
    ("byte order mark", b"\xef\xbb\xbf" + GOOD_BODY, "not-json", None),
    ("UTF-16", GOOD_BODY.decode().encode("utf-16"), "not-json", None),
    ("UTF-16 without mark", GOOD_BODY.decode().encode("utf-16-le"), "not-json", None),
    ("Latin-1", '{"id": "é", "features": {}}'.encode("latin-1"), "not-json", None),
    ("truncated", GOOD_BODY[:-1], "not-json", None),
    ("cut in a string", GOOD_BODY[:20], "not-json", None),
    ("two objects", GOOD_BODY * 2, "not-json", None),
    ("trailing comma", b'{"features": {},}', "not-json", None),
    ("single quotes", b"{'features': {}}", "not-json", None),
    ("comment", b'{"features": {} /* none */}', "not-json", None),
    ("null bytes", b"\x00" * 8, "not-json", None),
    ("a null byte inside", GOOD_BODY.replace(b"mist", b"mi\x00st"), "not-json", None),
    ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "not-json", None),
    ("Avro of a registry", b"\x00\x00\x00\x00\x01" + GOOD_BODY, "not-json", None),
    ("half a surrogate pair", raw("weather", b'"\\ud800"'), "not-json", None),
    ("half a pair in a closed column", raw("station", b'"\\udfff"'), "not-json", None),
    ("half a pair in the id", b'{"id": "\\ud800", "features": {}}', "not-json", None),
    ("an encoded surrogate", raw("weather", b'"\xed\xa0\x80"'), "not-json", None),
    ("a depth bomb of arrays", DEEP, "not-json", None),
    ("a depth bomb that closes", DEEP + b"]" * 100_000, "not-json", None),
    ("NaN beside the row", b'{"id": NaN, "features": {}}', "not-json", None),
    ("NaN as text column", raw("weather", b"NaN"), "not-json", None),
    ("leading zero", raw("temp", b"01"), "not-json", None),
    ("hexadecimal", raw("temp", b"0x1"), "not-json", None),
    ("plus sign", raw("temp", b"+1"), "not-json", None),
    # Another shape
    ("null", b"null", "not-an-object", None),
    ("a number", b"1", "not-an-object", None),
    ("a string", b'"features"', "not-an-object", None),
    ("an array", b"[" + GOOD_BODY + b"]", "not-an-object", None),
    ("an empty array", b"[]", "not-an-object", None),
    ("an empty object", b"{}", "bad-shape", None),
    ("the row alone", orjson.dumps(GOOD), "bad-shape", None),
    ("V2 without most columns", V2, "missing-feature", "hour"),
    ("V1 without rows", b'{"instances": []}', "bad-shape", None),
    ("features null", b'{"features": null}', "wrong-type", None),
    ("features an array", orjson.dumps({"features": [GOOD]}), "wrong-type", None),
    ("features a string", b'{"features": "temp"}', "wrong-type", None),
    # Ids
    ("id a number with fraction", body(GOOD, id=1.5), "wrong-type", None),
    ("id a float that is whole", body(GOOD, id=1.0), "wrong-type", None),
    ("id a boolean", body(GOOD, id=True), "wrong-type", None),
    ("id an array", body(GOOD, id=["a"]), "wrong-type", None),
    ("id an object", body(GOOD, id={}), "wrong-type", None),
    ("id of 4,097 bytes", body(GOOD, id="x" * 4_097), "too-large", None),
    ("id of 2,049 two-byte letters", body(GOOD, id="é" * 2_049), "too-large", None),
    ("id a number of 5,000 digits", body(GOOD).replace(b'"r-17"', b"9" * 5_000), "wrong-type", None),
    # Missing
    ("no columns", body({}), "missing-feature", "temp"),
    ("a missing key", without("hour"), "missing-feature", "hour"),
    ("null in a float", body(row(temp=None)), "missing-feature", "temp"),
    ("null in an integer", body(row(hour=None)), "missing-feature", "hour"),
    ("null in a boolean", body(row(holiday=None)), "missing-feature", "holiday"),
    ("null in a string", body(row(station=None)), "missing-feature", "station"),
    ("a key in other case", body({k.title(): v for k, v in GOOD.items()}), "missing-feature", "temp"),
    ("a duplicate key, null last", b'{"features": {"temp": 1, "temp": null}}', "missing-feature", "temp"),
    # Types
    ("a string for a float", body(row(temp="0.5")), "wrong-type", "temp"),
    ("an empty string for a float", body(row(temp="")), "wrong-type", "temp"),
    ("the text NaN for a float", body(row(temp="NaN")), "wrong-type", "temp"),
    ("a boolean for a float", body(row(temp=True)), "wrong-type", "temp"),
    ("an array for a float", body(row(temp=[0.5])), "wrong-type", "temp"),
    ("an object for a float", body(row(temp={"v": 1})), "wrong-type", "temp"),
    ("a string for a float that may be missing", body(row(humidity="")), "wrong-type", "humidity"),
    ("a fraction in an integer", body(row(hour=8.5)), "wrong-type", "hour"),
    ("a boolean for an integer", body(row(hour=False)), "wrong-type", "hour"),
    ("a string for an integer", body(row(hour="8")), "wrong-type", "hour"),
    ("a number for a boolean", body(row(holiday=1)), "wrong-type", "holiday"),
    ("a string for a boolean", body(row(holiday="true")), "wrong-type", "holiday"),
    ("a number for a string", body(row(weather=3)), "wrong-type", "weather"),
    ("a boolean for a string", body(row(weather=True)), "wrong-type", "weather"),
    ("an array for a string", body(row(weather=["mist"])), "wrong-type", "weather"),
    ("a number for a closed string", body(row(station=3)), "wrong-type", "station"),
    # Ranges
    ("NaN", raw("temp", b"NaN"), "out-of-range", "temp"),
    ("Infinity", raw("temp", b"Infinity"), "out-of-range", "temp"),
    ("-Infinity in an integer", raw("hour", b"-Infinity"), "out-of-range", "hour"),
    ("NaN where null may stand", raw("humidity", b"NaN"), "out-of-range", "humidity"),
    ("1e400", raw("temp", b"1e400"), "out-of-range", "temp"),
    ("-1e400", raw("temp", b"-1e400"), "out-of-range", "temp"),
    ("an integer of 400 digits", raw("temp", b"9" * 400), "out-of-range", "temp"),
    ("an integer of 10,000 digits", raw("hour", b"-" + b"9" * 10_000), "out-of-range", "hour"),
    ("2^64 in a float", raw("temp", b"%d" % HUGE), "out-of-range", "temp"),
    ("-2^63 - 1 in a float", raw("temp", b"%d" % (-(HUGE >> 1) - 1)), "out-of-range", "temp"),
    ("2^63 in an integer", raw("hour", b"%d" % (HUGE >> 1)), "out-of-range", "hour"),
    ("1e19 in an integer", raw("hour", b"1e19"), "out-of-range", "hour"),
    ("below its bound", body(row(pressure=899.999)), "out-of-range", "pressure"),
    ("above its bound", body(row(pressure=1_101)), "out-of-range", "pressure"),
    ("below the only bound", body(row(hour=-1)), "out-of-range", "hour"),
    # Categories
    ("a level that is not allowed", body(row(station="west")), "unknown-category", "station"),
    ("an allowed level in other case", body(row(station="North")), "unknown-category", "station"),
    ("an empty string in a closed column", body(row(station="")), "unknown-category", "station"),
    ("null as text in a closed column", body(row(station="null")), "unknown-category", "station"),
    # Size
    ("a request above the limit", b" " * (REQUEST_LIMIT + 1), "too-large", None),
    ("a good one above the limit", GOOD_BODY + b" " * REQUEST_LIMIT, "too-large", None),
    # Of several faults, the first in the order of the columns
    ("several faults", body(row(hour="8", temp="x", station="west")), "wrong-type", "temp"),
    ("a fault after 1e400", raw("temp", b"1e400").replace(b":8", b':"x"'), "out-of-range", "temp"),
    ("a fault before 1e400", raw("hour", b"1e400").replace(b"0.5", b'"x"'), "wrong-type", "temp"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "code", "feature"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_bad_bytes_are_rejected(bundle: Bundle, value: bytes | None, code: str, feature: str | None) -> None:
    assert reject(value, bundle) == (code, feature)


@pytest.mark.parametrize("value", [case[1] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_bytes_go_to_dead_letters_as_they_came(bundle: Bundle, value: bytes | None) -> None:
    record = request(value, headers=[("x", b"1"), ("x", b"2")])
    (letter,) = answer([record], bundle).dead_letters
    assert letter[:3] == (0, b"k", value)
    assert letter.headers[:2] == [("x", b"1"), ("x", b"2")]
    names = dict(letter.headers[2:])
    assert names.pop("streamapp-error-code")
    assert names.pop("streamapp-error-message")
    assert names == {
        "streamapp-source-topic": b"bikes.requests",
        "streamapp-source-partition": b"3",
        "streamapp-source-offset": b"17",
        "streamapp-source-timestamp": b"2011-05-02T08:00:00Z",
    }


@pytest.mark.parametrize("value", [case[1] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_request_rejects_itself_alone(bundle: Bundle, value: bytes | None) -> None:
    records = [request(GOOD_BODY, 0), request(value, 1), request(GOOD_BODY, 2)]
    answers = answer(records, bundle)
    assert answers.counted.rejected.tolist() == [False, True, False]
    (alone,) = answer([request(GOOD_BODY, 2)], bundle).outputs
    assert answers.outputs[2] == alone


ODD: list[tuple[str, bytes, dict[str, Any]]] = [
    ("white space around", b" \n" + GOOD_BODY + b"\n ", GOOD),
    ("whole numbers in floats", body(row(temp=0, pressure=1013)), row(temp=0, pressure=1013)),
    ("8.0 in an integer", body(row(hour=8.0)), row(hour=8.0)),
    ("8e0 in an integer", raw("hour", b"8e0"), row(hour=8.0)),
    ("minus zero", raw("temp", b"-0.0"), row(temp=-0.0)),
    ("a very large double", body(row(temp=1e300)), row(temp=1e300)),
    ("the smallest double", body(row(temp=5e-324)), row(temp=5e-324)),
    ("2^64 - 1 in a float", body(row(temp=HUGE - 1)), row(temp=HUGE - 1)),
    ("-2^63 in a float", body(row(temp=-(HUGE >> 1))), row(temp=-(HUGE >> 1))),
    ("2^63 - 1 in an integer", body(row(hour=(HUGE >> 1) - 1)), row(hour=(HUGE >> 1) - 1)),
    ("null where it may stand", body(row(humidity=None, weather=None)), row(humidity=None, weather=None)),
    ("missing keys are null", body({k: v for k, v in GOOD.items() if k not in {"humidity", "weather"}}),
     row(humidity=None, weather=None)),
    ("unseen category", body(row(weather="hail")), row(weather="hail")),
    ("empty category", body(row(weather="")), row(weather="")),
    ("a category with everything", body(row(weather='"\\\x00\u2028\U0001f600')),
     row(weather='"\\\x00\u2028\U0001f600')),
    ("a bound itself", body(row(pressure=900.0, hour=0)), row(pressure=900.0, hour=0)),
    ("unknown columns", body(row(colour="red", deep={"a": [1]})), GOOD),
    ("1e400 in an unknown column", raw("colour", b"1e400"), GOOD),
    ("half a surrogate pair in an unknown column", raw("colour", b'"\\ud800"'), GOOD),
    ("a deep unknown column", body(row(deep=orjson.loads(b"[" * 200 + b"]" * 200))), GOOD),
    ("duplicate keys: the last counts", GOOD_BODY.replace(b'"temp":0.5', b'"temp":"x","temp":0.5'), GOOD),
    ("unknown fields beside", body(GOOD, inputs=[1], parameters={}), GOOD),
    ("at the limit of size", GOOD_BODY + b" " * (REQUEST_LIMIT - len(GOOD_BODY)), GOOD),
]  # fmt: skip


@pytest.mark.parametrize(("value", "features"), [case[1:] for case in ODD], ids=[case[0] for case in ODD])
def test_odd_bytes_are_answered_as_they_were_read(
    bundle: Bundle, value: bytes, features: dict[str, Any]
) -> None:
    (output,) = answer([request(value)], bundle).outputs
    message = read(output)
    assert isinstance(message, Prediction), message
    assert message.features == features
    assert {name: type(value) for name, value in (message.features or {}).items()} == {
        name: type(value) for name, value in features.items()
    }


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
changes = st.dictionaries(st.sampled_from([*GOOD, "other"]), json_values, max_size=8)


@st.composite
def almost_json(draw: st.DrawFn) -> bytes:
    """Requests as a sloppy client writes them: NaN, halves of pairs, and bytes changed on the way."""
    import json  # noqa: PLC0415  # not orjson, which writes only what is right

    fields = {"id": draw(json_values), "features": GOOD | draw(changes)}
    text = json.dumps(fields, ensure_ascii=draw(st.booleans()))
    value = bytearray(text.encode("utf-8", "surrogatepass"))
    if value and draw(st.booleans()):
        value[draw(st.integers(0, len(value) - 1))] = draw(st.integers(0, 255))
    return bytes(value)


@settings(max_examples=150, deadline=None)
@given(values=st.lists(st.none() | st.binary(max_size=40) | almost_json(), max_size=4))
@example(values=[])
def test_no_bytes_raise_and_each_record_has_its_answer(bundle: Bundle, values: list[bytes | None]) -> None:
    records = [request(value, offset) for offset, value in enumerate(values)]
    answers = answer(records, bundle)
    for record, output in zip(records, answers.outputs, strict=True):
        if isinstance(read(output), Rejection):
            continue
        assert record.value is not None
        assert isinstance(orjson.loads(output.value or b"")["features"], dict)


@settings(max_examples=100, deadline=None)
@given(values=st.lists(almost_json(), min_size=2, max_size=5))
def test_a_batch_says_what_its_requests_say_one_by_one(bundle: Bundle, values: list[bytes]) -> None:
    records = [request(value, offset) for offset, value in enumerate(values)]
    together = answer(records, bundle)
    for index, record in enumerate(records):
        alone = answer([record], bundle)
        assert header(alone.outputs[0].headers, "ce_type") == header(
            together.outputs[index].headers, "ce_type"
        )
        one, same = read(alone.outputs[0]), read(together.outputs[index])
        if isinstance(one, Rejection):
            assert one == same
        else:
            assert isinstance(same, Prediction)
            exact = {"probabilities"}
            assert one.model_dump(exclude=exact) == same.model_dump(exclude=exact)
            assert one.probabilities == pytest.approx(same.probabilities, rel=1e-9)


@given(timestamp=st.integers(-(2**63), 2**63 - 1), time=st.binary(max_size=30), ce_id=st.binary(max_size=9))
def test_no_header_or_timestamp_raises(timestamp: int, time: bytes, ce_id: bytes) -> None:
    headers = [("ce_time", time), ("ce_id", ce_id), ("traceparent", time)]
    record = request(b"{}", headers=headers, timestamp=timestamp)
    (output,) = answer([record], None).outputs
    assert header(output.headers, "traceparent") == time


def test_a_scorer_keeps_nothing_of_a_batch(bundle: Bundle) -> None:
    one = scorer()
    first = one.answer([request(GOOD_BODY)], bundle, 4)
    one.answer([request(value) for _, value, *_ in BAD], bundle, 4)
    again = one.answer([request(GOOD_BODY)], bundle, 4)
    assert again.outputs == first.outputs
    assert again.counters == first.counters
