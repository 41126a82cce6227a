"""The headers of answers, written for Kafka's record format from parts that all of them share."""

from __future__ import annotations

from functools import lru_cache

from streamapp.messages import (
    EncodedHeaders,
    Record,
    answer_id,
    encode_header,
    format_time,
    record_time,
    trace_headers,
    varint,
)

__all__ = ["AnswerHeaders", "time_text"]

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
        self._before_id = encode_header(("ce_specversion", b"1.0")) + _name("ce_id")
        self._before_time = (
            encode_header(("ce_source", f"/streamapp/{deployment}".encode()))
            + encode_header(("ce_type", ce_type.encode()))
            + _name("ce_time")
        )
        self._after = encode_header(("content-type", b"application/json"))

    def write(self, record: Record, time_ms: int, *, with_trace: bool = True) -> EncodedHeaders:
        """Return the headers of the answer to `record`.

        Parameters
        ----------
        record
            The request.
        time_ms
            Its event time.
        with_trace
            Whether its trace context is carried on.
        """
        ce_id = answer_id(self._topic, record.partition, record.offset).encode()
        trace = trace_headers(record.headers) if with_trace and record.headers else ()
        parts = (
            varint(_COUNT + len(trace)),
            self._before_id,
            varint(len(ce_id)),
            ce_id,
            self._before_time,
            _time_field(time_ms),
            self._after,
            *map(encode_header, trace),
        )
        return EncodedHeaders(b"".join(parts))


def _name(name: str) -> bytes:
    return varint(len(name)) + name.encode()


@lru_cache(maxsize=4096)  # records of one batch share a few milliseconds
def time_text(time_ms: int) -> bytes:
    """Return a record's time as it stands in answers."""
    return format_time(record_time(time_ms)).encode()


@lru_cache(maxsize=4096)
def _time_field(time_ms: int) -> bytes:
    text = time_text(time_ms)
    return varint(len(text)) + text
