"""The bytes of one request as JSON: what the typed parser refuses is read again slowly, to say why.

That is done with orjson, which is strict UTF-8 JSON, with two sides that a request must not suffer from:
integers beyond 64 bits turn into floats, and a number beyond the largest double is an error that names no
column. A request with such a number is read a third time, with exact integers. Of a name that stands twice in
an object the last value counts, as with nearly every reader of JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

from streamapp.messages import FRAMED, FRAMED_HINT, Record, RejectionCode, header, read_exactly
from streamapp.models.column import Row
from streamapp.serving.dialects import Asked, Shaped, find_rows
from streamapp.serving.faults import Fault, find_fault_in_rows, quote, type_name

if TYPE_CHECKING:
    from streamapp.models.signature import Signature

__all__ = ["MAX_ID_BYTES", "Body", "default_id", "find_exact_fault", "read_request"]

MAX_ID_BYTES = 4096
"""Longest id in UTF-8; it goes into answers, labelled rows and the store of answers by id."""

_NO_VALUE = Fault(RejectionCode.NOT_JSON, "the record has no value: send a JSON object")


class Body(NamedTuple):
    """What a request says."""

    id: str
    """Of one whose own cannot be read, the one that it would have without."""
    rows: list[Row]
    """None is there, if there is a fault."""
    asked: Asked | None
    """None: a native request."""
    fault: Fault | None


def read_request(
    record: Record, value: bytes | None, signature: Signature | None, *, max_bytes: int, max_rows: int
) -> Body:
    """Return what a request says, or what is wrong with it; no bytes make it raise.

    Parameters
    ----------
    record
        The request.
    value
        Its value, without what stands before the JSON.
    signature
        What the rows must fit. None, while there is no model: then any rows do.
    max_bytes
        Longest value that is looked at.
    max_rows
        Most rows that a request may have.
    """
    given: object = None
    found: Shaped | Fault
    if value is None:
        found = _NO_VALUE
    elif len(value) > max_bytes:
        found = _too_large(len(value), max_bytes)
    else:
        found, given = _read(value, signature, max_rows)
    read = _read_id(given, value or b"")
    # What is wrong with the rows is said before what is wrong with the id.
    if isinstance(read, Fault) and not isinstance(found, Fault):
        found = read
    own_id = read if isinstance(read, str) else default_id(record)
    return Body(own_id, [], None, found) if isinstance(found, Fault) else Body(own_id, *found, None)


def default_id(record: Record) -> str:
    """Return the id of a request whose body has none: its header ``ce_id``, else its position."""
    given = header(record.headers, "ce_id") if record.headers else None
    if given and len(given) <= MAX_ID_BYTES:
        try:
            return given.decode()
        except UnicodeDecodeError:
            pass
    return f"{record.partition}-{record.offset}"


def find_exact_fault(value: bytes | None, signature: Signature, *, max_rows: int) -> Fault | None:
    """Return the fault of a request that could be read, of its integers as they were written, or None."""
    exact = read_exactly(value or b"")
    if exact is None:  # its depth is all that the exact reader may stumble over
        return Fault(RejectionCode.NOT_JSON, "arrays or objects are nested too deeply: send a flat row")
    found = find_rows(exact[0], signature, max_rows=max_rows)
    return found if isinstance(found, Fault) else find_fault_in_rows(found.rows, signature)


def _read(value: bytes, signature: Signature | None, max_rows: int) -> tuple[Shaped | Fault, object]:
    try:
        body = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return _read_exactly(value, signature, max_rows, _unreadable(value, error))
    found = find_rows(body, signature, max_rows=max_rows)
    given = body.get("id") if type(body) is dict else None
    if isinstance(found, Fault):
        if found.code is RejectionCode.OUT_OF_RANGE and signature is not None:  # to quote the very number
            found = find_exact_fault(value, signature, max_rows=max_rows) or found
    elif signature is not None and find_fault_in_rows(found.rows, signature) is not None:
        return find_exact_fault(value, signature, max_rows=max_rows) or found, given
    return found, given


def _read_exactly(
    value: bytes, signature: Signature | None, max_rows: int, refused: Fault
) -> tuple[Shaped | Fault, object]:
    """Read what orjson refused: it may be no more than a number beyond the largest double."""
    exact = read_exactly(value)
    if exact is None:
        return refused, None
    body, has_literal = exact
    found = find_rows(body, signature, max_rows=max_rows)
    given = body.get("id") if type(body) is dict else None
    if isinstance(given, str) and not _is_text(given):
        return refused, None
    if isinstance(found, Fault) or signature is None:
        return refused if has_literal else found, given
    names = [column.name for column in signature.columns]
    rows = [{name: row.get(name) for name in names} for row in found.rows]
    fault = find_fault_in_rows(rows, signature)
    if fault is not None and fault.code is RejectionCode.OUT_OF_RANGE:
        return fault, given
    values = (value for row in rows for value in row.values())
    if has_literal or not all(_is_text(text) for text in values if isinstance(text, str)):
        return refused, given
    return (Shaped(rows, found.asked) if fault is None else fault), given


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
    if value.startswith(FRAMED):
        hint = f"; {FRAMED_HINT}"
    elif value.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        hint = "; send UTF-8 without a byte order mark"
    elif "NaN" in (text := value.decode(errors="replace")) or "Infinity" in text:
        hint = "; NaN and Infinity are no JSON, a missing value is null"
    return Fault(RejectionCode.NOT_JSON, f"not UTF-8 JSON: {error}{hint}")


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
