"""Records of ``predictions`` and ``feedback``, read as far as JOIN needs them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
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
from streamapp.quality.entries import id_key

__all__ = ["Given", "ReadAnswer", "read_answer", "read_feedback"]

_REJECTION = Rejection.ce_type.encode()
_HEAD = re.compile(rb'\{"id":"([^"\\]*)"')
_END = ord("}")


class ReadAnswer(msgspec.Struct, gc=False):
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
    header_of = dict(record.headers).get
    if header_of("ce_type") == _REJECTION:
        return "rejections"
    timestamp_ms = record_time(record.timestamp)
    time_ms, _ = said_time_ms(header_of("ce_time"), timestamp_ms)
    ce_id, value = header_of("ce_id") or b"", record.value or b""
    known = _own_answer(ce_id, value) or _any_answer(ce_id, value)
    if known is None:
        return "unreadable"
    request_id, offset = known
    return ReadAnswer(request_id, ce_id, offset, time_ms, timestamp_ms)


def _own_answer(ce_id: bytes, value: bytes) -> tuple[bytes, int] | None:
    """Return id and request offset of an answer that begins and is named as serving does it.

    Nine in ten parts of reading JSON are spared: the rest of it is passed on as it is.
    """
    head, offset = _HEAD.match(value), ce_id[ce_id.rfind(b"-") + 1 :]
    if head is None or value[-1] != _END or not (offset.isdigit() and len(offset) <= 18):
        return None
    return head[1], int(offset)


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


class _Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What most feedback is, less integers beyond 64 bits: the other reader makes floats of them."""

    id: str
    label: bool | Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)] | float | str
    source: str = "system"


_read_plain = msgspec.json.Decoder(_Plain).decode


class Given(msgspec.Struct, frozen=True, gc=False):
    """A feedback record as it was read."""

    id_key: bytes
    """Under which the id is known."""
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
    timestamp_ms = record_time(record.timestamp)
    if not record.headers:
        try:
            plain = _read_plain(record.value or b"")
        except ValueError:  # it is more than that, or wrong
            pass
        else:
            key = id_key(plain.id.encode())
            return Given(key, plain.id, plain.label, plain.source, None, None, timestamp_ms, False)
    value = unframed(record.value, framing)
    if value is not None and value.startswith(FRAMED):
        raise MessageError("not-json", f"not UTF-8 JSON: {FRAMED_HINT}")
    fields = load_object(value)
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
    request_id = str(feedback.id)
    key = id_key(request_id.encode(errors="surrogatepass"))
    said = (key, request_id, feedback.label, feedback.source, feedback.request)
    if feedback.at is not None:
        is_ahead = feedback.at > timestamp_ms + MAX_AHEAD_MS
        return Given(*said, None if is_ahead else feedback.at, timestamp_ms, is_ahead)
    time_ms, is_replaced = event_time_ms(record.headers, timestamp_ms)
    has_time = not is_replaced and header(record.headers, "ce_time") is not None
    return Given(*said, time_ms if has_time else None, timestamp_ms, is_replaced or not is_readable)
