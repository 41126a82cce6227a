"""The bytes of one request as JSON: what the fast parser refuses is read again slowly, to say why.

The fast parser (orjson) is strict UTF-8 JSON, with two sides that a request must not suffer from: integers
beyond 64 bits turn into floats, and a number beyond the largest double is an error that names no column. A
request with such a number is read again with exact integers. Of a name that stands twice in an object the
last value counts, as with nearly every reader of JSON.
"""

from __future__ import annotations

from typing import Any

import orjson

from streamapp.messages import RejectionCode, read_exactly
from streamapp.serving.faults import Fault, quote, type_name

__all__ = ["MAX_ID_BYTES", "NO_VALUE", "features_as_sent", "find_features", "read_id", "unreadable"]

MAX_ID_BYTES = 4096
"""Longest id in UTF-8; it goes into answers, labelled rows and the store of answers by id."""

NO_VALUE = Fault(RejectionCode.NOT_JSON, "the record has no value: send a JSON object")

_FEATURES = b'"features":'
_SHAPE = '{"id": …, "features": {"COLUMN": VALUE, …}}'


def unreadable(value: bytes, error: orjson.JSONDecodeError) -> Fault:
    """Return the fault of bytes that are no JSON."""
    hint = ""
    if value.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        hint = "; send UTF-8 without a byte order mark"
    elif "NaN" in (text := value.decode(errors="replace")) or "Infinity" in text:
        hint = "; NaN and Infinity are no JSON, a missing value is null"
    return Fault(RejectionCode.NOT_JSON, f"not UTF-8 JSON: {error}{hint}")


def find_features(body: object) -> dict[str, Any] | Fault:
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


def features_as_sent(value: bytes, body: dict[str, Any]) -> bytes | None:
    """Return the bytes of the row in `value`, to be repeated without being written again; None if unsure.

    Sure is a request that has nothing but an id and, behind it, features: they begin behind their key and end
    where the request does. It must have as many colons as it has names and columns: then nothing is named
    twice, and nothing lies deeper, where another key of features could be found first. (A text with a colon
    makes unsure.) So does a backslash before the key, which could be spelled in another way.

    Parameters
    ----------
    value
        Of the request.
    body
        What stands in it, as the fast parser read it.

    Examples
    --------
    >>> value = b'{"id": "a", "features": {"temp": 1e0} }'
    >>> features_as_sent(value, orjson.loads(value))
    b'{"temp": 1e0}'
    """
    if next(reversed(body)) != "features" or len(body) > 2 or (len(body) == 2 and "id" not in body):
        return None
    at = value.find(_FEATURES)
    if at < 0 or b"\\" in value[:at] or value.count(b":") != len(body) + len(body["features"]):
        return None
    return value[at + len(_FEATURES) :].rstrip()[:-1].strip()


def read_id(given: object, value: bytes) -> str | Fault | None:
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
