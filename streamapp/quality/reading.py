"""Records of ``predictions`` and ``feedback``, read as far as JOIN needs them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import orjson

from streamapp.errors import MessageError
from streamapp.messages import (
    MAX_AHEAD_MS,
    Feedback,
    Record,
    Rejection,
    event_time_ms,
    header,
    load_object,
    read_exactly,
    record_time,
)
from streamapp.quality.entries import Answer, hash_id

__all__ = ["Given", "read_answer", "read_feedback"]

_REJECTION = Rejection.ce_type.encode()


def read_answer(record: Record) -> Answer | Literal["rejections", "unreadable"]:
    """Return the answer in a record of ``predictions``, or what else the record is."""
    if header(record.headers, "ce_type") == _REJECTION:
        return "rejections"
    timestamp_ms = record_time(record.timestamp)
    time_ms, _ = event_time_ms(record.headers, timestamp_ms)
    try:
        ce_id = (header(record.headers, "ce_id") or b"").decode()
        fields = orjson.loads(record.value or b"")
        request_id, offset = fields["id"], fields["request"]["offset"]
    except (ValueError, KeyError, TypeError):
        return "unreadable"
    if not ce_id or not isinstance(request_id, str) or not isinstance(offset, int) or offset < 0:
        return "unreadable"
    return Answer(hash_id(request_id), time_ms, offset, timestamp_ms, ce_id, record.key, record.value or b"")


class Given(NamedTuple):
    """A feedback record as it was read."""

    feedback: Feedback
    at_ms: int | None
    """When it says that the label was given; None if it says nothing that can be used."""
    timestamp_ms: int
    """Of the record."""
    is_replaced: bool
    """Whether it said a time that cannot be used."""

    @property
    def request_id(self) -> str:
        """The id of the request that the label is for."""
        return str(self.feedback.id)

    @property
    def time_ms(self) -> int:
        """When the label was given, as far as is known."""
        return self.timestamp_ms if self.at_ms is None else self.at_ms


def read_feedback(record: Record) -> Given:
    """Return what stands in a feedback record.

    A time that cannot be read, or that lies too far ahead of the record, costs the label nothing else.

    Raises
    ------
    MessageError
        If the rest cannot be read.
    """
    fields = load_object(record.value)
    if type(fields.get("id")) is float and (exact := read_exactly(record.value or b"")) is not None:
        fields["id"] = exact[0]["id"]  # an integer beyond 64 bits, which requests keep digit by digit
    is_readable = True
    try:
        feedback = Feedback.parse(fields)
    except MessageError as exc:
        if exc.feature != "at":
            raise
        is_readable = False
        feedback = Feedback.parse({**fields, "at": None})
    timestamp_ms = record_time(record.timestamp)
    if feedback.at is not None:
        is_ahead = feedback.at > timestamp_ms + MAX_AHEAD_MS
        return Given(feedback, None if is_ahead else feedback.at, timestamp_ms, is_ahead)
    time_ms, is_replaced = event_time_ms(record.headers, timestamp_ms)
    has_time = not is_replaced and header(record.headers, "ce_time") is not None
    return Given(feedback, time_ms if has_time else None, timestamp_ms, is_replaced or not is_readable)
