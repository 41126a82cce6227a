"""Kafka records as JOIN sees them: what comes in, what goes out, and what is set aside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from streamapp.messages import Header, format_time

__all__ = ["OutRecord", "Record", "dead_letter", "record_time"]

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
        """Headers in their order."""


class OutRecord(NamedTuple):
    """A record to be written."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[Header]


def record_time(timestamp_ms: int) -> int:
    """Return a record's timestamp, moved into the years 1 to 9999 if its producer wrote nonsense."""
    return min(max(timestamp_ms, _FIRST_MS), _LAST_MS)


def dead_letter(record: Record, *, topic: str, partition: int, code: str, message: str) -> OutRecord:
    """Return `record` as it goes to ``dead-letters``: bytes and headers untouched, and why.

    Parameters
    ----------
    record
        Raw.
    topic, partition
        Where it lies.
    code
        Stable.
    message
        What was wrong, and what would be right.
    """
    why = {
        "streamapp-error-code": code,
        "streamapp-error-message": message,
        "streamapp-source-topic": topic,
        "streamapp-source-partition": str(partition),
        "streamapp-source-offset": str(record.offset),
        "streamapp-source-timestamp": format_time(record_time(record.timestamp)),
    }
    headers = [*record.headers, *((name, text.encode(errors="replace")) for name, text in why.items())]
    return OutRecord(0, record.key, record.value, headers)
