"""The bytes of one request as JSON: what the typed parser refuses is read again slowly, to say why.

That is done with orjson, which is strict UTF-8 JSON, with two sides that a request must not suffer from:
integers beyond 64 bits turn into floats, and a number beyond the largest double is an error that names no
column. A request with such a number is read a third time, with exact integers. Of a name that stands twice in
an object the last value counts, as with nearly every reader of JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from streamapp.messages import Record, RejectionCode, header, read_exactly
from streamapp.models.column import Row
from streamapp.serving.faults import Fault, find_fault, quote, type_name

if TYPE_CHECKING:
    from streamapp.models.signature import Signature

__all__ = ["MAX_ID_BYTES", "default_id", "exact_features", "read_request"]

MAX_ID_BYTES = 4096
"""Longest id in UTF-8; it goes into answers, labelled rows and the store of answers by id."""

_NO_VALUE = Fault(RejectionCode.NOT_JSON, "the record has no value: send a JSON object")
_SHAPE = '{"id": …, "features": {"COLUMN": VALUE, …}}'


def read_request(record: Record, signature: Signature | None, *, max_bytes: int) -> tuple[str, Row | Fault]:
    """Return the id of a request, and its row or what is wrong with it; no bytes make it raise.

    Parameters
    ----------
    record
        The request.
    signature
        What the row must fit. None, while there is no model: then any row does.
    max_bytes
        Longest value that is looked at.
    """
    value = record.value
    given: object = None
    row: Row | Fault
    if value is None:
        row = _NO_VALUE
    elif len(value) > max_bytes:
        row = _too_large(len(value), max_bytes)
    else:
        row, given = _read(value, signature)
    read = _read_id(given, value or b"")
    # What is wrong with the row is said before what is wrong with the id.
    if isinstance(read, Fault) and not isinstance(row, Fault):
        row = read
    return (read if isinstance(read, str) else default_id(record)), row


def default_id(record: Record) -> str:
    """Return the id of a request whose body has none: its header ``ce_id``, else its position."""
    given = header(record.headers, "ce_id") if record.headers else None
    if given and len(given) <= MAX_ID_BYTES:
        try:
            return given.decode()
        except UnicodeDecodeError:
            pass
    return f"{record.partition}-{record.offset}"


def exact_features(value: bytes | None) -> Row:
    """Return the row in a request that could be read, its integers as exact as they were written."""
    exact = read_exactly(value or b"")
    assert exact is not None
    features: Row = exact[0]["features"]
    return features


def _read(value: bytes, signature: Signature | None) -> tuple[Row | Fault, object]:
    try:
        body = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return _read_exactly(value, signature, _unreadable(value, error))
    row = _find_features(body)
    if not isinstance(row, Fault) and signature is not None and find_fault(row, signature) is not None:
        row = find_fault(exact_features(value), signature) or row
    return row, body.get("id") if type(body) is dict else None


def _read_exactly(value: bytes, signature: Signature | None, refused: Fault) -> tuple[Row | Fault, object]:
    """Read what orjson refused: it may be no more than a number beyond the largest double."""
    exact = read_exactly(value)
    if exact is None:
        return refused, None
    body, has_literal = exact
    features = _find_features(body)
    given = body.get("id") if type(body) is dict else None
    if isinstance(given, str) and not _is_text(given):
        return refused, None
    if isinstance(features, Fault) or signature is None:
        return refused if has_literal else features, given
    row = {column.name: features.get(column.name) for column in signature.columns}
    fault = find_fault(row, signature)
    if fault is not None and fault.code is RejectionCode.OUT_OF_RANGE:
        return fault, given
    if has_literal or not all(_is_text(text) for text in row.values() if isinstance(text, str)):
        return refused, given
    return (row if fault is None else fault), given


def _is_text(text: str) -> bool:
    """Return whether `text` is text: the exact parser lets halves of surrogate pairs pass."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _too_large(size: int, bound: int) -> Fault:
    return Fault(
        RejectionCode.TOO_LARGE,
        f"the request is {size} bytes long, more than max_request_bytes = {bound}: send less",
    )


def _unreadable(value: bytes, error: orjson.JSONDecodeError) -> Fault:
    """Return the fault of bytes that are no JSON."""
    hint = ""
    if value.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        hint = "; send UTF-8 without a byte order mark"
    elif "NaN" in (text := value.decode(errors="replace")) or "Infinity" in text:
        hint = "; NaN and Infinity are no JSON, a missing value is null"
    return Fault(RejectionCode.NOT_JSON, f"not UTF-8 JSON: {error}{hint}")


def _find_features(body: object) -> dict[str, Any] | Fault:
    """Return the row in the body of a request, or what is wrong with its shape."""
    if not isinstance(body, dict):
        return Fault(RejectionCode.NOT_AN_OBJECT, f"the request is {type_name(body)}: send {_SHAPE}")
    features = body.get("features")
    if isinstance(features, dict):
        return features
    if "features" in body:
        return Fault(
            RejectionCode.WRONG_TYPE, f"features is {type_name(features)}: send an object of column and value"
        )
    for name in ("inputs", "instances"):
        if name in body:
            return Fault(
                RejectionCode.BAD_SHAPE, f"requests with {name} are not served by this version: send {_SHAPE}"
            )
    return Fault(RejectionCode.BAD_SHAPE, f"the request has no features: send {_SHAPE}")


def _read_id(given: object, value: bytes) -> str | Fault | None:
    """Return the id in the body of a request as text; None if it has none.

    Parameters
    ----------
    given
        ``id`` as the fast parser read it.
    value
        The request's bytes: an integer beyond 64 bits is read again, because it is kept digit by digit.
    """
    if given is None:
        return None
    if type(given) is float and (exact := read_exactly(value)) is not None:
        given = exact[0].get("id")
    if type(given) is int:
        given = str(given)
    if type(given) is not str:
        return Fault(
            RejectionCode.WRONG_TYPE, f"id is {quote(given)}, {type_name(given)}: send a string or an integer"
        )
    if len(given) > MAX_ID_BYTES // 4 and (size := len(given.encode())) > MAX_ID_BYTES:
        return Fault(
            RejectionCode.TOO_LARGE, f"id is {size} bytes long, more than {MAX_ID_BYTES}: send a shorter one"
        )
    return given
