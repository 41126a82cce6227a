"""Records of ``predictions`` and ``feedback``, read as far as JOIN needs them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import orjson

from streamapp.errors import MessageError
from streamapp.messages import (
    FRAMED,
    FRAMED_HINT,
    MAX_AHEAD_MS,
    Feedback,
    FeedbackRequest,
    Framing,
    Label,
    Record,
    Rejection,
    event_time_ms,
    header,
    load_object,
    read_exactly,
    record_time,
    request_offset,
    said_time_ms,
    unframed,
)

__all__ = ["Given", "ReadAnswer", "read_answer", "read_feedback"]

_REJECTION = Rejection.ce_type.encode()
_HEAD = b'{"id":"'
_PLAIN = {"id", "label", "source"}
_LABELS = frozenset({bool, int, float, str})


class ReadAnswer(NamedTuple):
    """An answer as JOIN needs it."""

    request_id: bytes
    """In UTF-8."""
    ce_id: bytes
    offset: int
    """Of its request."""
    time_ms: int
    timestamp_ms: int


def read_answer(record: Record) -> ReadAnswer | Literal["rejections", "unreadable"]:
    """Return the answer in a record of ``predictions``, or what else the record is."""
    headers = dict(record.headers)
    if headers.get("ce_type") == _REJECTION:
        return "rejections"
    timestamp_ms = record_time(record.timestamp)
    time_ms, _ = said_time_ms(headers.get("ce_time"), timestamp_ms)
    ce_id, value = headers.get("ce_id") or b"", record.value or b""
    known = _own_answer(ce_id, value) or _any_answer(ce_id, value)
    if known is None:
        return "unreadable"
    request_id, offset = known
    return ReadAnswer(request_id, ce_id, offset, time_ms, timestamp_ms)


def _own_answer(ce_id: bytes, value: bytes) -> tuple[bytes, int] | None:
    """Return id and request offset of an answer that begins and is named as serving does it.

    Nine in ten parts of reading JSON are spared: the rest of it is passed on as it is.
    """
    end = value.find(b'"', len(_HEAD))
    if not value.startswith(_HEAD) or end < 0 or value[-1:] != b"}":
        return None
    request_id, offset = value[len(_HEAD) : end], ce_id.rpartition(b"-")[2]
    if b"\\" in request_id or not (offset.isdigit() and len(offset) <= 18):
        return None
    return request_id, int(offset)


def _any_answer(ce_id: bytes, value: bytes) -> tuple[bytes, int] | None:
    try:
        ce_id.decode()
        fields = orjson.loads(value)
        request_id, offset = fields["id"], request_offset(fields)
    except (ValueError, KeyError, TypeError):
        return None
    if not ce_id or not isinstance(request_id, str) or offset < 0:
        return None
    return request_id.encode(errors="surrogatepass"), offset


class Given(NamedTuple):
    """A feedback record as it was read."""

    request_id: str
    """The id of the request that the label is for."""
    label: Label | list[Label]
    """A list for a request with several rows."""
    source: str
    request: FeedbackRequest | None
    """Where that request lies, if it says so."""
    at_ms: int | None
    """When it says that the label was given; None if it says nothing that can be used."""
    timestamp_ms: int
    """Of the record."""
    is_replaced: bool
    """Whether it said a time that cannot be used."""

    @property
    def time_ms(self) -> int:
        """When the label was given, as far as is known."""
        return self.timestamp_ms if self.at_ms is None else self.at_ms


def read_feedback(record: Record, *, framing: Framing = "none") -> Given:
    """Return what stands in a feedback record.

    A time that cannot be read, or that lies too far ahead of the record, costs the label nothing else.

    Parameters
    ----------
    record
        The record.
    framing
        What may stand before its JSON, and is skipped.

    Raises
    ------
    MessageError
        If the rest cannot be read.
    """
    value = unframed(record.value, framing)
    if value is not None and value.startswith(FRAMED):
        raise MessageError("not-json", f"not UTF-8 JSON: {FRAMED_HINT}")
    fields = load_object(value)
    timestamp_ms = record_time(record.timestamp)
    if fields.keys() <= _PLAIN and not record.headers:
        request_id, label, source = fields.get("id"), fields.get("label"), fields.get("source", "system")
        if type(request_id) is str and type(label) in _LABELS and type(source) is str:
            return Given(request_id, label, source, None, None, timestamp_ms, False)  # type: ignore[arg-type]
    if type(fields.get("id")) is float and (exact := read_exactly(value or b"")) is not None:
        fields["id"] = exact[0]["id"]  # an integer beyond 64 bits, which requests keep digit by digit
    is_readable = True
    try:
        feedback = Feedback.parse(fields)
    except MessageError as exc:
        if exc.feature != "at":
            raise
        is_readable = False
        feedback = Feedback.parse({**fields, "at": None})
    said = (str(feedback.id), feedback.label, feedback.source, feedback.request)
    if feedback.at is not None:
        is_ahead = feedback.at > timestamp_ms + MAX_AHEAD_MS
        return Given(*said, None if is_ahead else feedback.at, timestamp_ms, is_ahead)
    time_ms, is_replaced = event_time_ms(record.headers, timestamp_ms)
    has_time = not is_replaced and header(record.headers, "ce_time") is not None
    return Given(*said, time_ms if has_time else None, timestamp_ms, is_replaced or not is_readable)
