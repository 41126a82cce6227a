from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.serving.body import features_as_sent

texts = st.text(st.sampled_from('a"\\:{}, features\u00e9'), max_size=12)
values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
rows = st.dictionaries(texts | st.just("features"), values, max_size=4)
spaces = st.sampled_from([None, 1])


@given(row=rows, id_=st.none() | texts | st.integers(), indent=spaces, pad=st.sampled_from(["", " ", "\n\t"]))
def test_bytes_that_are_repeated_say_what_was_read(
    row: dict[str, Any], id_: object, indent: int, pad: str
) -> None:
    body = {"features": row} if id_ is None else {"id": id_, "features": row}
    value = (pad + json.dumps(body, indent=indent, ensure_ascii=False) + pad).encode()
    as_sent = features_as_sent(value, orjson.loads(value))
    assert as_sent is None or orjson.loads(as_sent) == row


names = st.sampled_from(['"id"', '"features"', '"\\u0066eatures"', '"a"', '"x\\"features"'])
ends = st.sampled_from([":", " :", ": ", "\t: "])
any_json = st.recursive(
    st.sampled_from(["1", '"a"', '"\\":"', "{}"]),
    lambda inner: st.lists(st.tuples(names, ends, inner), max_size=3).map(
        lambda members: "{" + ",".join(name + end + value for name, end, value in members) + "}"
    ),
    max_leaves=8,
)


@settings(max_examples=1_000)
@given(text=any_json)
def test_no_spelling_of_names_makes_it_repeat_what_was_not_read(text: str) -> None:
    value = text.encode()
    body = orjson.loads(value)
    if isinstance(body, dict) and isinstance(body.get("features"), dict):
        as_sent = features_as_sent(value, body)
        assert as_sent is None or orjson.loads(as_sent) == body["features"]


@pytest.mark.parametrize("id_", [{}, {"id": "r-17"}, {"id": 4}])
def test_what_clients_usually_send_is_repeated_and_not_written_again(id_: dict[str, Any]) -> None:
    features = {"temp": 0.24, "weather": "mist", "humidity": None}
    body = {**id_, "features": features}
    for value in (orjson.dumps(body), json.dumps(body).encode(), json.dumps(body, indent=2).encode()):
        as_sent = features_as_sent(value, orjson.loads(value))
        assert as_sent is not None
        assert as_sent in value
        assert orjson.loads(as_sent) == features


@pytest.mark.parametrize(
    "value",
    [
        b'{"features": {"a": 1}, "id": "x"}',  # features do not come last
        b'{"features": {"a": 1}, "x": {"features":1}}',
        b'{"x": 1, "features": {"a": 1}}',  # something beside them
        b'{"features": {"a": 1}, "features": {"b": 2}}',  # twice: the last counts
        b'{"features": {"a": 1, "a": 2}}',
        b'{"features" : {"a": 1}}',  # a key written otherwise
        b'{"\\u0066eatures": {"a": 1}}',
        # Ends of keys that hide others, so that a plain count would come out right
        b'{"id": {"features": 5}, "id": "x", "features": {"a" : 1, "b" : 2}}',
        b'{"features": {"a": 1}, "features": {"a" : 1}}',
        b'{"id": "y", "features": {"a" : 1}, "id": "x"}',
    ],
)
def test_where_it_is_not_sure_nothing_is_repeated(value: bytes) -> None:
    assert features_as_sent(value, orjson.loads(value)) is None
