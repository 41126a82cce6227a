"""Batches that are encoded here, read by aiokafka's parser and by a real broker's clients."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from streamapp.messages import Header, OutRecord, encode_batches, record_bytes
from streamapp.messages.encoded_headers import decode_headers, encode_headers, varint

TIME_MS = 1_304_323_200_004

contents: st.SearchStrategy[Any] = st.binary(max_size=80) | st.none()  # Kafka allows null
headers: st.SearchStrategy[list[Header]] = st.lists(st.tuples(st.text(max_size=80), contents), max_size=8)
records = st.builds(
    OutRecord.of,
    st.just(0),
    st.none() | st.binary(max_size=100),
    st.none() | st.binary(max_size=300),
    headers,
)


def read(data: bytes) -> list[Any]:
    found = []
    batches = MemoryRecords(data)
    while (batch := batches.next_batch()) is not None:
        assert batch.validate_crc()
        found += list(batch)
    return found


@given(st.lists(records, min_size=1, max_size=20), st.integers(1, 3_000))
def test_another_client_reads_what_was_written(written: list[OutRecord], max_bytes: int) -> None:
    batches = list(encode_batches(written, time_ms=TIME_MS, max_bytes=max_bytes))
    assert sum(count for _, count in batches) == len(written)
    found = []
    for data, count in batches:
        part = read(data)
        assert [record.offset for record in part] == list(range(count))
        assert len(data) <= max_bytes or count == 1
        found += part
    for out, record in zip(written, found, strict=True):
        assert (record.key, record.value, list(record.headers)) == (out.key, out.value, out.headers)
        assert record.timestamp == TIME_MS


@given(headers)
def test_headers_that_were_encoded_can_be_looked_at(some: list[Header]) -> None:
    assert decode_headers(encode_headers(some)) == some
    assert OutRecord.of(0, None, None, some).headers == some


@pytest.mark.parametrize("size", [0, 1, 63, 64, 4_095, 8_191, 8_192, 70_000, 3_000_000])
def test_a_record_of_any_size_takes_no_more_than_is_said(size: int) -> None:
    record = OutRecord.of(0, b"k" * (size // 2), b"v" * size, [("a" * 70, b"x" * (size // 3)), ("b", b"")])
    ((data, count),) = encode_batches(
        [
            record,
        ],
        time_ms=TIME_MS,
        max_bytes=1,
    )
    assert count == 1
    assert len(data) <= record.size_bytes <= record_bytes(record.key, record.value, record.headers)
    (found,) = read(data)
    assert (found.key, found.value) == (record.key, record.value)


@given(records, st.integers(0, 3_000))
def test_what_is_larger_than_a_limit_is_told_without_decoding(record: OutRecord, limit: int) -> None:
    size = record_bytes(record.key, record.value, record.headers)
    assert record.size_bytes == size
    for bound in (limit, size - 1, size, size + 1):
        assert record.is_larger_than(bound) == (size > bound)


def test_nothing_makes_no_batch() -> None:
    assert list(encode_batches([], time_ms=TIME_MS, max_bytes=1_000)) == []


def test_more_records_than_one_byte_can_number() -> None:
    written = [OutRecord(0, None, b"%d" % number) for number in range(20_000)]
    ((data, count),) = encode_batches(written, time_ms=TIME_MS, max_bytes=1 << 30)
    assert count == 20_000
    assert [record.value for record in read(data)] == [record.value for record in written]


def test_numbers_of_each_length() -> None:
    for number in (0, 63, 64, 8_191, 8_192, 2**21, 2**31):
        read_back = shift = 0
        for byte in varint(number):
            read_back |= (byte & 0x7F) << shift
            shift += 7
        assert read_back == 2 * number
