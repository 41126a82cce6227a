from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from streamapp.errors import MessageError
from streamapp.messages import DeadLetter, Header, InRecord, dead_letter

TOPICS = ["bikes.requests", "bikes.feedback"]
AT_MS = 1_304_323_200_004
REQUEST = InRecord(3, 1201, AT_MS, b"k", b'{"id": 1}', [("traceparent", b"00"), ("traceparent", b"01")])


def letter_of(record: InRecord, *, topic: str = TOPICS[0], max_bytes: int | None = None) -> InRecord:
    out = dead_letter(record, topic=topic, code="wrong-type", message="no", max_bytes=max_bytes)
    return InRecord(0, 7, AT_MS + 5, out.key, out.value, out.headers)


def read(record: InRecord, max_bytes: int | None = None) -> DeadLetter:
    return DeadLetter.read(letter_of(record, max_bytes=max_bytes), TOPICS)


@pytest.mark.parametrize("value", [b"", b"\xff\x00", REQUEST.value])
@pytest.mark.parametrize("key", [None, b"", b"\xfe"])
def test_what_was_a_dead_letter_is_as_it_was(key: bytes | None, value: bytes) -> None:
    record = replace(REQUEST, key=key, value=value)
    found = read(record)
    assert (found.topic, found.partition, found.offset, found.code) == (TOPICS[0], 3, 1201, "wrong-type")
    again = found.original()
    assert (again.key, again.value, list(again.headers)) == (key, value, record.headers)


def test_headers_of_a_copied_dead_letter_are_the_original_s() -> None:
    copied = letter_of(REQUEST, topic="others.requests")
    found = read(InRecord(1, 2, AT_MS, copied.key, copied.value, copied.headers))
    assert (found.topic, found.partition, found.offset) == (TOPICS[0], 1, 2)
    assert list(found.original().headers) == copied.headers


@pytest.mark.parametrize("max_bytes", [500, 700])
def test_what_was_left_behind_is_read_where_it_lay(max_bytes: int) -> None:
    record = replace(REQUEST, value=b"x" * 1_000, headers=[("a", b"b" * 200)])
    found = read(record, max_bytes=max_bytes)
    assert not found.is_whole
    assert found.omitted_bytes == 1_000
    assert found.original(record) == record


def without_hash(record: InRecord) -> InRecord:
    letter = letter_of(record, max_bytes=600)
    return replace(letter, headers=[pair for pair in letter.headers if pair[0] != "streamapp-sha256"])


def test_without_a_hash_length_and_time_are_compared() -> None:
    record = replace(REQUEST, value=b"x" * 1_000)
    found = DeadLetter.read(without_hash(record), TOPICS)
    assert found.original(record) == record
    for other in (replace(record, value=b"x" * 999), replace(record, timestamp=AT_MS + 1)):
        with pytest.raises(MessageError) as caught:
            found.original(other)
        assert caught.value.code == "source-changed"


def test_a_record_that_never_had_a_value_is_read_where_it_lay() -> None:
    record = replace(REQUEST, value=None)
    assert read(record).original(record) == record
    with pytest.raises(MessageError, match="another record"):
        read(record).original(replace(record, value=b""))


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (None, "source-gone"),
        (replace(REQUEST, value=b"y" * 1_000), "source-changed"),
        (replace(REQUEST, value=None), "source-changed"),
    ],
)
def test_what_is_no_longer_there_is_not_made_up(source: InRecord | None, code: str) -> None:
    found = read(replace(REQUEST, value=b"x" * 1_000), max_bytes=600)
    with pytest.raises(MessageError) as caught:
        found.original(source)
    assert caught.value.code == code
    assert "bikes.requests 3/1201" in caught.value.message


def changed(name: str, value: bytes | None) -> list[Header]:
    headers = [pair for pair in letter_of(REQUEST).headers if pair[0] != name]
    return headers if value is None else [*headers, (name, value)]


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ([], "no header streamapp-error-code"),
        (changed("streamapp-error-code", None), "no header streamapp-error-code"),
        (changed("streamapp-source-topic", b"others.requests"), "'others.requests' as its source"),
        (changed("streamapp-source-topic", None), "'' as its source"),
        (changed("streamapp-source-offset", None), "streamapp-source-offset is ''"),
        (changed("streamapp-source-offset", b"-1"), "streamapp-source-offset is '-1'"),
        (changed("streamapp-source-partition", "²".encode()), "streamapp-source-partition is '²'"),
        (changed("streamapp-source-partition", b"\xff"), "where a number must stand"),
        (changed("streamapp-omitted-bytes", b"many"), "streamapp-omitted-bytes is 'many'"),
    ],
)
def test_a_broken_letter_is_named(headers: Sequence[Header], message: str) -> None:
    with pytest.raises(MessageError, match=message) as caught:
        DeadLetter.read(replace(letter_of(REQUEST), headers=headers), TOPICS)
    assert caught.value.code == "broken"
