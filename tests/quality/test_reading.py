from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamapp.errors import MessageError
from streamapp.messages import InRecord
from streamapp.quality.reading import read_feedback
from tests.quality.join_log import START

numbers = st.integers(-(2**66), 2**66).map(str) | st.floats(allow_nan=False).map(str)
scalars = (st.none() | st.booleans() | st.text(max_size=4)).map(lambda value: orjson.dumps(value).decode())
values = numbers | scalars | st.lists(scalars, max_size=2).map(lambda items: f"[{','.join(items)}]")
names = st.sampled_from(["id", "label", "source", "at", "request", "more"])
fields = st.lists(st.tuples(names, values), max_size=4)


def read(value: bytes, *headers: tuple[str, bytes]) -> Any:
    try:
        given = read_feedback(InRecord(0, 0, START, b"k", value, headers))
    except MessageError as exc:
        return exc.code, str(exc)
    return repr(given)


@given(st.tuples(st.just('"a"') | scalars, values), fields)
@example(('"a"', "18446744073709551616"), [])
@example(('"a"', "9223372036854775808"), [])
@example(('"a"', "-0"), [])
def test_plain_feedback_is_read_as_all_other_is(first: tuple[str, str], more: list[tuple[str, str]]) -> None:
    texts = [f'"id":{first[0]}', f'"label":{first[1]}', *(f'"{name}":{value}' for name, value in more)]
    value = f"{{{','.join(texts)}}}".encode(errors="surrogatepass")
    assert read(value) == read(value, ("x", b""))  # what has headers takes the long way


@pytest.mark.parametrize(
    "value",
    [
        b' {"id":"a","label":1}\n',
        b'{"id":"a","label":1}x',
        b'{"id":"a","label":1,}',
        b'{"id":"a","label":01}',
        b'{"id":"a","label":1e400}',
        b'{"id":"a","label":NaN}',
        b'{"id":"a","label":"\\ud800"}',
        b'{"id":"\xed\xa0\x80","label":1}',
        b'{"id":"a","label":"\x01"}',
        b'{"id":"a","label":"\xff"}',
        b'{"id":"a","id":"b","label":1}',
        b'{"i\\u0064":"\\u0061","label":1}',
        b'\xef\xbb\xbf{"id":"a","label":1}',
        b'\0\0\0\0\x07{"id":"a","label":1}',
        b"",
    ],
)
def test_odd_feedback_is_read_or_refused_as_all_other_is(value: bytes) -> None:
    assert read(value) == read(value, ("x", b""))
