"""What JOIN keeps, and under which keys.

| key | value |
|---|---|
| ``i`` id | its answers, in order: where each stands and its labels so far; and where labels wait for it |
| ``v`` offset in ``predictions`` | an answer as it was given |
| ``w`` offset in ``feedback`` | a label that came before its request's answer, as it was given |
| ``m`` | positions, stream time, number of waiting labels |

``v`` and ``w`` are logs: large values that are written once, read once or twice, and forgotten in the order
of their keys, which is that of their arrivals. What changes with each label is small. An id is found by its
exact key: a store that does not hold it says so from memory. Long ids are hashed to 32 bytes; numbers are
big-endian, so that the order of bytes is theirs.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from streamapp.messages import Header

__all__ = [
    "ANSWERS",
    "LOGS",
    "META_KEY",
    "WAITING",
    "Answer",
    "GivenAnswer",
    "GivenLabel",
    "KnownId",
    "Waiting",
    "arrival_of",
    "id_key",
    "id_key_in",
    "log_key",
    "log_offset",
]

META_KEY = b"m"
ANSWERS, WAITING = b"v", b"w"
LOGS = (ANSWERS, WAITING)

_LONG = 32
_MOST = 1_000
_OFFSET = struct.Struct(">Q")
_ARRIVED = struct.Struct(">q")
_ANSWER = struct.Struct(">qqBIi")
_LABEL = struct.Struct(">qqIi")
_UNKNOWN = -(1 << 63)


def id_key(request_id: bytes) -> bytes:
    """Return the key of what is known of an id, given in UTF-8."""
    if len(request_id) < _LONG:
        return b"i" + request_id
    return b"i" + hashlib.blake2b(request_id, digest_size=_LONG).digest()


def log_key(log: bytes, offset: int) -> bytes:
    """Return the key of an entry of a log."""
    return log + _OFFSET.pack(offset)


def log_offset(key: bytes) -> int:
    """Return the offset in the key of an entry of a log."""
    offset: int = _OFFSET.unpack_from(key, 1)[0]
    return offset


class GivenLabel(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One label as it was given."""

    label: Any
    """One, or a list of them."""
    source: str
    at_ms: int
    partition: int
    offset: int

    @property
    def by_person(self) -> bool:
        """Whether a person gave it, who outranks systems."""
        return self.source.startswith("person:")


class Answer(msgspec.Struct, array_like=True, gc=False):
    """Where an answer stands, and what is known about its label.

    `offset` is its request's and `position` its own, in ``predictions``.
    """

    time_ms: int
    offset: int
    position: int
    timestamp_ms: int
    revision: int = 0
    seen: tuple[tuple[int, int], ...] = ()
    """Feedback partition, and the offset of its newest label here: what is not newer is a repeat."""
    labels: tuple[GivenLabel, ...] = ()
    """The newest of each source: outranked ones too, so that people and systems can be compared."""

    def has_seen(self, label: GivenLabel) -> bool:
        """Return whether a label was given to this answer before."""
        return any(partition == label.partition and label.offset <= offset for partition, offset in self.seen)

    def note(self, label: GivenLabel) -> bool:
        """Take note of a label; return whether it counts: a system's does not after a person's."""
        seen, labels = self.seen, self.labels
        if not seen:
            self.seen, self.labels = ((label.partition, label.offset),), (label,)
            return True
        self.seen = (*(each for each in seen if each[0] != label.partition), (label.partition, label.offset))
        self.labels = (*(each for each in labels if each.source != label.source), label)
        return label.by_person or not any(each.by_person for each in labels)


class KnownId(msgspec.Struct, array_like=True, gc=False):
    """What is known of an id: its answers, oldest first, and the offsets of labels that wait for one."""

    answers: list[Answer] = []
    waiting: list[int] = []

    def has(self, time_ms: int, offset: int) -> bool:
        """Return whether the answer to a request is among them."""
        return any(each.offset == offset and each.time_ms == time_ms for each in self.answers)

    def add(self, answer: Answer) -> None:
        """Put an answer into its order; beyond a thousand the oldest are left out."""
        self.answers.append(answer)
        if len(self.answers) > 1:
            self.answers.sort(key=lambda each: (each.time_ms, each.offset))
            del self.answers[:-_MOST]

    def forget(self, position: int) -> bool:
        """Leave out the answer at a position; return whether it was there without a label."""
        for at, answer in enumerate(self.answers):
            if answer.position == position:
                del self.answers[at]
                return not answer.labels
        return False

    def wait(self, offset: int) -> None:
        """Note a label that waits; beyond a thousand the oldest are tried when their horizon is over."""
        self.waiting.append(offset)
        del self.waiting[:-_MOST]

    def encode(self) -> bytes | None:
        """Return the value in the store, None if nothing is left to be known."""
        return _encode(self) if self.answers or self.waiting else None

    @classmethod
    def decode(cls, value: bytes | None) -> KnownId:
        """Return what a store holds of an id."""
        return cls() if value is None else _decode(value)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(KnownId).decode


class GivenAnswer(msgspec.Struct, gc=False):
    """An answer as it was given, for the row that it may become."""

    id_key: bytes
    """Under which its id is known."""
    time_ms: int
    ce_id: bytes
    key: bytes | None
    value: bytes

    def encode(self, arrived_ms: int | None) -> bytes:
        """Return the entry of the log; `arrived_ms` is None before stream time begins."""
        id_key, ce_id, key = self.id_key, self.ce_id, self.key
        arrived = _UNKNOWN if arrived_ms is None else arrived_ms
        head = _ANSWER.pack(arrived, self.time_ms, len(id_key), len(ce_id), -1 if key is None else len(key))
        return b"".join((head, id_key, ce_id, key or b"", self.value))

    @classmethod
    def decode(cls, entry: bytes) -> GivenAnswer:
        """Return what stands in an entry."""
        _, time_ms, id_size, ce_size, key_size = _ANSWER.unpack_from(entry)
        id_end = _ANSWER.size + id_size
        ce_end = id_end + ce_size
        key_end = ce_end + max(key_size, 0)
        key = None if key_size < 0 else entry[ce_end:key_end]
        return cls(entry[_ANSWER.size : id_end], time_ms, entry[id_end:ce_end], key, entry[key_end:])


def id_key_in(entry: bytes) -> bytes:
    """Return under which key the id of an answer is known, given its entry of the log."""
    return entry[_ANSWER.size : _ANSWER.size + _ANSWER.unpack_from(entry)[2]]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A feedback record that waits for its answer; has the attributes of a raw record."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[Header]

    def encode(self, arrived_ms: int | None) -> bytes:
        """Return the entry of the log; `arrived_ms` is None before stream time begins."""
        headers = [
            [name, None if content is None else base64.b64encode(content).decode()]
            for name, content in self.headers
        ]
        head, key = orjson.dumps(headers), self.key
        arrived = _UNKNOWN if arrived_ms is None else arrived_ms
        sizes = _LABEL.pack(arrived, self.timestamp, len(head), -1 if key is None else len(key))
        return b"".join((sizes, head, key or b"", self.value or b""))

    @classmethod
    def decode(cls, partition: int, offset: int, entry: bytes) -> Waiting:
        """Return what stands in an entry."""
        _, timestamp, head_size, key_size = _LABEL.unpack_from(entry)
        head_end = _LABEL.size + head_size
        key_end = head_end + max(key_size, 0)
        headers: list[Any] = [  # the content of a header can be null, which its type does not say
            (name, None if content is None else base64.b64decode(content))
            for name, content in orjson.loads(entry[_LABEL.size : head_end])
        ]
        key = None if key_size < 0 else entry[head_end:key_end]
        return cls(partition, offset, timestamp, key, entry[key_end:], headers)


def arrival_of(entry: bytes) -> int | None:
    """Return when an entry of either log arrived, in stream time; None if that had not begun."""
    arrived: int = _ARRIVED.unpack_from(entry)[0]
    return None if arrived == _UNKNOWN else arrived
