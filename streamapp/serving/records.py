"""Kafka records as serving sees them: what comes in, what goes out, how large it is, when it was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple, Protocol

from streamapp.messages import Header, event_time_ms

__all__ = ["OutRecord", "Record", "record_bytes", "record_time", "request_time_ms", "time_text"]

# A batch header, and the most that lengths, attributes and deltas of one record take (Kafka's format v2).
_BATCH_BYTES = 61
_RECORD_BYTES = 26
_HEADER_BYTES = 10

# What RFC 3339 can write: years 1 to 9999.
_FIRST_MS = -62_135_596_800_000
_LAST_MS = 253_402_300_799_999


class Record(Protocol):
    """What is read of a raw record; aiokafka's ``ConsumerRecord`` fits as it is."""

    @property
    def partition(self) -> int:
        """Partition that it lies in."""

    @property
    def offset(self) -> int:
        """Offset in that partition."""

    @property
    def timestamp(self) -> int:
        """The record's own timestamp, milliseconds since the epoch."""

    @property
    def key(self) -> bytes | None:
        """Key, or None."""

    @property
    def value(self) -> bytes | None:
        """Value, or None."""

    @property
    def headers(self) -> Sequence[Header]:
        """Headers in their order; a name may stand there more than once."""


class OutRecord(NamedTuple):
    """A record to be written (a tuple, because the hot path makes one per request)."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[Header]


def record_bytes(key: bytes | None, value: bytes | None, headers: Iterable[Header]) -> int:
    """Return the most that a record takes in a batch of its own, uncompressed, in bytes.

    That batch is what a topic's ``max.message.bytes`` bounds.

    Examples
    --------
    >>> record_bytes(b"k", b"value", [("ce_id", b"1")])
    109
    """
    size = _BATCH_BYTES + _RECORD_BYTES + len(key or b"") + len(value or b"")
    for name, content in headers:
        size += _HEADER_BYTES + len(name.encode()) + len(content or b"")
    return size


def record_time(timestamp_ms: int) -> int:
    """Return a record's timestamp, moved into the years 1 to 9999 if its producer wrote nonsense.

    Examples
    --------
    >>> time_text(record_time(1 << 62))
    '9999-12-31T23:59:59.999Z'
    """
    return min(max(timestamp_ms, _FIRST_MS), _LAST_MS)


def request_time_ms(record: Record) -> tuple[int, bool]:
    """Return the event time of a request, and whether its ``ce_time`` had to be replaced."""
    timestamp_ms = record_time(record.timestamp)
    if not record.headers:
        return timestamp_ms, False
    time_ms, replaced = event_time_ms(record.headers, timestamp_ms)
    # An offset from UTC can push a time that was written correctly out of the years that can be written.
    return (time_ms, replaced) if _FIRST_MS <= time_ms <= _LAST_MS else (timestamp_ms, True)


def time_text(time_ms: int) -> str:
    """Return `time_ms` as RFC 3339 in UTC: :func:`streamapp.messages.format_time` for the hot path.

    Examples
    --------
    >>> time_text(1304323200004)
    '2011-05-02T08:00:00.004Z'
    """
    seconds, ms = divmod(time_ms, 1000)
    return f"{_second_text(seconds)}.{ms:03d}Z" if ms else f"{_second_text(seconds)}Z"


@lru_cache(maxsize=1024)  # records of one batch share a few seconds
def _second_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
