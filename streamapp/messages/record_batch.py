"""Kafka's record batch (format version 2): records as they are sent, a batch at a time.

The client's own builder takes one record a call and every header as a tuple; with six headers on each answer
that costs more than the model.

References
----------
Apache Kafka documentation, "Record Batch" (https://kafka.apache.org/documentation/#recordbatch). The checksum
is CRC-32C over all that follows it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from google_crc32c import value as crc32c

from streamapp.messages.encoded_headers import NULL, VARINTS, varint
from streamapp.messages.records import BATCH_BYTES, OutRecord

__all__ = ["encode_batches"]

_HEAD = struct.Struct(">qiibI")  # base offset, length, leader's epoch, format, checksum
_BODY = struct.Struct(">hiqqqhii")  # attributes, last offset, first and last time, producer (3), count
assert _HEAD.size + _BODY.size == BATCH_BYTES
_LENGTH_AT = 12  # the length counts what follows it
_MAGIC = 2
_FIRST = b"\0\0"  # attributes of a record, and its time after the batch's first


def encode_batches(
    records: Iterable[OutRecord], *, time_ms: int, max_bytes: int
) -> Iterator[tuple[bytes, int]]:
    """Yield `records` of one partition as batches of at most `max_bytes`, and how many are in each.

    Parameters
    ----------
    records
        In their order; a single one that is larger comes in a batch of its own.
    time_ms
        Timestamp of all of them, milliseconds since the epoch.
    max_bytes
        What a topic's ``max.message.bytes`` allows.
    """
    parts: list[bytes] = []
    count, size, known = 0, BATCH_BYTES, len(VARINTS)
    for _, key, value, headers in records:
        if key is not None and value is not None and len(key) < known and len(value) < known:
            rest = b"".join((VARINTS[len(key)], key, VARINTS[len(value)], value, headers))
        else:
            rest = b"".join((_nullable(key), _nullable(value), headers))
        length = len(_FIRST) + len(number := varint(count)) + len(rest)
        if count and size + length + len(varint(length)) > max_bytes:
            yield _batch(parts, count, time_ms), count
            parts, count, size, number = [], 0, BATCH_BYTES, varint(0)
            length = len(_FIRST) + len(number) + len(rest)
        prefix = varint(length)
        parts += (prefix, _FIRST, number, rest)
        count += 1
        size += len(prefix) + length
    if count:
        yield _batch(parts, count, time_ms), count


def _nullable(content: bytes | None) -> bytes:
    return NULL if content is None else varint(len(content)) + content


def _batch(parts: list[bytes], count: int, time_ms: int) -> bytes:
    body = b"".join((_BODY.pack(0, count - 1, time_ms, time_ms, -1, -1, -1, count), *parts))
    return _HEAD.pack(0, _HEAD.size - _LENGTH_AT + len(body), -1, _MAGIC, crc32c(body)) + body
