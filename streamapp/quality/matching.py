"""Which answer a label belongs to."""

from __future__ import annotations

import re
from collections.abc import Sequence

from streamapp.messages import OutRecord, Record, header
from streamapp.quality.entries import Answer, GivenLabel
from streamapp.quality.reading import Given

__all__ = ["FORWARDED", "choose_answer", "forwarded", "given_label", "target_partition"]

FORWARDED = "streamapp-forwarded"
"""Header of feedback that was sent on: the position where it was first read."""

_POSITION_ID = re.compile(r"([0-9]{1,9})-[0-9]{1,18}")


def target_partition(given: Given) -> int | None:
    """Return the partition that a label says its request lies in, if it says so."""
    if given.request is not None:
        return given.request.partition
    position = _POSITION_ID.fullmatch(given.request_id)
    return int(position[1]) if position else None


def choose_answer(answers: Sequence[Answer], given: Given, partition: int) -> Answer | None:
    """Return the one of a partition's `answers` to an id, oldest first, that a label belongs to."""
    if given.request is not None:
        if given.request.partition != partition:
            return None
        wanted = given.request.offset
        return next((answer for answer in reversed(answers) if answer.offset == wanted), None)
    if not answers:
        return None
    at_ms, timestamp_ms = given.at_ms, given.timestamp_ms
    for answer in reversed(answers):
        if answer.time_ms <= at_ms if at_ms is not None else answer.timestamp_ms <= timestamp_ms:
            return answer
    return answers[0]


def forwarded(record: Record, target: int) -> OutRecord | None:
    """Return a label for partition `target` of ``feedback``; None if it was sent on before."""
    if header(record.headers, FORWARDED) is not None:
        return None
    origin = f"{record.partition}-{record.offset}".encode()
    return OutRecord.of(target, record.key, record.value, [*record.headers, (FORWARDED, origin)])


def given_label(given: Given, record: Record) -> GivenLabel:
    """Return a label with its time, and with the position that it was first read at."""
    partition, offset = record.partition, record.offset
    origin = header(record.headers, FORWARDED) if record.headers else None
    if origin is not None and _POSITION_ID.fullmatch(origin.decode(errors="replace")):
        partition, offset = map(int, origin.split(b"-"))
    return GivenLabel(given.label, given.source, given.time_ms, partition, offset)
