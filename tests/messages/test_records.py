from __future__ import annotations

import hashlib

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from streamapp.messages import (
    OMITTED_BYTES,
    SHA256,
    InRecord,
    OutRecord,
    dead_letter,
    format_time,
    header,
    read_exactly,
    record_bytes,
    record_time,
)
from streamapp.messages.base import FIRST_MS, LAST_MS

contents = st.none() | st.binary(max_size=300)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=150)
headers = st.lists(st.tuples(names, st.binary(max_size=300)), max_size=5)


@given(key=contents, value=contents, some=headers, timestamp=st.integers(0, 2**62))
def test_no_record_takes_more_than_is_said(
    key: bytes | None, value: bytes | None, some: list[tuple[str, bytes]], timestamp: int
) -> None:
    batch = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 20,
    )
    batch.append(0, timestamp, key, value, some)
    taken = len(batch.build())
    said = record_bytes(key, value, some)
    assert taken <= said <= taken + 26 + 10 * len(some)


@given(st.integers(-(2**70), 2**70))
def test_every_timestamp_can_be_written(timestamp_ms: int) -> None:
    time_ms = record_time(timestamp_ms)
    assert FIRST_MS <= time_ms <= LAST_MS
    assert format_time(time_ms).endswith("Z")
    assert time_ms == timestamp_ms or not FIRST_MS <= timestamp_ms <= LAST_MS


@given(key=contents, value=contents, some=headers, message=names)
def test_a_dead_letter_fits_and_says_where_its_record_lies(
    key: bytes | None, value: bytes | None, some: list[tuple[str, bytes]], message: str
) -> None:
    record = InRecord(2, 7, 0, key, value, some)
    letter = dead_letter(record, topic="bikes.feedback", code="not-json", message=message, max_bytes=1_200)
    assert record_bytes(letter.key, letter.value, letter.headers) <= 1_200
    assert header(letter.headers, "streamapp-source-offset") == b"7"
    assert header(letter.headers, "streamapp-source-partition") == b"2"
    assert header(letter.headers, "streamapp-error-code") == b"not-json"
    if letter.value == value:
        assert header(letter.headers, OMITTED_BYTES) is None
    else:
        assert letter.value is None
        assert value is not None
        assert header(letter.headers, OMITTED_BYTES) == b"%d" % len(value)
        assert header(letter.headers, SHA256) == hashlib.sha256(value).hexdigest().encode()


def test_without_a_limit_a_dead_letter_is_whole() -> None:
    record = InRecord(2, 7, 0, None, b"x" * 10_000, [("a", b"1"), ("a", b"2")])
    letter = dead_letter(record, topic="t", code="c", message="half of a pair: \ud800")
    assert letter[:3] == OutRecord(0, None, record.value)[:3]
    assert letter.headers[:2] == [("a", b"1"), ("a", b"2")]
    assert header(letter.headers, "streamapp-error-message") == b"half of a pair: ?"


def test_numbers_are_read_as_they_are_written() -> None:
    assert read_exactly(b"[9007199254740993, 36893488147419103232]") == ([2**53 + 1, 2**65], False)
    assert read_exactly(b"[-1e400]") == ([-float("inf")], False)
    assert read_exactly(b"-" + b"9" * 310) == (-float("inf"), False)
    assert read_exactly(b"9" * 309) == (10**309 - 1, False)
    assert read_exactly(b"[Infinity]") == ([float("inf")], True)


def test_what_is_no_json_is_nothing() -> None:
    for value in (b"", b"{", b"\xff", b"[" * 100_000, b"nan"):
        assert read_exactly(value) is None
