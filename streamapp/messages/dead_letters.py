"""Dead letters: what could not be processed, byte for byte or (personal columns) by reference, and why."""

from __future__ import annotations

import hashlib
import math

from streamapp.messages.base import format_time
from streamapp.messages.cloudevents import Header
from streamapp.messages.records import OutRecord, Record, record_bytes, record_time

__all__ = ["ERROR_CODE", "OMITTED_BYTES", "SHA256", "SOURCE", "dead_letter"]

ERROR_CODE = "streamapp-error-code"
"""Header: why, as a stable code."""

SOURCE = ("streamapp-source-topic", "streamapp-source-partition", "streamapp-source-offset")
"""Headers: where the record lies."""

OMITTED_BYTES = "streamapp-omitted-bytes"
"""Header: length of a value that did not fit, or may hold personal columns."""

SHA256 = "streamapp-sha256"
"""Header: hex SHA-256 of a value that did not fit."""


def dead_letter(
    record: Record,
    *,
    topic: str,
    code: str,
    message: str,
    max_bytes: int | None = None,
    is_private: bool = False,
) -> OutRecord:
    """Return `record` as it goes to ``dead-letters``; it always fits.

    Parameters
    ----------
    record
        Raw. Its key, value and headers stay as they are.
    topic
        Full name of the topic that it lies in.
    code
        Stable.
    message
        What was wrong, and what would be right.
    max_bytes
        Most that a record may take on the topic of dead letters. What does not fit leaves its value behind,
        and headers say how long it was and what its hash is; if key and headers alone are too much, they
        stay behind, too. The record's position always stands in the letter. None: everything fits.
    is_private
        Whether the value may hold personal columns. Then it stays where it is, and no hash of it is given:
        of a few possible values it would tell which.
    """
    facts = {
        ERROR_CODE: code,
        "streamapp-error-message": message,
        **dict(zip(SOURCE, (topic, str(record.partition), str(record.offset)), strict=True)),
        "streamapp-source-timestamp": format_time(record_time(record.timestamp)),
    }
    why: list[Header] = [(name, text.encode(errors="replace")) for name, text in facts.items()]
    limit = math.inf if max_bytes is None else max_bytes
    headers = [*record.headers, *why]
    if not is_private and record_bytes(record.key, record.value, headers) <= limit:
        return OutRecord.of(0, record.key, record.value, headers)
    if record.value is not None:
        why.append((OMITTED_BYTES, b"%d" % len(record.value)))
        if not is_private:
            why.append((SHA256, hashlib.sha256(record.value).hexdigest().encode()))
    headers = [*record.headers, *why]
    if record_bytes(record.key, None, headers) <= limit:
        return OutRecord.of(0, record.key, None, headers)
    return OutRecord.of(0, None, None, why)
