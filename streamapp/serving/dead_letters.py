"""Dead letters: requests that were rejected, byte for byte, and why."""

from __future__ import annotations

import hashlib

from streamapp.messages import Header
from streamapp.serving.faults import Fault
from streamapp.serving.records import OutRecord, Record, record_bytes

__all__ = ["OMITTED_BYTES", "SHA256", "dead_letter"]

OMITTED_BYTES = "streamapp-omitted-bytes"
"""Header: length of a value that did not fit."""

SHA256 = "streamapp-sha256"
"""Header: hex SHA-256 of a value that did not fit."""


def dead_letter(record: Record, fault: Fault, *, topic: str, max_bytes: int) -> OutRecord:
    """Return the dead letter of a rejected request; it always fits.

    Parameters
    ----------
    record
        The request.
    fault
        Why it was rejected.
    topic
        Full name of the topic that it lies in.
    max_bytes
        Most that a record may take on the topic of dead letters. What does not fit leaves its value there,
        and headers say how long it was and what its hash is; if key and headers alone are too much, they
        stay behind, too. Its position in `topic` always stands in it.
    """
    why: list[Header] = [
        ("streamapp-error-code", str(fault.code).encode()),
        ("streamapp-error-message", fault.message.encode()),
        ("streamapp-source-topic", topic.encode()),
        ("streamapp-source-partition", b"%d" % record.partition),
        ("streamapp-source-offset", b"%d" % record.offset),
        ("streamapp-source-timestamp", b"%d" % record.timestamp),
    ]
    headers = [*record.headers, *why]
    if record_bytes(record.key, record.value, headers) <= max_bytes:
        return OutRecord(0, record.key, record.value, headers)
    if record.value is not None:
        digest = hashlib.sha256(record.value).hexdigest().encode()
        why += [(OMITTED_BYTES, b"%d" % len(record.value)), (SHA256, digest)]
    headers = [*record.headers, *why]
    if record_bytes(record.key, None, headers) <= max_bytes:
        return OutRecord(0, record.key, None, headers)
    return OutRecord(0, None, None, why)
