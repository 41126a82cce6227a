"""What producers really send: values that are no request, odd ones that are, odd keys and headers."""

from __future__ import annotations

import gzip
from collections.abc import Mapping

import orjson

from streamapp.messages import Header

__all__ = ["BAD", "GOOD", "HEADERS", "MAX_BYTES", "ODD"]

MAX_BYTES = 131_072


def temp(text: bytes) -> bytes:
    """A request in which `text` stands for a number."""
    return b'{"features": {"temp": %b, "wind": 1}}' % text


def id_(text: bytes) -> bytes:
    """A request with `text` for an id."""
    return b'{"id": %b, "features": {"temp": 1, "wind": 1}}' % text


def beside(text: bytes) -> bytes:
    """A request with `text` beside its row."""
    return b'{"features": {"temp": 1, "wind": 1}, "x": %b}' % text


def many(count: int, value: object, row: dict[str, int]) -> bytes:
    """A request with `count` columns that no model knows."""
    return orjson.dumps({"features": {f"c{i}": value for i in range(count)} | row})


GOOD = b'{"id": "good", "features": {"temp": 1, "wind": 1}}'
ROW: dict[str, int] = {"temp": 1, "wind": 1}

BAD: list[tuple[str, bytes | None, str]] = [
    ("no value", None, "not-json"),
    ("empty", b"", "not-json"),
    ("spaces", b"   \n", "not-json"),
    ("text", b"hello", "not-json"),
    ("truncated", b'{"features": {"temp": 1', "not-json"),
    ("trailing", b'{"features": {"temp": 1, "wind": 1}} x', "not-json"),
    ("two objects", b'{"features": {}}{"features": {}}', "not-json"),
    ("single quotes", b"{'features': {}}", "not-json"),
    ("comment", b'{"features": {"temp": 1, "wind": 1} /* c */}', "not-json"),
    ("trailing comma", b'{"features": {"temp": 1, "wind": 1,}}', "not-json"),
    ("byte order mark", b'\xef\xbb\xbf{"features": {"temp": 1, "wind": 1}}', "not-json"),
    ("utf-16", '{"features": {"temp": 1, "wind": 1}}'.encode("utf-16"), "not-json"),
    ("latin-1", b'{"features": {"temp": 1, "wind": 1}, "id": "\xe9"}', "not-json"),
    ("nul bytes", b"\x00\x00\x00\x00", "not-json"),
    ("binary", bytes(range(256)), "not-json"),
    ("gzip", gzip.compress(temp(b"1"), mtime=0), "not-json"),
    ("avro frame", b"\x00\x00\x00\x00\x07\x02\x04", "not-json"),
    ("NaN", temp(b"NaN"), "out-of-range"),
    ("Infinity", temp(b"Infinity"), "out-of-range"),
    ("nested depth", b"[" * 5_000 + b"]" * 5_000, "not-json"),
    ("null", b"null", "not-an-object"),
    ("number", b"17", "not-an-object"),
    ("string", b'"features"', "not-an-object"),
    ("array", b'[{"features": {"temp": 1, "wind": 1}}]', "not-an-object"),
    ("true", b"true", "not-an-object"),
    ("no features", b'{"id": "a"}', "bad-shape"),
    ("features null", b'{"features": null}', "wrong-type"),
    ("features array", b'{"features": [1, 2]}', "wrong-type"),
    ("features text", b'{"features": "temp"}', "wrong-type"),
    ("no column", b'{"features": {}}', "missing-feature"),
    ("one column gone", b'{"features": {"temp": 1}}', "missing-feature"),
    ("column null", temp(b"null"), "missing-feature"),
    ("text for a number", temp(b'"1"'), "wrong-type"),
    ("boolean for a number", temp(b"true"), "wrong-type"),
    ("object for a number", b'{"features": {"temp": {}, "wind": 1}}', "wrong-type"),
    ("beyond a double", temp(b"1e400"), "out-of-range"),
    ("beyond 64 bits", temp(b"18446744073709551616"), "out-of-range"),
    ("id of another type", id_(b'[1]'), "wrong-type"),
    ("id too long", id_(orjson.dumps("i" * 5_000)), "too-large"),
    ("too large", beside(b'"' + b"x" * MAX_BYTES + b'"'), "too-large"),
    ("half a surrogate pair in the id", id_(b'"\\ud800"'), "not-json"),
    ("an encoded surrogate", id_(b'"\xed\xa0\x80"'), "not-json"),
    ("overlong UTF-8", id_(b'"\xc0\xaf"'), "not-json"),
    ("UTF-8 beyond Unicode", id_(b'"\xf4\x90\x80\x80"'), "not-json"),
    ("UTF-8 cut off", b'{"features": {"temp": 1, "wind": 1}, "id": "\xe2\x82"}', "not-json"),
    ("utf-16 without a mark", '{"features": {"temp": 1, "wind": 1}}'.encode("utf-16-le"), "not-json"),
    ("line break in a string", id_(b'"a\nb"'), "not-json"),
    ("magic byte before JSON", b'\x00\x00\x00\x00\x01{"features": {"temp": 1, "wind": 1}}', "not-json"),
    ("one magic byte", b'\x00{"features": {"temp": 1, "wind": 1}}', "not-json"),
    ("leading zero", temp(b"01"), "not-json"),
    ("plus sign", temp(b"+1"), "not-json"),
    ("hexadecimal", temp(b"0x1"), "not-json"),
    ("lines of objects", GOOD + b"\n" + GOOD, "not-json"),
    ("JSON in a string", orjson.dumps(GOOD.decode()), "not-an-object"),
    ("an empty object", b"{}", "bad-shape"),
    ("the row alone", b'{"temp": 1, "wind": 1}', "bad-shape"),
    ("names in other case", b'{"Features": {"temp": 1, "wind": 1}}', "bad-shape"),
    ("V1 without rows", b'{"instances": []}', "bad-shape"),
    ("V1 with a short row", b'{"instances": [[1, 1], [1]]}', "bad-shape"),
    ("V2 without a column", b'{"inputs": [{"name": "temp", "shape": [1], "datatype": "FP64", "data": [1]}]}',
     "missing-feature"),
    ("V2 of another count", b'{"inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP64", "data": [1]}]}',
     "bad-shape"),
    ("a schema beside its payload", b'{"schema": {}, "payload": {"features": {"temp": 1}}}', "bad-shape"),
    ("features twice, null last", b'{"features": {"temp": 1, "wind": 1}, "features": null}', "wrong-type"),
    ("a column twice, text last", temp(b'1, "temp": "1"'), "wrong-type"),
    ("id twice, object last", b'{"id": "a", "id": {}, "features": {"temp": 1, "wind": 1}}', "wrong-type"),
    ("id with a fraction", id_(b'1.5'), "wrong-type"),
    ("id a boolean", id_(b'false'), "wrong-type"),
    ("array for a number", temp(b"[1]"), "wrong-type"),
    ("empty text for a number", temp(b'""'), "wrong-type"),
    ("deep in a column", temp(b'{"a":' * 500 + b"1" + b"}" * 500), "wrong-type"),
    ("too deep in a column", temp(b'{"a":' * 9_000 + b"1" + b"}" * 9_000), "not-json"),
    ("features in features", b'{"features": {"features": {"temp": 1, "wind": 1}}}', "missing-feature"),
    ("an empty name for a column", b'{"features": {"": 1, "wind": 1}}', "missing-feature"),
    ("a name with a space", b'{"features": {"temp ": 1, "wind": 1}}', "missing-feature"),
    ("a name in other case", b'{"features": {"Temp": 1, "wind": 1}}', "missing-feature"),
    ("10,000 other columns", many(10_000, 1, {}), "missing-feature"),
    ("-1e400", temp(b"-1e400"), "out-of-range"),
    ("a number of 400 digits", temp(b"9" * 400), "out-of-range"),
    ("NaN in the last column", b'{"features": {"temp": 1, "wind": -Infinity}}', "out-of-range"),
    ("id too long in two-byte letters", id_(orjson.dumps("\u00e9" * 2_049)), "too-large"),
]  # fmt: skip

# Odd, and yet good: id, and features as they are answered; None for the id where it is the record's position.
ODD: list[tuple[str, bytes, str | None, Mapping[str, float]]] = [
    ("usual", GOOD, "good", ROW),
    ("white space", b"\t\r\n " + GOOD + b" \n", "good", ROW),
    ("spaces before colons", b'{"id" : "a" , "features" : { "temp" : 1 , "wind" : 1 } }', "a", ROW),
    ("features first", b'{"features": {"temp": 1, "wind": 1}, "id": "a"}', "a", ROW),
    ("names as escapes", b'{"\\u0069d": "a", "\\u0066eatures": {"t\\u0065mp": 1, "wind": 1}}', "a", ROW),
    ("features twice", b'{"features": {"temp": 9}, "features": {"temp": 1, "wind": 1}}', None, ROW),
    ("features twice, spaced", b'{"features": {"temp" : 9}, "features": {"temp" : 1, "wind": 1}}', None, ROW),
    ("features in another id", b'{"id": {"features": 5}, "id": "a", "features": {"temp" : 1, "wind" : 1}}',
     "a", ROW),
    ("features in a column", b'{"features": {"temp": 1, "wind": 1, "features": {"temp": 2}}}', None, ROW),
    ("a column twice", temp(b'"x", "temp": 1'), None, ROW),
    ("id twice", b'{"id": 7, "id": "b", "features": {"temp" : 1, "wind": 1}}', "b", ROW),
    ("id twice, around", b'{"id": "a", "features": {"temp" : 1, "wind": 1}, "id": "b"}', "b", ROW),
    ("id null", id_(b'null'), None, ROW),
    ("id empty", id_(b'""'), "", ROW),
    ("id an integer", id_(b'-7'), "-7", ROW),
    ("id a huge integer", id_(b"9" * 300), "9" * 300, ROW),
    ("id with everything", id_(b'"\\u0000\\\"\\\\\\ud83d\\ude00\xe2\x80\xa8"'),
     "\x00\"\\\U0001f600\u2028", ROW),
    ("exponents", b'{"features": {"temp": 10E-1, "wind": 1e0}}', None, ROW),
    ("minus zero", b'{"features": {"temp": -0, "wind": -0.0}}', None, {"temp": 0, "wind": 0.0}),
    ("the smallest", temp(b"4.9e-324"), None, {"temp": 5e-324, "wind": 1}),
    ("the largest", temp(b"1.7976931348623157e308"), None, {"temp": 1.7976931348623157e308, "wind": 1}),
    ("below the smallest", temp(b"1e-999"), None, {"temp": 0.0, "wind": 1}),
    ("2^64 - 1", temp(b"18446744073709551615"), None, {"temp": 2**64 - 1, "wind": 1}),
    ("400 digits behind the point", temp(b"1." + b"0" * 400), None, ROW),
    ("10,000 unknown columns", many(10_000, [], ROW), None, ROW),
    ("an empty name beside", b'{"features": {"": {}, "temp": 1, "wind": 1}}', None, ROW),
    ("half a pair in a name beside", temp(b'1, "\\udc00": "\\ud800"'), None, ROW),
    ("deep beside", beside(b"[" * 500 + b"]" * 500), None, ROW),
    ("V2 beside", b'{"inputs": [], "instances": 1, "features": {"temp": 1, "wind": 1}}', None, ROW),
    ("1e400 beside", beside(b"1e400"), None, ROW),
]  # fmt: skip

# Keys and headers that say nothing about the value, however odd.
HEADERS: list[tuple[bytes | None, list[Header]]] = [
    (None, []),
    (b"", []),
    (b"\x00\xff\xfe", []),
    (b"k" * 60_000, []),
    (b"k", [("ce_time", b"tomorrow")]),
    (b"k", [("ce_time", b"\xff\xfe")]),
    (b"k", [("ce_time", b"")]),
    (b"k", [("ce_time", b"9999-12-31T23:59:59Z")]),
    (b"k", [("ce_time", b"0000-00-00T00:00:00Z")]),
    (b"k", [("ce_time", b"2024-02-30T00:00:00+99:99")]),
    (b"k", [(name, None) for name in ("ce_time", "ce_id", "traceparent", "x")]),  # type: ignore[misc]
    (b"k", [("ce_id", b"\xc0\xaf"), ("ce_id", b""), ("ce_id", b"i" * 50_000)]),
    (b"k", [("traceparent", b"\x00\xff"), ("traceparent", b"00-0-0-0"), ("tracestate", b"t" * 9_000)]),
    (b"k", [("", b"no name"), ("\u00e9\U0001f600", b"x"), ("content-type", b"text/plain")]),
    (b"k", [("ce_specversion", b"9"), ("ce_type", b"x"), ("ce_source", b"\xff")]),
    (b"k", [(f"h{i}", b"v") for i in range(1_000)]),
]  # fmt: skip
