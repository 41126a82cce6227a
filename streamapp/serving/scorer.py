"""A batch of request records in, a batch of answers out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from streamapp.messages import Framing, ModelRef, OutRecord, Record, RejectionCode, dead_letter
from streamapp.profile.columns import Columns, take_rows
from streamapp.serving.answers import Answers, Counted, Counters
from streamapp.serving.columns import RowReader
from streamapp.serving.decode import Decoded, decode_batch
from streamapp.serving.dialects import Asked
from streamapp.serving.encode import AnswerWriter, RowAnswers
from streamapp.serving.faults import Fault
from streamapp.serving.predict import Outcome, Predictor, model_failed, predict_rows
from streamapp.serving.privacy import FeatureMask
from streamapp.topics import TopicNames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamapp.models.signature import Signature

__all__ = ["Model", "Scorer"]

_T = TypeVar("_T")

_NO_MODEL = "no model is deployed yet: deploy one, then send the request again"


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class Model(Predictor, Protocol):
    """What answers; a :class:`streamapp.Bundle` fits."""

    @property
    def manifest(self) -> _Named:
        """Has the model's name."""

    @property
    def signature(self) -> Signature:
        """What it takes."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """One batch on its way; `faults` grows until all of it is answered."""

    records: Sequence[Record]
    decoded: Decoded
    outcome: Outcome | None
    faults: dict[int, Fault]
    ref: ModelRef | None
    now_ms: int


class Scorer:
    """Answers the requests of one deployment.

    Parameters
    ----------
    deployment
        Its name.
    max_request_bytes
        Longest value of a request, in bytes.
    max_answer_bytes
        Most that a record may take on the topics of answers and of dead letters: ``max.message.bytes``.
    answer_features
        Whether answers repeat the input.
    secret
        Returns the key of the hashes of personal columns; called once a model has such columns.
    max_request_rows
        Most rows of a request, in the dialects that can have several.
    framing
        What may stand before the JSON of a request, and is skipped.

    Notes
    -----
    Pure: the same records, model and time give the same bytes. What it keeps between batches saves work and
    changes no answer.

    Examples
    --------
    >>> from streamapp.messages import InRecord, Rejection
    >>> request = InRecord(partition=3, offset=17, timestamp=0, key=b"k", value=b"{")
    >>> scorer = Scorer("bikes", max_request_bytes=1 << 20, max_answer_bytes=1 << 21)
    >>> answers = scorer.answer([request], None, now_ms=4)
    >>> Rejection.decode(answers.outputs[0].value).error.code, answers.dead_letters[0].value
    (<RejectionCode.NO_MODEL: 'no-model'>, b'{')
    """

    def __init__(
        self,
        deployment: str,
        *,
        max_request_bytes: int,
        max_answer_bytes: int,
        answer_features: bool = True,
        secret: Callable[[], bytes] = bytes,
        max_request_rows: int = 1_000,
        framing: Framing = "none",
    ) -> None:
        self.topic = TopicNames(deployment).requests
        self.max_request_bytes = max_request_bytes
        self.max_answer_bytes = max_answer_bytes
        self.answer_features = answer_features
        self.max_request_rows = max_request_rows
        self.framing = framing
        self._writer = AnswerWriter(deployment, topic=self.topic, max_bytes=max_answer_bytes)
        self._deployment, self._secret = deployment, secret
        self._reader: RowReader | None = None
        self._mask: FeatureMask | None = None
        self._is_private = False

    def answer(self, records: Sequence[Record], model: Model | None, now_ms: int) -> Answers:
        """Return one answer per record, whatever its bytes are and whatever the model does.

        Parameters
        ----------
        records
            Raw requests; those of one partition stand together, offsets ascending.
        model
            What answers. None: every request is rejected with ``no-model``.
        now_ms
            Wall clock; it goes into ``predicted_at`` and nowhere else.
        """
        reader = None if model is None else self._reader_of(model.signature)
        decoded = self._decoded(records, reader)
        if model is None:
            faults = dict.fromkeys(range(len(records)), Fault(RejectionCode.NO_MODEL, _NO_MODEL))
            return self._answers(_Batch(records, decoded, None, faults, None, now_ms), [])
        outcome = predict_rows(
            model, decoded.columns, len(decoded.row_records), quotes=not model.signature.withheld
        )
        unanswered = _unanswered(decoded, outcome)
        ref = ModelRef(name=model.manifest.name, version=model.version)
        batch = _Batch(records, decoded, outcome, {**decoded.faults, **unanswered}, ref, now_ms)
        return self._answers(batch, self._predictions(batch, outcome, ref))

    def reject(self, records: Sequence[Record], model: Model | None, reason: str, now_ms: int) -> Answers:
        """Return rejections of requests that the model could not be asked: `reason` says what it did.

        Parameters
        ----------
        records, model, now_ms
            As in :meth:`answer`.
        reason
            Continues "model VERSION failed: ".
        """
        decoded = self._decoded(records, None)
        ref = None if model is None else ModelRef(name=model.manifest.name, version=model.version)
        fault = model_failed("none" if model is None else model.version, f"failed: {reason}")
        faults = {index: decoded.faults.get(index, fault) for index in range(len(records))}
        return self._answers(_Batch(records, decoded, None, faults, ref, now_ms), [])

    def keep_private(self) -> None:
        """Repeat no bytes of requests until a model is here to say whether these are personal."""
        self._is_private = True

    def _decoded(self, records: Sequence[Record], reader: RowReader | None) -> Decoded:
        return decode_batch(
            records,
            reader,
            max_request_bytes=self.max_request_bytes,
            max_request_rows=self.max_request_rows,
            framing=self.framing,
        )

    def _reader_of(self, signature: Signature) -> RowReader:
        if self._reader is None or self._reader.signature is not signature:
            self._is_private = signature.is_private
            mask = FeatureMask(self._deployment, signature, self._secret) if signature.withheld else None
            self._mask, self._reader = mask, RowReader(signature)
        return self._reader

    def _features(self, decoded: Decoded, rows: NDArray[np.intp]) -> Sequence[bytes] | None:
        """Return the features of these rows as answers have them; None if they leave them out."""
        if not self.answer_features:
            return None
        features = _take(decoded.features, rows)
        return features if self._mask is None else self._mask.of(features)

    def _predictions(self, batch: _Batch, outcome: Outcome, ref: ModelRef) -> list[OutRecord]:
        """Return the answers to requests that have no fault, in order; those too large become faults."""
        decoded = batch.decoded
        said = RowAnswers(
            outcome.labels,
            outcome.probabilities,
            outcome.classes,
            self._features(decoded, outcome.rows),
        )
        indices = _take(decoded.row_records, outcome.rows)
        if decoded.asked:
            written = self._in_kind(batch, said, indices, ref)
            indices = list(written)
            answers = list(written.values())
        else:
            answers = self._write(batch, indices, said, ref)
        limit = self.max_answer_bytes
        too_large = {at for at, answer in enumerate(answers) if answer.is_larger_than(limit)}
        for at in too_large:
            batch.faults[indices[at]] = self._answer_too_large(answers[at].size_bytes)
        return [answer for at, answer in enumerate(answers) if at not in too_large] if too_large else answers

    def _in_kind(
        self, batch: _Batch, said: RowAnswers, indices: Sequence[int], ref: ModelRef
    ) -> dict[int, OutRecord]:
        """Return answers in several dialects by index, ascending; `indices` are of the rows in `said`."""
        rows = Counter(index for index in indices if index not in batch.faults)
        by_kind: dict[Asked | None, list[int]] = {}
        for index in rows:
            by_kind.setdefault(batch.decoded.asked.get(index), []).append(index)
        written: dict[int, OutRecord] = {}
        for asked, own in by_kind.items():
            mine = said
            if len(own) < len(rows) or batch.faults:
                chosen = set(own)
                mine = said.take([at for at, index in enumerate(indices) if index in chosen])
            answers = self._write(batch, own, mine, ref, asked=asked, rows=[rows[index] for index in own])
            written.update(zip(own, answers, strict=True))
        return {index: written[index] for index in rows}

    def _write(
        self,
        batch: _Batch,
        indices: Sequence[int],
        said: RowAnswers,
        ref: ModelRef,
        *,
        asked: Asked | None = None,
        rows: Sequence[int] | None = None,
    ) -> list[OutRecord]:
        return self._writer.predictions(
            _take(batch.records, indices),
            _take(batch.decoded.ids, indices),
            _take(batch.decoded.times_ms, indices),
            said,
            model=ref,
            now_ms=batch.now_ms,
            asked=asked,
            rows=rows,
        )

    def _answers(self, batch: _Batch, predictions: list[OutRecord]) -> Answers:
        decoded, faults = batch.decoded, batch.faults
        counted = _counted(batch)
        counters = Counters(
            predictions=len(predictions),
            rejections=dict(Counter(fault.code for fault in faults.values())),
            rows=len(counted.row_records),
            unknown_columns=decoded.unknown_columns,
            unknown_names=decoded.unknown_names,
            unseen=decoded.unseen,
            replaced_times=decoded.replaced_times,
        )
        if not faults:
            return Answers(predictions, [], counters, counted)
        answered = iter(predictions)
        outputs = [
            self._rejection(batch, index, faults[index]) if index in faults else next(answered)
            for index in range(len(batch.records))
        ]
        letters = [
            dead_letter(
                batch.records[index],
                topic=self.topic,
                code=faults[index].code,
                message=faults[index].message,
                max_bytes=self.max_answer_bytes,
                is_private=self._is_private,
            )
            for index in sorted(faults)
        ]
        return Answers(outputs, letters, counters, counted)

    def _rejection(self, batch: _Batch, index: int, fault: Fault) -> OutRecord:
        decoded = batch.decoded
        return self._writer.rejection(
            batch.records[index],
            decoded.ids[index],
            decoded.times_ms[index],
            fault,
            model=batch.ref,
            now_ms=batch.now_ms,
        )

    def _answer_too_large(self, size: int) -> Fault:
        return Fault(
            RejectionCode.TOO_LARGE,
            f"its answer would take {size} bytes, more than the {self.max_answer_bytes} of its topic: "
            "send less, or leave features out of answers (answer_features)",
        )


def _take(values: Sequence[_T], at: Sequence[int] | NDArray[np.intp]) -> Sequence[_T]:
    """Return the values at ascending places; nearly always these are all."""
    return values if len(at) == len(values) else [values[i] for i in at]


def _unanswered(decoded: Decoded, outcome: Outcome) -> dict[int, Fault]:
    """Return why requests have no prediction: one row that the model cannot answer is enough."""
    found: dict[int, Fault] = {}
    for row in sorted(outcome.faults):
        index = decoded.row_records[row]
        if index not in found:
            found[index] = outcome.faults[row].in_row(decoded.row_in_request(row))
    return found


def _counted(batch: _Batch) -> Counted:
    records, decoded, outcome = batch.records, batch.decoded, batch.outcome
    rejected = np.zeros(len(records), dtype=np.bool_)
    if batch.faults:
        rejected[list(batch.faults)] = True
    rows = np.array(decoded.row_records, dtype=np.intp)
    columns: Columns = {}
    outputs = None if outcome is None else outcome.outputs
    if outcome is None or outputs is None:
        rows = rows[:0]
    else:
        columns = decoded.columns
        if len(outcome.rows) < len(rows):
            rows, columns = rows[outcome.rows], take_rows(columns, outcome.rows)
        if rejected[rows].any():  # the answer was too large
            keep = np.flatnonzero(~rejected[rows])
            rows, columns, outputs = rows[keep], take_rows(columns, keep), outputs[keep]
    return Counted(
        np.fromiter([record.offset for record in records], np.int64, len(records)),
        np.array(decoded.times_ms, dtype=np.int64),
        rejected,
        np.zeros(len(records), dtype=np.bool_),
        rows,
        columns,
        outputs,
    )
