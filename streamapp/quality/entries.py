"""What JOIN keeps, and under which keys.

| key | value |
|---|---|
| ``a`` id-hash place | an answer: its labels so far, its key, its value as answered |
| ``i`` id-hash | the places of the answers to an id, in order: its event time and its request's offset each |
| ``w`` id-hash feedback-partition feedback-offset | a label that came before its request's answer |
| ``t`` arrival key | empty: the order in which answers and waiting labels are forgotten |
| ``m`` | positions, stream time, number of waiting labels |

Ids are hashed to 16 bytes so that keys are short and of one length; numbers are big-endian, so that the
order of bytes is the order of times. Answers are found by their exact key: a store that does not hold an id
says so from memory, where a search for a range of keys would look into its files.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from streamapp.messages import Header, Label
from streamapp.quality.store import KeyValue

__all__ = [
    "META_KEY",
    "Answer",
    "GivenLabel",
    "Place",
    "Waiting",
    "add_place",
    "answer_key",
    "arrival_key",
    "arrivals_before",
    "drop_place",
    "hash_id",
    "index_key",
    "places_of",
    "waited_for",
    "waiting_bounds",
]

META_KEY = b"m"
_HASH = 16
_REUSES = 1_000
_SHIFT = 1 << 63  # times before 1970 sort before later ones
_TAIL = struct.Struct(">QQ")
_POSITION = struct.Struct(">IQ")
_LENGTHS = struct.Struct(">Ii")


def hash_id(request_id: str) -> bytes:
    """Return 16 bytes that stand for an id."""
    return hashlib.blake2b(request_id.encode(errors="surrogatepass"), digest_size=_HASH).digest()


class Place(NamedTuple):
    """Where the answer to an id stands among all answers to it."""

    time_ms: int
    offset: int


def answer_key(id_hash: bytes, place: Place) -> bytes:
    """Return the key of the answer at `place`."""
    return b"a" + id_hash + _pack_place(place)


def index_key(id_hash: bytes) -> bytes:
    """Return the key of the places of all answers to an id."""
    return b"i" + id_hash


def places_of(index: bytes | None) -> list[Place]:
    """Return the places in the value of an index, oldest first."""
    return [Place(shifted - _SHIFT, offset) for shifted, offset in _TAIL.iter_unpack(index or b"")]


def add_place(index: bytes | None, place: Place) -> bytes:
    """Return the value of an index with `place` in its order; beyond a thousand the oldest are left out."""
    places = sorted({*places_of(index), place})[-_REUSES:]
    return b"".join(map(_pack_place, places))


def drop_place(index: bytes | None, place: Place) -> bytes | None:
    """Return the value of an index without `place`; None if nothing is left."""
    return b"".join(_pack_place(each) for each in places_of(index) if each != place) or None


def _pack_place(place: Place) -> bytes:
    return _TAIL.pack(place.time_ms + _SHIFT, place.offset)


def waiting_bounds(id_hash: bytes) -> tuple[bytes, bytes]:
    """Return the range of keys of all labels that wait for an id."""
    low = b"w" + id_hash
    return low, low + b"\xff" * 13


def waited_for(store: KeyValue) -> Iterator[bytes]:
    """Yield the hash of the id of every label that waits."""
    return (key[1 : 1 + _HASH] for key, _ in store.scan(b"w", b"x"))


def arrival_key(arrived_ms: int, key: bytes) -> bytes:
    """Return the key that puts `key` into the order of arrivals."""
    return b"t" + struct.pack(">Q", arrived_ms + _SHIFT) + key


def arrivals_before(time_ms: int) -> tuple[bytes, bytes]:
    """Return the range of keys of all that arrived before stream time `time_ms`."""
    return b"t", b"t" + struct.pack(">Q", max(time_ms + _SHIFT, 0))


class GivenLabel(NamedTuple):
    """One label as it was given."""

    label: Label
    source: str
    at_ms: int
    partition: int
    offset: int

    @property
    def by_person(self) -> bool:
        """Whether a person gave it, who outranks systems."""
        return self.source.startswith("person:")


@dataclass(slots=True)
class Answer:
    """An answer that was given, with what is known about its label."""

    id_hash: bytes
    time_ms: int
    offset: int
    timestamp_ms: int
    ce_id: str
    key: bytes | None
    value: bytes
    revision: int = 0
    seen: dict[int, int] = field(default_factory=dict)
    """Feedback partition to the offset of its newest label here: what is not newer is a repeat."""
    labels: dict[str, GivenLabel] = field(default_factory=dict)
    """Source to its newest label: outranked ones too, so that people and systems can be compared."""

    @property
    def place(self) -> Place:
        """Where it stands among the answers to its id."""
        return Place(self.time_ms, self.offset)

    @property
    def store_key(self) -> bytes:
        """The key in the store."""
        return answer_key(self.id_hash, self.place)

    def encode(self) -> bytes:
        """Return the value in the store."""
        facts = [
            self.timestamp_ms,
            self.ce_id,
            self.revision,
            list(self.seen.items()),
            [tuple(label) for label in self.labels.values()],  # orjson knows no named tuples
        ]
        return _pack(facts, self.key, self.value)

    @classmethod
    def decode(cls, store_key: bytes, value: bytes) -> Answer:
        """Return the answer under `store_key`."""
        (timestamp_ms, ce_id, revision, seen, labels), key, answer = _unpack(value)
        shifted, offset = _TAIL.unpack(store_key[1 + _HASH :])
        given = [GivenLabel(*fields) for fields in labels]
        return cls(
            store_key[1 : 1 + _HASH],
            shifted - _SHIFT,
            offset,
            timestamp_ms,
            ce_id,
            key,
            answer or b"",
            revision,
            dict(seen),
            {label.source: label for label in given},
        )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A feedback record that waits for its answer; has the attributes of a raw record."""

    id_hash: bytes
    partition: int
    offset: int
    timestamp: int
    arrived_ms: int
    key: bytes | None
    value: bytes | None
    headers: list[Header]

    @property
    def store_key(self) -> bytes:
        """The key in the store."""
        return b"w" + self.id_hash + _POSITION.pack(self.partition, self.offset)

    def encode(self) -> bytes:
        """Return the value in the store."""
        headers = [
            [name, None if content is None else base64.b64encode(content).decode()]
            for name, content in self.headers
        ]
        return _pack([self.timestamp, self.arrived_ms, headers], self.key, self.value)

    @classmethod
    def decode(cls, store_key: bytes, value: bytes) -> Waiting:
        """Return the label under `store_key`."""
        (timestamp, arrived_ms, headers), key, feedback = _unpack(value)
        partition, offset = _POSITION.unpack(store_key[1 + _HASH :])
        decoded: list[Any] = [  # the content of a header can be null, which its type does not say
            (name, None if content is None else base64.b64decode(content)) for name, content in headers
        ]
        id_hash = store_key[1 : 1 + _HASH]
        return cls(id_hash, partition, offset, timestamp, arrived_ms, key, feedback, decoded)


def _pack(facts: list[Any], key: bytes | None, value: bytes | None) -> bytes:
    head = orjson.dumps(facts)
    return _LENGTHS.pack(len(head), -1 if key is None else len(key)) + head + (key or b"") + (value or b"")


def _unpack(data: bytes) -> tuple[Any, bytes | None, bytes | None]:
    head_size, key_size = _LENGTHS.unpack_from(data)
    start = _LENGTHS.size + head_size
    facts = orjson.loads(data[_LENGTHS.size : start])
    if key_size < 0:
        return facts, None, data[start:]
    return facts, data[start : start + key_size], data[start + key_size :]
