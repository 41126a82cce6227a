"""Answers as records: predictions in the form of their requests, and rejections."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from streamapp.messages import ModelRef, OutRecord, Prediction, Record, Rejection
from streamapp.serving.answer_headers import AnswerHeaders, time_text
from streamapp.serving.dialects import Asked
from streamapp.serving.faults import Fault
from streamapp.serving.forms import RowAnswers, Shared, form_of, request_json

__all__ = ["AnswerWriter", "RowAnswers"]


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
        asked: Asked | None = None,
        rows: Sequence[int] | None = None,
    ) -> list[OutRecord]:
        """Return one answer per request.

        Parameters
        ----------
        records
            The requests (n), all of which the model answered.
        ids, times_ms
            Their ids and event times (n).
        answers
            What the model said to their rows, in the same order.
        model
            Which one.
        now_ms
            Wall clock: the answers' `predicted_at`.
        asked
            In which dialect they answer, all of them; None: the native one.
        rows
            How many rows each request has, (n,); None: one.
        """
        partitions = [record.partition for record in records]
        form = form_of(asked, answers, rows, Shared(self.topic, model, now_ms))
        fields = [map(orjson.dumps, ids), *form.fields, partitions]
        fields.append([record.offset for record in records])
        fields.append([time_text(record.timestamp) for record in records])
        values = [form.template % each for each in zip(*fields, strict=True)]
        keys = [record.key for record in records]
        return list(
            map(OutRecord, partitions, keys, values, self._prediction_headers.write(records, times_ms))
        )

    def rejection(
        self, record: Record, given: str, time_ms: int, fault: Fault, *, model: ModelRef | None, now_ms: int
    ) -> OutRecord:
        """Return the answer to a request that is rejected.

        It always fits: what would be too much is left out, the trace context first, then the key.

        Parameters
        ----------
        record
            The request.
        given, time_ms
            Its id and event time.
        fault
            Why.
        model
            The champion, None while there is none.
        now_ms
            Wall clock: `predicted_at`.
        """
        error: dict[str, str | int] = {"code": fault.code, "message": fault.message}
        if fault.feature is not None:
            error["feature"] = fault.feature
        if fault.row is not None:
            error["row"] = fault.row
        value = (
            b'{"id":'
            + orjson.dumps(given)
            + (b"" if model is None else b',"model":' + orjson.dumps(model.model_dump()))
            + b',"error":'
            + orjson.dumps(error)
            + request_json(self.topic, now_ms)
            % (record.partition, record.offset, time_text(record.timestamp))
        )
        write, key = self._rejection_headers.write, record.key
        (headers,) = write([record], [time_ms])
        answer = OutRecord(record.partition, key, value, headers)
        if answer.is_larger_than(self.max_bytes):
            (headers,) = write([record], [time_ms], with_trace=False)
            answer = OutRecord(record.partition, key, value, headers)
        return answer._replace(key=None) if answer.is_larger_than(self.max_bytes) else answer
