"""The typed parser and the slow reader say the same; what answers repeat says what was read."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamapp.messages import InRecord
from streamapp.models.signature import Column, Signature
from streamapp.serving.columns import RowReader
from streamapp.serving.decode import Decoded, decode_batch

LIMIT = 1_000
SIGNATURE = Signature(
    (
        Column("a", "float"),
        Column("b c", "integer", nullable=True),
        Column("é", "boolean", nullable=True),
        Column("text", "string", nullable=True),
    ),
    "regression",
)
READER, SLOW_READER = RowReader(SIGNATURE), RowReader(SIGNATURE)


def refuse(features: bytes) -> msgspec.Struct:
    raise ValueError("read it slowly")


SLOW_READER.decode_struct = refuse

texts: st.SearchStrategy[str] = st.text(st.sampled_from('a"\\:{}, features\u00e9\ud800\x00'), max_size=12)
values: st.SearchStrategy[object] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from([8.0, 8.5, 1e300, -0.0])
    | texts
    | st.just([])
    | st.just({"a": 1})
)
names = st.sampled_from([column.name for column in SIGNATURE.columns]) | texts
good_rows = st.fixed_dictionaries(
    {"a": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)},
    optional={
        "b c": st.none() | st.integers(-(2**53), 2**53),
        "é": st.none() | st.booleans(),
        "text": st.none() | st.text(st.sampled_from('a"\\:{},\u00e9'), max_size=9),
    },
)
ids: st.SearchStrategy[object] = (
    st.none() | texts | st.integers() | st.integers(10**20, 10**30) | st.floats() | st.just([])
)


def decode(*requests: bytes, reader: RowReader = READER) -> Decoded:
    records = [InRecord(3, offset, 0, None, value) for offset, value in enumerate(requests)]
    return decode_batch(records, reader, max_request_bytes=LIMIT)


@given(
    body=st.fixed_dictionaries(
        {"features": good_rows | st.dictionaries(names, values, max_size=5)},
        optional={"id": ids, "inputs": values, "more": values},
    ),
    indent=st.sampled_from([None, 1]),
    ascii_=st.booleans(),
    pad=st.sampled_from(["", " ", "\n\t", "x"]),
)
@example(body={"features": {"a": 0, "b c": 2.0**63}}, indent=None, ascii_=False, pad="")
def test_what_is_read_fast_is_what_is_read_slowly(
    body: dict[str, Any], indent: int | None, ascii_: bool, pad: str
) -> None:
    value = (pad + json.dumps(body, indent=indent, ensure_ascii=ascii_) + pad).encode(errors="surrogatepass")
    fast, slow = decode(value), decode(value, reader=SLOW_READER)
    assert fast.ids == slow.ids
    assert fast.faults == slow.faults
    assert fast.columns.keys() == slow.columns.keys()
    for name, values in fast.columns.items():
        np.testing.assert_array_equal(values, slow.columns[name])
    assert list(map(orjson.loads, fast.features)) == list(map(orjson.loads, slow.features))


@pytest.mark.parametrize("id_", [{}, {"id": "r-17"}, {"id": 4}])
@pytest.mark.parametrize("text", ["mist", "12:30", 'a":b', None])
def test_what_clients_usually_send_is_repeated_and_not_written_again(
    id_: dict[str, Any], text: str | None
) -> None:
    features = {"a": 0.24, "b c": 8, "é": None, "text": text}
    for body in ({**id_, "features": features}, {"features": features, **id_}):
        for value in (
            orjson.dumps(body),
            json.dumps(body, ensure_ascii=False).encode(),
            json.dumps(body, ensure_ascii=False, indent=2).encode(),
        ):
            (sent,) = decode(value).features
            assert orjson.loads(sent) == features
            assert sent in value or text == 'a":b', "it was written again"


@pytest.mark.parametrize(
    "value",
    [
        b'{"features": {"a": 2, "a": 1}}',
        b'{"features": {"a": 2}, "features": {"a": 1}}',
        b'{"features": {"a" : 2, "a": 1}}',
        b'{"features": {"a": 2, "a" : 1, "b c":null, "text"\n:null}}',
        b'{"id": "x", "features": {"a": 2, "a": 1, "b c": null, "text": null, "\xc3\xa9": null}}',
        b'{"features": {"a": 1, "z": 3}}',
        b'{"features": {"a": 1, "b c": null, "b c": null}}',
        b'{"features": {"\\u0061": 1}}',
        b'{"x": {"features": {"a": 3}}, "features": {"a": 1}}',
    ],
)
def test_names_that_stand_twice_not_at_all_or_for_nothing_are_put_right(value: bytes) -> None:
    (sent,) = decode(value).features
    pairs = json.loads(sent, object_pairs_hook=list)
    assert pairs == [("a", 1), ("b c", None), ("é", None), ("text", None)]


def test_rows_keep_their_order_whichever_way_they_are_read() -> None:
    fast, slow, bad = b'{"features":{"a":%d}}', b'{"features":{"a":%d,"z":0}}', b'{"features":{"a":"%d"}}'
    kinds = [fast, slow, bad, fast, bad, slow, fast]
    decoded = decode(*(kind % at for at, kind in enumerate(kinds)))
    assert decoded.row_records == [0, 1, 3, 5, 6]
    assert decoded.columns["a"].tolist() == [0, 1, 3, 5, 6]
    assert [orjson.loads(sent)["a"] for sent in decoded.features] == [0, 1, 3, 5, 6]
    assert sorted(decoded.faults) == [2, 4]
    assert (decoded.unknown_columns, decoded.unknown_names) == (2, ("z",))


def test_columns_whose_names_no_type_can_have_are_read_all_the_same() -> None:
    signature = Signature((Column('a"\\b', "float"), Column("\n", "float", nullable=True)), "regression")
    record = InRecord(0, 0, 0, None, orjson.dumps({"id": 1, "features": {'a"\\b': 2.5}}))
    decoded = decode_batch([record], RowReader(signature), max_request_bytes=LIMIT)
    assert not decoded.faults
    assert decoded.columns['a"\\b'].tolist() == [2.5]
    assert orjson.loads(decoded.features[0]) == {'a"\\b': 2.5, "\n": None}
