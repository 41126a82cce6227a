"""Answers as bytes, put together from parts that a batch shares.

:class:`~streamapp.messages.Prediction` and :class:`~streamapp.messages.Rejection` say what an answer is;
tests hold these bytes to them. The types themselves would cost ten times as much per answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from streamapp.messages import (
    Header,
    Label,
    ModelRef,
    OutRecord,
    Prediction,
    Record,
    Rejection,
    answer_id,
    format_time,
    record_bytes,
    record_time,
    trace_headers,
)
from streamapp.models.column import Row
from streamapp.serving.faults import Fault

__all__ = ["AnswerWriter", "RowAnswers"]

_SPEC: Header = ("ce_specversion", b"1.0")
_JSON: Header = ("content-type", b"application/json")
_PREDICTION: Header = ("ce_type", Prediction.ce_type.encode())
_REJECTION: Header = ("ce_type", Rejection.ce_type.encode())


@dataclass(frozen=True, slots=True)
class RowAnswers:
    """What the model said to some rows, as it goes into answers; all of one length.

    Attributes
    ----------
    labels
        Python labels or numbers.
    probabilities
        One list per row in the order of `classes`; None for a model without.
    classes
        None for regressors.
    features
        The rows as they were read, or their bytes as they were sent; None if answers leave them out.
    """

    labels: Sequence[Label]
    probabilities: Sequence[Sequence[float]] | None
    classes: tuple[Label, ...] | None
    features: Sequence[Row | bytes] | None


class AnswerWriter:
    """Writes the answers of one deployment.

    Parameters
    ----------
    deployment
        Its name.
    topic
        Full name of the topic of requests.
    max_bytes
        Most that an answer may take on its topic, in bytes, with key, headers and what Kafka adds.
    """

    def __init__(self, deployment: str, *, topic: str, max_bytes: int) -> None:
        self.topic = topic
        self.max_bytes = max_bytes
        self._source: Header = ("ce_source", f"/streamapp/{deployment}".encode())
        self._topic_json = orjson.dumps(topic)
        # What a record takes beside key, value and trace context, however long its numbers are.
        longest = self._headers(2**31, 2**63, "9999-12-31T23:59:59.999Z", _PREDICTION)
        self._overhead = record_bytes(None, None, longest)

    def predictions(
        self,
        records: Sequence[Record],
        ids: Sequence[str],
        times_ms: Sequence[int],
        answers: RowAnswers,
        *,
        model: ModelRef,
        now_ms: int,
    ) -> Iterator[OutRecord | int]:
        """Yield one answer per request; of one that is too large its size in bytes.

        Parameters
        ----------
        records
            The requests (n), all of which the model answered.
        ids
            Their ids (n).
        times_ms
            Their event times (n).
        answers
            What the model said of them, in the same order.
        model
            Which one.
        now_ms
            Wall clock: the answers' `predicted_at`.
        """
        dumps = orjson.dumps
        middle = b',"model":' + dumps(model.model_dump()) + b',"prediction":'
        end = b',"predicted_at":"' + format_time(now_ms).encode() + b'"}'
        bodies = self._bodies(answers, middle)
        for record, given, time_ms, body in zip(records, ids, times_ms, bodies, strict=True):
            timestamp = format_time(record_time(record.timestamp))
            value = b'{"id":' + dumps(given) + body + self._request(record, timestamp) + end
            # Most requests have no ce_time header: their event time is the record's timestamp.
            time = timestamp if time_ms == record.timestamp else format_time(time_ms)
            headers = self._headers(record.partition, record.offset, time, _PREDICTION)
            size = self._overhead + len(value) + len(record.key or b"")
            if record.headers and (trace := trace_headers(record.headers)):
                headers += trace
                size = record_bytes(record.key, value, headers)
            if size > self.max_bytes:
                yield size
            else:
                yield OutRecord(record.partition, record.key, value, headers)

    def rejection(
        self, record: Record, given: str, time_ms: int, fault: Fault, *, model: ModelRef | None, now_ms: int
    ) -> OutRecord:
        """Return the answer to a request that is rejected.

        It always fits: what would be too much is left out, the trace context first, then the key.

        Parameters
        ----------
        record
            The request.
        given
            Its id.
        time_ms
            Its event time.
        fault
            Why.
        model
            The champion, None while there is none.
        now_ms
            Wall clock: `predicted_at`.
        """
        error: dict[str, str] = {"code": fault.code, "message": fault.message}
        if fault.feature is not None:
            error["feature"] = fault.feature
        value = (
            b'{"id":'
            + orjson.dumps(given)
            + (b"" if model is None else b',"model":' + orjson.dumps(model.model_dump()))
            + b',"error":'
            + orjson.dumps(error)
            + self._request(record, format_time(record_time(record.timestamp)))
            + b',"predicted_at":"'
            + format_time(now_ms).encode()
            + b'"}'
        )
        headers = self._headers(record.partition, record.offset, format_time(time_ms), _REJECTION)
        trace = trace_headers(record.headers)
        if record_bytes(record.key, value, headers + trace) <= self.max_bytes:
            return OutRecord(record.partition, record.key, value, headers + trace)
        fits = record_bytes(record.key, value, headers) <= self.max_bytes
        return OutRecord(record.partition, record.key if fits else None, value, headers)

    def _bodies(self, answers: RowAnswers, middle: bytes) -> Iterator[bytes]:
        """Yield what stands between id and request."""
        dumps = orjson.dumps
        names = None if answers.classes is None else [str(label) for label in answers.classes]
        nothing: list[Any] = [None] * len(answers.labels)
        for label, row, features in zip(
            answers.labels, answers.probabilities or nothing, answers.features or nothing, strict=True
        ):
            body = middle + dumps(label)
            if row is not None and names is not None:
                body += b',"probabilities":' + dumps(dict(zip(names, row, strict=True)))
            if features is not None:
                body += b',"features":' + (features if type(features) is bytes else dumps(features))
            yield body

    def _request(self, record: Record, timestamp: str) -> bytes:
        return b',"request":{"topic":%b,"partition":%d,"offset":%d,"timestamp":"%b"}' % (
            self._topic_json,
            record.partition,
            record.offset,
            timestamp.encode(),
        )

    def _headers(self, partition: int, offset: int, time: str, ce_type: Header) -> list[Header]:
        return [
            _SPEC,
            ("ce_id", answer_id(self.topic, partition, offset).encode()),
            self._source,
            ce_type,
            ("ce_time", time.encode()),
            _JSON,
        ]
