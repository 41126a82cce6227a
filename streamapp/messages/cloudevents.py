"""CloudEvents 1.0 in Kafka binary mode: the headers of what streamapp writes."""

from __future__ import annotations

from collections.abc import Iterable

from streamapp.messages.base import format_time, parse_written_time

__all__ = [
    "MAX_AHEAD_MS",
    "Header",
    "event_headers",
    "event_time_ms",
    "header",
    "said_time_ms",
    "trace_headers",
]

Header = tuple[str, bytes]
"""Name and content. Kafka lets a content be null, too; what reads one must bear that."""

MAX_AHEAD_MS = 5 * 60 * 1000
"""How far a time may lie after the timestamp of the record that says it."""


def event_headers(deployment: str, ce_type: str, ce_id: str, time_ms: int) -> list[Header]:
    """Return the CloudEvents headers of one message.

    Parameters
    ----------
    deployment
        Its name; the source becomes ``/streamapp/NAME``.
    ce_type
        For example ``streamapp.prediction.v1``.
    ce_id
        Depends on what caused the message and on nothing else, so that a repeat has the same.
    time_ms
        Event time.
    """
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", ce_id.encode()),
        ("ce_source", f"/streamapp/{deployment}".encode()),
        ("ce_type", ce_type.encode()),
        ("ce_time", format_time(time_ms).encode()),
        ("content-type", b"application/json"),
    ]


def header(headers: Iterable[Header], name: str) -> bytes | None:
    """Return the last value of header `name`, or None."""
    found = None
    for key, value in headers:
        if key == name:
            found = value
    return found


def trace_headers(headers: Iterable[Header]) -> list[Header]:
    """Return the trace context (W3C ``traceparent``, ``tracestate``) among `headers`."""
    return [(key, value) for key, value in headers if key in {"traceparent", "tracestate"}]


def event_time_ms(headers: Iterable[Header], timestamp_ms: int) -> tuple[int, bool]:
    """Return a record's event time, and whether its ``ce_time`` had to be replaced.

    It is the header ``ce_time`` if the record has one, else `timestamp_ms`, the record's own. A header that
    cannot be read, or that lies more than five minutes after the record's timestamp, is replaced by it: one
    stray clock must not move stream time.

    Examples
    --------
    >>> event_time_ms([("ce_time", b"1970-01-01T00:00:02Z")], 9000)
    (2000, False)
    >>> event_time_ms([("ce_time", b"tomorrow")], 9000)
    (9000, True)
    """
    return said_time_ms(header(headers, "ce_time"), timestamp_ms)


def said_time_ms(value: bytes | None, timestamp_ms: int) -> tuple[int, bool]:
    """Return what :func:`event_time_ms` does, of the value of the header, None if there is none."""
    if value is None:
        return timestamp_ms, False
    try:
        time_ms = parse_written_time(value.decode())
    except (ValueError, OverflowError):
        return timestamp_ms, True
    return (timestamp_ms, True) if time_ms > timestamp_ms + MAX_AHEAD_MS else (time_ms, False)
