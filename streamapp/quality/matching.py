"""Which answer a label belongs to, and the row that the two become."""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from streamapp.messages import (
    Feedback,
    Labelled,
    OutRecord,
    Record,
    event_headers,
    format_time,
    header,
    labelled_id,
)
from streamapp.quality.entries import Answer, GivenLabel, Place, answer_key, hash_id, index_key, places_of
from streamapp.quality.reading import Given
from streamapp.quality.store import Overlay

__all__ = [
    "FORWARDED",
    "find_answer",
    "first",
    "given_label",
    "labelled_row",
    "target_partition",
]

FORWARDED = "streamapp-forwarded"
"""Header of feedback that was sent on: the position where it was first read."""

_POSITION_ID = re.compile(r"([0-9]{1,9})-[0-9]{1,18}")


def first(entries: Iterator[tuple[bytes, bytes]], limit: int) -> Iterator[tuple[bytes, bytes]]:
    """Return at most the first `limit` of `entries`."""
    return (entry for entry, _ in zip(entries, range(limit), strict=False))


def target_partition(feedback: Feedback) -> int | None:
    """Return the partition that a label says its request lies in, if it says so."""
    if feedback.request is not None:
        return feedback.request.partition
    position = _POSITION_ID.fullmatch(str(feedback.id))
    return int(position[1]) if position else None


def find_answer(view: Overlay, given: Given, partition: int) -> Answer | None:
    """Return the answer that a label belongs to, if it is in this partition."""
    id_hash, request = hash_id(given.request_id), given.feedback.request
    if request is not None and request.partition != partition:
        return None
    places = places_of(view.get(index_key(id_hash)))
    if not places:
        return None

    def answer_at(place: Place) -> Answer:
        key = answer_key(id_hash, place)
        return Answer.decode(key, view.get(key) or b"")

    newest_first = reversed(places)
    if request is not None:
        chosen = next((place for place in newest_first if place.offset == request.offset), None)
        return None if chosen is None else answer_at(chosen)
    if given.at_ms is not None:
        return answer_at(next((p for p in newest_first if p.time_ms <= (given.at_ms or 0)), places[0]))
    answers = map(answer_at, newest_first)
    before = next((answer for answer in answers if answer.timestamp_ms <= given.timestamp_ms), None)
    return before or answer_at(places[0])


def given_label(given: Given, record: Record) -> GivenLabel:
    """Return a label with its time, and with the position that it was first read at."""
    partition, offset = record.partition, record.offset
    origin = header(record.headers, FORWARDED)
    if origin is not None and _POSITION_ID.fullmatch(origin.decode(errors="replace")):
        partition, offset = map(int, origin.split(b"-"))
    return GivenLabel(given.feedback.label, given.feedback.source, given.time_ms, partition, offset)


def labelled_row(deployment: str, answer: Answer, label: GivenLabel) -> OutRecord:
    """Return the labelled row: the answer's own bytes, with the label added."""
    added = {
        "label": label.label,
        "source": label.source,
        "labelled_at": format_time(label.at_ms),
        "revision": answer.revision,
    }
    value = answer.value.rstrip()[:-1] + b"," + orjson.dumps(added)[1:]
    ce_id = labelled_id(answer.ce_id, label.partition, label.offset)
    headers = event_headers(deployment, Labelled.ce_type, ce_id, answer.time_ms)
    return OutRecord.of(0, answer.key, value, headers)
