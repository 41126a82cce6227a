"""Kafka records as the pure packages see them: what comes in, what goes out, how large it is, when it was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

from streamapp.messages.base import FIRST_MS, LAST_MS
from streamapp.messages.cloudevents import Header
from streamapp.messages.encoded_headers import NO_HEADERS, decode_headers, encode_headers

__all__ = ["BATCH_BYTES", "RECORD_BYTES", "InRecord", "OutRecord", "Record", "record_bytes", "record_time"]

BATCH_BYTES = 61
"""Length of the header of a batch (Kafka's format v2)."""

RECORD_BYTES = 26
"""The most that lengths, attributes and deltas of one record take."""

_HEADER_BYTES = 10


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


@dataclass(frozen=True, slots=True)
class InRecord:
    """A record as it was read, for those who have no consumer at hand: notebooks, tests, what is kept."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] = ()


class OutRecord(NamedTuple):
    """A record to be written to a known partition (a tuple: the hot path makes one per request).

    Attributes
    ----------
    partition
        Where to.
    key, value
        None is null.
    encoded_headers
        As the record will hold them.
    """

    partition: int
    key: bytes | None
    value: bytes | None
    encoded_headers: bytes = NO_HEADERS

    @classmethod
    def of(
        cls, partition: int, key: bytes | None, value: bytes | None, headers: Iterable[Header] = ()
    ) -> Self:
        """Return a record with these headers."""
        return cls(partition, key, value, encode_headers(headers))

    @property
    def headers(self) -> list[Header]:
        """Its headers in their order."""
        return decode_headers(self.encoded_headers)

    @property
    def size_bytes(self) -> int:
        """The most that it takes in a batch of its own, uncompressed: see :func:`record_bytes`."""
        return record_bytes(self.key, self.value, self.headers)

    def is_larger_than(self, limit: int) -> bool:
        """Return whether :attr:`size_bytes` is beyond `limit`; headers are decoded only if it may be."""
        _, key, value, headers = self
        # An encoded header has two bytes at least, and counts for ten and its text.
        most = (
            BATCH_BYTES
            + RECORD_BYTES
            + len(key or b"")
            + len(value or b"")
            + _HEADER_BYTES // 2 * len(headers)
        )
        return most > limit and self.size_bytes > limit


def record_bytes(key: bytes | None, value: bytes | None, headers: Iterable[Header]) -> int:
    """Return the most that a record takes in a batch of its own, uncompressed, in bytes.

    That batch is what a topic's ``max.message.bytes`` bounds.

    Examples
    --------
    >>> record_bytes(b"k", b"value", [("ce_id", b"1")])
    109
    """
    size = BATCH_BYTES + RECORD_BYTES + len(key or b"") + len(value or b"")
    for name, content in headers:
        size += _HEADER_BYTES + len(name.encode()) + len(content or b"")
    return size


def record_time(timestamp_ms: int) -> int:
    """Return a record's timestamp, moved into the years 1 to 9999 if its producer wrote nonsense.

    Examples
    --------
    >>> record_time(1 << 62)
    253402300799999
    """
    if FIRST_MS <= timestamp_ms <= LAST_MS:
        return timestamp_ms
    return FIRST_MS if timestamp_ms < FIRST_MS else LAST_MS
