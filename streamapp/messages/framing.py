"""Confluent's wire format: what clients of a schema registry put before JSON.

References
----------
Confluent documentation, "Wire format": a magic byte 0, the schema's id as four bytes, and the payload. JSON
never begins with such a byte, so the first one tells framed from plain.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["FRAMED", "FRAMED_HINT", "Framing", "unframed"]

Framing = Literal["none", "confluent"]

FRAMED = b"\0"
"""The magic byte."""

FRAMED_HINT = "it begins like Confluent's schema ids: set request_framing = confluent to skip them"
"""What to say of a framed value where they are not skipped."""

_PREFIX_BYTES = 5


def unframed(value: bytes | None, framing: Framing = "confluent") -> bytes | None:
    r"""Return a record's value without the schema id before it, if it has one and these are skipped.

    Examples
    --------
    >>> unframed(b"\0\0\0\0\x07{}"), unframed(b"{}"), unframed(b"\0\0\0\0\x07{}", "none")
    (b'{}', b'{}', b'\x00\x00\x00\x00\x07{}')
    """
    if framing == "none" or value is None or not value.startswith(FRAMED):
        return value
    return value[_PREFIX_BYTES:]
