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
from streamapp.serving.answer_headers import AnswerHeaders, literal, time_text
from streamapp.serving.faults import Fault

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AnswerWriter", "RowAnswers"]


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
        self._request = b',"request":{"topic":%b,"partition":%%d,"offset":%%d,"timestamp":"%%b"}' % (
            literal(orjson.dumps(topic))
        )
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
        partitions = [record.partition for record in records]
        fields: list[Iterable[bytes | int]] = [map(orjson.dumps, ids), *_answer_fields(answers), partitions]
        fields.append([record.offset for record in records])
        fields.append([time_text(record.timestamp) for record in records])
        template = self._template(answers, model, now_ms)
        values = [template % row for row in zip(*fields, strict=True)]
        keys = [record.key for record in records]
        return list(
            map(OutRecord, partitions, keys, values, self._prediction_headers.write(records, times_ms))
        )

    def _template(self, answers: RowAnswers, model: ModelRef, now_ms: int) -> bytes:
        """Return an answer with a place for each of its fields: all that the answers of a batch share."""
        parts = [b'{"id":%b,"model":', literal(orjson.dumps(model.model_dump())), b',"prediction":%b']
        if answers.probabilities is not None and answers.classes is not None:
            names = [literal(orjson.dumps(str(label))) + b":%b" for label in answers.classes]
            parts += [b',"probabilities":{', b",".join(names), b"}"]
        if answers.features is not None:
            parts.append(b',"features":%b')
        parts += [self._request, b',"predicted_at":"', time_text(now_ms), b'"}']
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
            + self._request % (record.partition, record.offset, time_text(record.timestamp))
            + b',"predicted_at":"'
            + time_text(now_ms)
            + b'"}'
        )
        write, key = self._rejection_headers.write, record.key
        (headers,) = write([record], [time_ms])
        answer = OutRecord(record.partition, key, value, headers)
        if answer.is_larger_than(self.max_bytes):
            (headers,) = write([record], [time_ms], with_trace=False)
            answer = OutRecord(record.partition, key, value, headers)
        return answer._replace(key=None) if answer.is_larger_than(self.max_bytes) else answer


def _answer_fields(answers: RowAnswers) -> Iterator[Iterable[bytes]]:
    """Yield the fields that the model's answers fill in a template, (n,) each."""
    yield _labels_json(answers.labels)
    if answers.probabilities is not None and answers.classes is not None:
        width = len(answers.classes)
        numbers = np.ascontiguousarray(answers.probabilities, dtype=np.float64).ravel()
        texts = orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
        for at in range(width):
            yield texts[at::width]
    if answers.features is not None:
        yield answers.features


def _labels_json(labels: Sequence[Label]) -> list[bytes]:
    distinct = set(labels)
    if len(distinct) > len(labels) // 2 or len(set(map(type, labels))) > 1:  # 1 and True would be one label
        return list(map(orjson.dumps, labels))
    written = {label: orjson.dumps(label) for label in distinct}
    return [written[label] for label in labels]
