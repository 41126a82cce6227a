"""Answers as bytes, put together from parts that a batch shares.

:class:`~streamapp.messages.Prediction` and :class:`~streamapp.messages.Rejection` say what an answer is;
tests hold these bytes to them. The types themselves would cost ten times as much per answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import orjson

from streamapp.messages import (
    Label,
    ModelRef,
    OutRecord,
    Prediction,
    Record,
    Rejection,
)
from streamapp.messages.records import BATCH_BYTES, RECORD_BYTES
from streamapp.serving.answer_headers import AnswerHeaders, time_text
from streamapp.serving.faults import Fault

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AnswerWriter", "RowAnswers", "answer_bytes"]


_ALONE_BYTES = BATCH_BYTES + RECORD_BYTES


@dataclass(frozen=True, slots=True)
class RowAnswers:
    """What the model said to n rows, as it goes into answers.

    Attributes
    ----------
    labels
        Python labels or numbers, (n,).
    probabilities
        (n, k) in the order of `classes`; None for a model without.
    classes
        None for regressors.
    features
        The rows as JSON, (n,); None if answers leave them out.
    """

    labels: Sequence[Label]
    probabilities: NDArray[np.float64] | None
    classes: tuple[Label, ...] | None
    features: Sequence[bytes] | None


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
        self._topic_json = orjson.dumps(topic)
        self._prediction_headers = AnswerHeaders(deployment, topic, Prediction.ce_type)
        self._rejection_headers = AnswerHeaders(deployment, topic, Rejection.ce_type)

    def predictions(
        self,
        records: Sequence[Record],
        ids: Sequence[str],
        times_ms: Sequence[int],
        answers: RowAnswers,
        *,
        model: ModelRef,
        now_ms: int,
    ) -> list[OutRecord]:
        """Return one answer per request.

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
        stamps = [time_text(record.timestamp) for record in records]
        fields: list[Iterable[bytes | int]] = [map(orjson.dumps, ids), *_answer_fields(answers)]
        fields += [[record.partition for record in records], [record.offset for record in records], stamps]
        template, headers_of = self._template(answers, model, now_ms), self._prediction_headers.write
        return [
            OutRecord(record.partition, record.key, template % row, headers_of(record, time_ms))
            for record, time_ms, row in zip(records, times_ms, zip(*fields, strict=True), strict=True)
        ]

    def _template(self, answers: RowAnswers, model: ModelRef, now_ms: int) -> bytes:
        """Return an answer with a place for each of its fields: all that the answers of a batch share."""
        parts = [b'{"id":%b,"model":', _literal(orjson.dumps(model.model_dump())), b',"prediction":%b']
        if answers.probabilities is not None and answers.classes is not None:
            names = [_literal(orjson.dumps(str(label))) + b":%b" for label in answers.classes]
            parts += [b',"probabilities":{', b",".join(names), b"}"]
        if answers.features is not None:
            parts.append(b',"features":%b')
        parts += [b',"request":{"topic":', _literal(self._topic_json)]
        parts.append(b',"partition":%d,"offset":%d,"timestamp":"%b"}')
        parts += [b',"predicted_at":"', time_text(now_ms), b'"}']
        return b"".join(parts)

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
            + self._request(record)
            + b',"predicted_at":"'
            + time_text(now_ms)
            + b'"}'
        )
        write, key = self._rejection_headers.write, record.key
        answer = OutRecord(record.partition, key, value, write(record, time_ms))
        if answer_bytes(answer) > self.max_bytes:
            answer = answer._replace(headers=write(record, time_ms, with_trace=False))
        return answer if answer_bytes(answer) <= self.max_bytes else answer._replace(key=None)

    def _request(self, record: Record) -> bytes:
        return b',"request":{"topic":%b,"partition":%d,"offset":%d,"timestamp":"%b"}' % (
            self._topic_json,
            record.partition,
            record.offset,
            time_text(record.timestamp),
        )


def _answer_fields(answers: RowAnswers) -> Iterator[Iterable[bytes]]:
    """Yield the fields that the model's answers fill in a template, (n,) each."""
    # Labels repeat: each is written once.
    written: dict[tuple[type, Label], bytes] = {}
    labels = []
    for label in answers.labels:
        key = (type(label), label)
        if key not in written:
            written[key] = orjson.dumps(label)
        labels.append(written[key])
    yield labels
    if answers.probabilities is not None and answers.classes is not None:
        width = len(answers.classes)
        numbers = np.ascontiguousarray(answers.probabilities, dtype=np.float64).ravel()
        texts = orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
        for at in range(width):
            yield texts[at::width]
    if answers.features is not None:
        yield answers.features


def answer_bytes(answer: OutRecord) -> int:
    """Return the most that an answer takes on its topic, in bytes: in a batch of its own."""
    _, key, value, headers = answer
    return _ALONE_BYTES + len(value) + len(headers.data) + (0 if key is None else len(key))  # type: ignore[arg-type, attr-defined]


def _literal(text: bytes) -> bytes:
    """Return `text` as it must stand in a template."""
    return text.replace(b"%", b"%%")
