"""One model call per batch; where that fails, smaller calls until the rows at fault stand alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from streamapp.errors import PredictionError
from streamapp.messages import Label, RejectionCode
from streamapp.models.column import Array, as_label
from streamapp.models.predictions import Predictions
from streamapp.profile.columns import Columns, take_rows
from streamapp.serving.faults import Fault

__all__ = ["Outcome", "Predictor", "model_failed", "predict_rows"]

_TEXT = 200
_PLAIN = frozenset({str, float, int, bool})


class Predictor(Protocol):
    """What is asked of a model; a :class:`streamapp.Bundle` fits."""

    @property
    def version(self) -> str:
        """Version, for messages."""

    def predict_columns(self, columns: Columns) -> Predictions:
        """Answer rows."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a model said to some rows.

    Attributes
    ----------
    rows
        Indices of the rows that it answered, (m,), ascending.
    labels
        Python labels or numbers, (m,).
    probabilities
        (m, k) in the order of `classes`; None for a model without.
    classes
        None for regressors, or if no row was answered.
    outputs
        What summaries count: the probabilities, else the values (m,); None without rows.
    faults
        Row to why it was not answered.
    """

    rows: NDArray[np.intp]
    labels: list[Label]
    probabilities: Array | None
    classes: tuple[Label, ...] | None
    outputs: Array | None
    faults: dict[int, Fault]


def predict_rows(model: Predictor, columns: Columns, count: int, *, quotes: bool = True) -> Outcome:
    """Return what `model` says to `count` rows; nothing that it does makes this raise.

    What a model raises may quote the values it was given: where some are personal, `quotes` is to be False,
    and a fault names the type of the error alone.

    A call that raises, or answers with another number of rows or what is no answer, is made again with each
    half of its rows, and so on: a row that fails alone is at fault. One row at fault among n costs about
    2 log2(n) calls, n of them at most 2 n.
    """
    pieces: list[tuple[NDArray[np.intp], Predictions]] = []
    faults: dict[int, Fault] = {}
    todo = [np.arange(count)] if count else []
    while todo:
        rows = todo.pop()
        try:
            said = model.predict_columns(columns if len(rows) == count else take_rows(columns, rows))
            usable = _usable(said, len(rows))
            if pieces and _form(said) != _form(pieces[0][1]):
                raise PredictionError("answered in another form than the rows before")  # noqa: TRY301
        except Exception as error:  # a model can raise anything
            _retry(rows, todo, faults, model, _reason(error, quotes=quotes))
            continue
        if usable.all():
            pieces.append((rows, said))
            continue
        if usable.any():
            pieces.append((rows[usable], _part(said, usable)))
            todo.append(rows[~usable])
        else:
            _retry(rows, todo, faults, model, "answered what is no finite number and no label")
    return _joined(pieces, faults)


def _retry(
    rows: NDArray[np.intp],
    todo: list[NDArray[np.intp]],
    faults: dict[int, Fault],
    model: Predictor,
    reason: str,
) -> None:
    if len(rows) > 1:
        todo += np.array_split(rows, 2)
        return
    faults[int(rows[0])] = model_failed(model.version, reason)


def model_failed(version: str, reason: str) -> Fault:
    """Return why a request has no prediction; `reason` says what the model did."""
    return Fault(
        RejectionCode.MODEL_FAILED,
        f"model {version} {reason}: send the request again when a model serves that can answer it",
    )


def _reason(error: Exception, *, quotes: bool) -> str:
    if not quotes:
        kind = type(error.__cause__ or error).__name__
        return f"failed with {kind}, whose words are not shown, as they may be personal"
    text = str(error).encode(errors="replace").decode()
    if isinstance(error, PredictionError):
        return f"failed: {text.removeprefix('the model failed: ')[:_TEXT]}"
    return f"raised {type(error).__name__}: {text[:_TEXT]}"


def _part(said: Predictions, usable: NDArray[np.bool_]) -> Predictions:
    probabilities = None if said.probabilities is None else said.probabilities[usable]
    return Predictions(said.values[usable], probabilities, said.classes)


def _usable(said: Predictions, count: int) -> NDArray[np.bool_]:
    """Return which of the answers are answers, (count,), or raise if there are not as many as rows."""
    values = said.values
    if values.shape != (count,):
        raise PredictionError(f"answers of shape {values.shape} to {count} rows")
    if values.dtype.kind == "f":
        usable = np.isfinite(values)
    elif values.dtype.kind in "biuU" or _are_classes(values.tolist(), said.classes):
        usable = np.ones(count, dtype=np.bool_)
    else:
        usable = np.fromiter(map(_is_label, values.tolist()), np.bool_, count)
    if said.probabilities is not None:
        shape = (count, len(said.classes or ()))
        if said.probabilities.shape != shape:
            raise PredictionError(
                f"probabilities of shape {said.probabilities.shape} where {shape} is expected"
            )
        usable &= np.isfinite(said.probabilities).all(axis=1)
    return usable


def _are_classes(values: list[object], classes: tuple[Label, ...] | None) -> bool:
    """Return whether all are among a classifier's classes, as nearly always: those can be written."""
    return (
        classes is not None
        and set(map(type, classes)).issuperset(map(type, values))
        and set(classes).issuperset(values)
    )


def _form(said: Predictions) -> tuple[object, ...]:
    """Return what the answers to parts of a batch must share to be joined."""
    return said.values.dtype.kind, said.classes, said.probabilities is None


def _is_label(value: object) -> bool:
    try:
        label = as_label(value)
        orjson.dumps(label)
    except TypeError:  # no label; or an integer beyond 64 bits or half a surrogate pair: no JSON can hold it
        return False
    return not isinstance(label, float) or bool(np.isfinite(label))


def _joined(pieces: Sequence[tuple[NDArray[np.intp], Predictions]], faults: dict[int, Fault]) -> Outcome:
    if not pieces:
        return Outcome(np.zeros(0, np.intp), [], None, None, None, faults)
    rows, first = pieces[0]
    values, probabilities = first.values, first.probabilities
    if len(pieces) > 1:
        order = np.argsort(np.concatenate([rows for rows, _ in pieces]))
        rows = np.concatenate([rows for rows, _ in pieces])[order]
        values = np.concatenate([said.values for _, said in pieces])[order]
        parts = [said.probabilities for _, said in pieces if said.probabilities is not None]
        probabilities = np.concatenate(parts)[order] if parts else None
    if values.dtype.kind == "f":  # of any width: no JSON is written of the widest
        values = values.astype(np.float64, copy=False)
    labels = values.tolist()
    if values.dtype.kind == "O" and not _PLAIN.issuperset(map(type, labels)):
        labels = list(map(as_label, labels))
    outputs = values if probabilities is None else probabilities
    return Outcome(rows, labels, probabilities, first.classes, outputs, faults)
