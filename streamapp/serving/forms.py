"""What answers look like in each dialect: a template that a batch shares, and what fills its places.

The types in ``messages`` say what an answer is; tests hold these bytes to them. The types themselves would
cost ten times as much per answer.

All begin with the id, so that JOIN finds it without parsing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import orjson

from streamapp.messages import Label, ModelRef
from streamapp.serving.answer_headers import literal, time_text
from streamapp.serving.dialects import Asked

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Form", "RowAnswers", "Shared", "form_of", "request_json"]

_DATATYPES = {frozenset({bool}): b"BOOL", frozenset({int}): b"INT64", frozenset({str}): b"BYTES"}


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

    def take(self, at: Sequence[int]) -> RowAnswers:
        """Return what was said to the rows at these places."""
        return RowAnswers(
            [self.labels[i] for i in at],
            None if self.probabilities is None else self.probabilities[at],
            self.classes,
            None if self.features is None else [self.features[i] for i in at],
        )


class Shared(NamedTuple):
    """What all answers of a batch say."""

    topic: str
    """Full name of the topic of requests."""
    model: ModelRef
    now_ms: int


class Form(NamedTuple):
    """A template, and what goes into it per answer: between the id, and partition, offset and time."""

    template: bytes
    fields: list[Iterable[bytes | int]]


def form_of(asked: Asked | None, answers: RowAnswers, rows: Sequence[int] | None, shared: Shared) -> Form:
    """Return the form of answers.

    Parameters
    ----------
    asked
        How; None: native, one row each.
    answers
        To the rows of all of them.
    rows
        How many rows each of them has, one after another; None: one.
    shared
        What all of them say.
    """
    if asked is None:
        return _native(answers, shared)
    joined = _Joined(rows)
    return _v2(asked, answers, joined, shared) if asked.dialect == "v2" else _v1(answers, joined, shared)


class _Joined:
    """Puts the texts of the rows of each answer together."""

    def __init__(self, rows: Sequence[int] | None) -> None:
        self.rows = rows
        self._ends = None if rows is None or set(rows) == {1} else np.cumsum(rows).tolist()

    def __call__(self, texts: Sequence[bytes]) -> Sequence[bytes]:
        if self._ends is None:
            return texts
        return [
            b",".join(texts[begin:end]) for begin, end in zip([0, *self._ends[:-1]], self._ends, strict=True)
        ]


def _native(answers: RowAnswers, shared: Shared) -> Form:
    parts = [b'{"id":%b,"model":', _literal(shared.model.model_dump()), b',"prediction":%b']
    fields: list[Iterable[bytes | int]] = [_labels_json(answers.labels)]
    if answers.probabilities is not None and answers.classes is not None:
        parts.append(b',"probabilities":' + _named(answers.classes))
        width, texts = len(answers.classes), _numbers_json(answers.probabilities)
        fields += [texts[at::width] for at in range(width)]
    if answers.features is not None:
        parts.append(b',"features":%b')
        fields.append(answers.features)
    return Form(b"".join([*parts, request_json(shared.topic, shared.now_ms)]), fields)


def _v1(answers: RowAnswers, joined: _Joined, shared: Shared) -> Form:
    parts = [b'{"id":%b,"predictions":[%b]']
    fields: list[Iterable[bytes | int]] = [joined(_labels_json(answers.labels))]
    if answers.probabilities is not None and answers.classes is not None:
        parts.append(b',"probabilities":[%b]')
        named, width, texts = (
            _named(answers.classes),
            len(answers.classes),
            _numbers_json(answers.probabilities),
        )
        each = [named % tuple(texts[at : at + width]) for at in range(0, len(texts), width)]
        fields.append(joined(each))
    parts += [b',"model":', _literal(shared.model.model_dump())]
    if answers.features is not None:
        parts.append(b',"features":[%b]')
        fields.append(joined(answers.features))
    return Form(b"".join([*parts, request_json(shared.topic, shared.now_ms)]), fields)


def _v2(asked: Asked, answers: RowAnswers, joined: _Joined, shared: Shared) -> Form:
    outputs, fields = [], list[Iterable[bytes | int]]()
    labels = joined(_labels_json(answers.labels))
    rows = joined.rows or [1] * len(labels)
    if "prediction" in asked.outputs:
        datatype = _datatype(answers.classes or answers.labels)
        outputs.append(b'{"name":"prediction","shape":[%%d],"datatype":"%b","data":[%%b]}' % datatype)
        fields += [rows, labels]
    parameters = []
    if answers.probabilities is not None and answers.classes is not None:
        parameters.append(b'"classes":' + _literal(list(answers.classes)))
        if "probabilities" in asked.outputs:
            outputs.append(
                b'{"name":"probabilities","shape":[%%d,%d],"datatype":"FP64","data":[%%b]}'
                % len(answers.classes)
            )
            fields += [rows, joined(_rows_json(answers.probabilities))]
    if "prediction" not in asked.outputs:  # JOIN and those who watch want to know it all the same
        parameters.append(b'"prediction":[%b]')
        fields.append(labels)
    if answers.features is not None:
        parameters.append(b'"features":[%b]')
        fields.append(joined(answers.features))
    name, version = _literal(shared.model.name), _literal(shared.model.version)
    position = b'"topic":%b,"partition":%%d,"offset":%%d,"timestamp":"%%b","predicted_at":"%b"' % (
        _literal(shared.topic), time_text(shared.now_ms),
    )  # fmt: skip
    return Form(
        b'{"id":%%b,"model_name":%b,"model_version":%b,"outputs":[%b],"parameters":{%b}}'
        % (name, version, b",".join(outputs), b",".join([*parameters, position])),
        fields,
    )


def request_json(topic: str, now_ms: int) -> bytes:
    """Return how a native answer and one of V1 end, with places for partition, offset and time."""
    return b',"request":{"topic":%b,"partition":%%d,"offset":%%d,"timestamp":"%%b"},"predicted_at":"%b"}' % (
        _literal(topic),
        time_text(now_ms),
    )


def _literal(value: object) -> bytes:
    return literal(orjson.dumps(value))


def _named(classes: tuple[Label, ...]) -> bytes:
    """Return the object of one row's probabilities, with a place for each."""
    return b"{" + b",".join([_literal(str(label)) + b":%b" for label in classes]) + b"}"


def _numbers_json(numbers: NDArray[np.float64]) -> list[bytes]:
    """Return numbers (n, k) as JSON, (n * k,)."""
    flat = np.ascontiguousarray(numbers, dtype=np.float64).ravel()
    return orjson.dumps(flat, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


def _rows_json(numbers: NDArray[np.float64]) -> list[bytes]:
    """Return numbers (n, k) as JSON, (n,): those of a row with commas between them."""
    rows = np.ascontiguousarray(numbers, dtype=np.float64)
    return orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY)[2:-2].split(b"],[")


def _datatype(labels: Sequence[Label]) -> bytes:
    types = frozenset(map(type, labels))
    return _DATATYPES.get(types, b"FP64" if types <= {int, float} else b"BYTES")


def _labels_json(labels: Sequence[Label]) -> list[bytes]:
    distinct = set(labels)
    if len(distinct) > len(labels) // 2 or len(set(map(type, labels))) > 1:  # 1 and True would be one label
        return list(map(orjson.dumps, labels))
    written = {label: orjson.dumps(label) for label in distinct}
    return [written[label] for label in labels]
