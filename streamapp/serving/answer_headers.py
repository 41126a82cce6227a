"""The headers of answers, written for Kafka's record format from parts that all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from streamapp.messages import Record, answer_id, format_time, record_time, trace_headers
from streamapp.messages.encoded_headers import encode_header, varint

__all__ = ["AnswerHeaders", "literal", "time_text"]

_COUNT = 6


class AnswerHeaders:
    """Writes the CloudEvents headers of one type of answer, and the trace context of its request.

    :func:`streamapp.messages.event_headers` says what they are; a test holds these bytes to it.

    Parameters
    ----------
    deployment
        Its name.
    topic
        Full name of the topic of requests.
    ce_type
        CloudEvents type of the answers.
    """

    def __init__(self, deployment: str, topic: str, ce_type: str) -> None:
        self._topic = topic
        head = encode_header(("ce_specversion", b"1.0")) + _name("ce_id")
        middle = (
            encode_header(("ce_source", f"/streamapp/{deployment}".encode()))
            + encode_header(("ce_type", ce_type.encode()))
            + _name("ce_time")
        )
        tail = encode_header(("content-type", b"application/json"))
        self._template = b"%b".join(map(literal, (head, middle, tail)))

    def write(
        self, records: Sequence[Record], times_ms: Sequence[int], *, with_trace: bool = True
    ) -> list[bytes]:
        """Return the headers of the answers to `records`, encoded.

        Parameters
        ----------
        records
            The requests (n).
        times_ms
            Their event times (n).
        with_trace
            Whether their trace context is carried on.
        """
        topic, template = self._topic, varint(_COUNT) + self._template
        written = [
            template % (_field(answer_id(topic, record.partition, record.offset)), _time_field(time_ms))
            for record, time_ms in zip(records, times_ms, strict=True)
        ]
        for at, record in enumerate(records):
            if with_trace and record.headers and (trace := trace_headers(record.headers)):
                count = varint(_COUNT + len(trace))
                written[at] = count + written[at][len(varint(_COUNT)) :] + b"".join(map(encode_header, trace))
        return written


def literal(text: bytes) -> bytes:
    """Return `text` as it must stand in a template."""
    return text.replace(b"%", b"%%")


def _name(name: str) -> bytes:
    return varint(len(name)) + name.encode()


def _field(text: str) -> bytes:
    encoded = text.encode()
    return varint(len(encoded)) + encoded


@lru_cache(maxsize=4096)  # records of one batch share a few milliseconds
def time_text(time_ms: int) -> bytes:
    """Return a record's time as it stands in answers."""
    return format_time(record_time(time_ms)).encode()


@lru_cache(maxsize=4096)
def _time_field(time_ms: int) -> bytes:
    return _field(time_text(time_ms).decode())
