"""Kafka's record batch (format version 2): records as they are sent, a batch at a time.

The client's own builder takes one record a call and every header as a tuple; with six headers on each answer
that costs more than the model. Here headers may be encoded once and shared, and one join makes the batch.

References
----------
Apache Kafka documentation, "Record Batch" (https://kafka.apache.org/documentation/#recordbatch). Integers are
zigzag-encoded varints, the checksum is CRC-32C over all that follows it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self, overload

from google_crc32c import value as crc32c

from streamapp.messages.cloudevents import Header
from streamapp.messages.records import BATCH_BYTES, OutRecord

__all__ = ["EncodedHeaders", "encode_batches", "encode_header", "varint"]

_HEAD = struct.Struct(">qiibI")  # base offset, length, leader's epoch, format, checksum
_BODY = struct.Struct(">hiqqqhii")  # attributes, last offset, first and last time, producer (3), count
assert _HEAD.size + _BODY.size == BATCH_BYTES
_LENGTH_AT = 12  # the length counts what follows it
_MAGIC = 2
_NULL = b"\x01"  # the length -1


def varint(number: int) -> bytes:
    """Return a non-negative integer as Kafka writes lengths.

    Examples
    --------
    >>> varint(1).hex(), varint(64).hex(), varint(300).hex()
    ('02', '8001', 'd804')
    """
    return _SMALL[number] if number < len(_SMALL) else _varint(number)


def _varint(number: int) -> bytes:
    rest = number << 1  # zigzag: even numbers are the non-negative ones
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


_SMALL = [_varint(number) for number in range(8192)]


def encode_header(header: Header) -> bytes:
    """Return one header as a record holds it."""
    name = header[0].encode()
    content: bytes | None = header[1]
    return varint(len(name)) + name + (_NULL if content is None else varint(len(content)) + content)


@dataclass(slots=True)
class EncodedHeaders(Sequence[Header]):
    """Headers as a record holds them: encoded once, decoded only for those who look.

    Attributes
    ----------
    data
        Their number, then one after another.

    Examples
    --------
    >>> headers = EncodedHeaders.of([("ce_id", b"1")])
    >>> headers.data.hex(), list(headers)
    ('020a63655f69640231', [('ce_id', b'1')])
    """

    data: bytes

    @classmethod
    def of(cls, headers: Iterable[Header]) -> Self:
        """Return `headers`, encoded."""
        encoded = list(map(encode_header, headers))
        return cls(varint(len(encoded)) + b"".join(encoded))

    def __len__(self) -> int:
        return len(self._decoded())

    @overload
    def __getitem__(self, at: int) -> Header: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Header]: ...

    def __getitem__(self, at: int | slice) -> Header | Sequence[Header]:
        return self._decoded()[at]

    def _decoded(self) -> list[Header]:
        read = _Reader(self.data)
        return [(read.text().decode(), read.content()) for _ in range(read.number())]


class _Reader:
    """Reads what :func:`varint` and :func:`encode_header` write."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self) -> int:
        number = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (number >> 1) ^ -(number & 1)
            shift += 7

    def text(self) -> bytes:
        size = self.number()
        self._at += size
        return self._data[self._at - size : self._at]

    def content(self) -> bytes:
        if self._data[self._at : self._at + 1] == _NULL:
            self._at += 1
            return None  # type: ignore[return-value]  # Kafka allows it, see Header
        return self.text()


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
    count, size = 0, BATCH_BYTES
    small = _SMALL
    for _, key, value, headers in records:
        encoded = headers if type(headers) is EncodedHeaders else EncodedHeaders.of(headers)
        fields = (
            b"\0\0",  # attributes; no time after the first
            varint(count),
            *((_NULL,) if key is None else (varint(len(key)), key)),
            *((_NULL,) if value is None else (varint(len(value)), value)),
            encoded.data,
        )
        record = b"".join(fields)
        length = small[len(record)] if len(record) < 8192 else _varint(len(record))
        if count and size + len(length) + len(record) > max_bytes:
            yield _batch(parts, count, time_ms), count
            parts, count, size = [], 0, BATCH_BYTES
            record = b"".join((b"\0\0", b"\0", *fields[2:]))
            length = varint(len(record))
        parts += (length, record)
        count += 1
        size += len(length) + len(record)
    if count:
        yield _batch(parts, count, time_ms), count


def _batch(parts: list[bytes], count: int, time_ms: int) -> bytes:
    body = b"".join((_BODY.pack(0, count - 1, time_ms, time_ms, -1, -1, -1, count), *parts))
    return _HEAD.pack(0, _HEAD.size - _LENGTH_AT + len(body), -1, _MAGIC, crc32c(body)) + body
