"""Which answer a label belongs to, and the row that the two become."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import orjson

from streamapp.messages import Labelled, OutRecord, Record, event_headers, format_time, header
from streamapp.messages.encoded_headers import encode_header, varint
from streamapp.quality.entries import Answer, GivenAnswer, GivenLabel
from streamapp.quality.reading import Given

__all__ = ["FORWARDED", "RowWriter", "choose_answer", "given_label", "target_partition"]

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


def given_label(given: Given, record: Record) -> GivenLabel:
    """Return a label with its time, and with the position that it was first read at."""
    partition, offset = record.partition, record.offset
    origin = header(record.headers, FORWARDED) if record.headers else None
    if origin is not None and _POSITION_ID.fullmatch(origin.decode(errors="replace")):
        partition, offset = map(int, origin.split(b"-"))
    return GivenLabel(given.label, given.source, given.time_ms, partition, offset)


class RowWriter:
    """Writes labelled rows: an answer's own bytes with a label added.

    Parameters
    ----------
    deployment
        Its name.
    """

    def __init__(self, deployment: str) -> None:
        # The two that differ from row to row stand in a template; a test holds it to event_headers().
        headers = event_headers(deployment, Labelled.ce_type, "", 0)
        parts = [encode_header(h) for h in headers]
        names = [name for name, _ in headers]
        for name in ("ce_id", "ce_time"):
            parts[names.index(name)] = varint(len(name)) + name.encode() + b"%b%b"
        self._headers = varint(len(parts)) + b"".join(parts)

    def write(self, answer: GivenAnswer, label: GivenLabel, revision: int) -> OutRecord:
        """Return the row of an answer and its `revision`-th label."""
        value, at, ce_time = answer.value.rstrip()[:-1], format_time(label.at_ms), format_time(answer.time_ms)
        row = b'%b,"label":%b,"source":%b,"labelled_at":"%b","revision":%d}' % (
            value, orjson.dumps(label.label), _json_text(label.source), at.encode(), revision,
        )  # fmt: skip
        ce_id = b"%b+%d-%d" % (answer.ce_id, label.partition, label.offset)
        headers = self._headers % (varint(len(ce_id)), ce_id, varint(len(ce_time)), ce_time.encode())
        return OutRecord(0, answer.key, row, headers)


@lru_cache(maxsize=256)
def _json_text(text: str) -> bytes:
    return orjson.dumps(text)
