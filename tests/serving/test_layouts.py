"""What is read by a layout that was learned is what is read with care."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamapp.messages import InRecord
from streamapp.models.signature import Column, Signature
from streamapp.serving.columns import RowReader
from streamapp.serving.decode import Decoded, decode_batch
from tests.serving.dialects import as_doubles, tensors

SIGNATURE = Signature(
    (
        Column("a", "float"),
        Column("b", "integer", nullable=True),
        Column("c", "boolean"),
        Column('d"', "string", nullable=True),
        Column("e", "float", nullable=True),
    ),
    "regression",
)
DATATYPES = {'d"': "BYTES", "a": "FP64", "c": "BOOL", "b": "INT64"}
ROW = {"a": 0.5, "b": 8, "c": True, 'd"': "mist"}
HOLES = {"a": b"[0.5]", "b": b"[8]", "c": b"[true]", 'd"': b'["mist"]', "id": b'"r-17"'}


class _Unknown:
    """Knows no layout, and learns none."""

    def read(self, value: bytes) -> None:
        return None

    def learn(self, value: bytes, body: Any) -> None:
        return None


CAREFUL = RowReader(SIGNATURE)
CAREFUL.layouts = _Unknown()  # type: ignore[assignment]


def request(*, id_first: bool = True, indent: int | None = None, **more: Any) -> bytes:
    """A request with one row; the column ``e`` is missing."""
    parts: dict[str, Any] = {"id": "r-17"} if id_first else {}
    parts |= {"inputs": tensors([ROW], DATATYPES), **more}
    return json.dumps(parts | {"id": "r-17"}, indent=indent, separators=(",", ":")).encode()


def decode(value: bytes, reader: RowReader) -> Decoded:
    return decode_batch([InRecord(3, 17, 0, None, value)], reader, max_request_bytes=1 << 20)


def learned(value: bytes) -> RowReader:
    """A reader that has read one request."""
    reader = RowReader(SIGNATURE)
    decode(value, reader)
    assert reader.layouts.read(value) is not None, "nothing was learned"
    return reader


READERS = {id_first: learned(request(id_first=id_first)) for id_first in (False, True)}

texts = st.sampled_from(
    [
        "0.25", "-1e5", "1e400", "8", "8.5", "-0", "01", "9223372036854775807", "9223372036854775808",
        "1" * 30, "null", "true", "false", '"mist"', '"\\ud800"', '"\\u00e9"', '"a:b"', '"\\"d\\\\":"', "[1]",
        "[]", "{}", "", " ", " 1 ", "1,2", '1,"a":2', '1,"e":2', "1}", '1},{"name":"a"', "NaN", "\x00",
        '"\x01"', "\u00e9", '"]"', '"["', "1]", "/*1*/1",
    ]
) | st.text('[]{},:"\\ 0123456789.eabd', max_size=6)  # fmt: skip


@settings(max_examples=300)
@given(
    changes=st.dictionaries(st.sampled_from(list(HOLES)), texts, max_size=2),
    ids=st.sampled_from(['"r-17"', '"\u00e9"', '"\\u0041"', "7", "null", '"\\""', '"\x1f"', '"a"b"']),
    id_first=st.booleans(),
)
@example(changes={"a": '1,"b":2', "b": "null"}, ids='"r-17"', id_first=True)
@example(changes={"a": '1,"e":2'}, ids='"r-17"', id_first=True)
def test_values_are_read_as_with_care(changes: dict[str, str], ids: str, id_first: bool) -> None:
    value = request(id_first=id_first)
    for name, text in changes.items():
        hole = HOLES[name]
        value = value.replace(hole, text.encode() if name == "id" else b"[%b]" % text.encode(), 1)
    value = value.replace(HOLES["id"], ids.encode(), 1)
    fast, slow = decode(value, READERS[id_first]), decode(value, CAREFUL)
    assert (fast.ids, fast.faults, fast.asked) == (slow.ids, slow.faults, slow.asked)
    if slow.features:
        for name, column in slow.columns.items():
            np.testing.assert_array_equal(column, fast.columns[name])
    assert list(map(as_doubles, fast.features)) == list(map(as_doubles, slow.features))


def test_a_byte_of_a_latin_id_is_no_text() -> None:
    value = request().replace(b"r-17", b"\xe9")
    assert decode(value, READERS[True]).faults == decode(value, CAREFUL).faults != {}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "more",
    [{}, {"outputs": [{"name": "prediction"}]}, {"parameters": {"tenant": "x"}}, {"outputs": None}],
)
def test_what_stands_beside_is_part_of_the_layout(indent: int | None, more: dict[str, Any]) -> None:
    value = request(indent=indent, **more)
    reader = learned(value)
    assert decode(value, reader).asked == decode(value, CAREFUL).asked
    assert reader.layouts.read(request(indent=1, **more)) is None
    (sent,) = decode(value, reader).features
    assert orjson.loads(sent) == ROW | {"e": None}


@pytest.mark.parametrize(
    "value",
    [
        orjson.dumps({"inputs": tensors([ROW], DATATYPES)}),
        orjson.dumps({"id": 7, "inputs": tensors([ROW], DATATYPES)}),
        orjson.dumps({"id": "r", "inputs": tensors([ROW, ROW], DATATYPES)}),
        orjson.dumps({"id": "r", "inputs": tensors([ROW], DATATYPES | {"b": "INT8"})}),
        orjson.dumps({"id": "r", "parameters": {"id": "r"}, "inputs": tensors([ROW], DATATYPES)}),
        orjson.dumps({"id": "r", "parameters": {"data": []}, "inputs": tensors([ROW], DATATYPES)}),
        orjson.dumps({"id": "r", "inputs": tensors([ROW | {'d"': "]"}], DATATYPES)}),
    ],
    ids=[
        "no id",
        "a number",
        "two rows",
        "a narrow datatype",
        "two ids",
        "other data",
        "a bracket in a text",
    ],
)
def test_what_bytes_do_not_tell_is_not_learned(value: bytes) -> None:
    reader = RowReader(SIGNATURE)
    assert not decode(value, reader).faults
    assert reader.layouts.read(value) is None


def test_few_layouts_are_kept_and_tried_seldom_where_each_is_another() -> None:
    reader = RowReader(SIGNATURE)
    for i in range(100):
        decode(request(parameters={"number": i}), reader)
    known = [i for i in range(100) if reader.layouts.read(request(parameters={"number": i})) is not None]
    assert known == [6, 14, 30, 62]
