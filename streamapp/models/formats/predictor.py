"""Estimators with scikit-learn's interface: one call per batch, its outcome checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from streamapp.errors import PredictionError
from streamapp.messages import Label
from streamapp.models.column import Array
from streamapp.models.formats import Predict, format_of
from streamapp.models.predictions import Predictions

__all__ = ["adopt", "predictor"]


def adopt(estimator: Any) -> Any:
    """Return `estimator`; raise TypeError if it has no ``predict``, or is of a format of its own."""
    own = "river" if callable(getattr(estimator, "learn_one", None)) else format_of(estimator)
    if own is not None:
        raise TypeError(f"is a model of {own}: say format={own!r}")
    if not callable(getattr(estimator, "predict", None)):
        raise TypeError("has no predict method: pack a model")
    return estimator


def predictor(estimator: Any, classes: tuple[Label, ...] | None) -> Predict:
    """Return the function from input, n rows, to n answers.

    A classifier with ``predict_proba`` is asked for nothing else: its answer is the most probable class, the
    first of equals. Other classifiers and regressors are asked to ``predict``.

    Parameters
    ----------
    estimator
        Fitted.
    classes
        In the order of its probabilities; None for a regressor.

    Raises
    ------
    PredictionError
        From the returned function: if the estimator raises, or answers with another number of rows or
        classes, with NaN or infinity, or with a class that it does not have.
    """
    if classes is None:
        return _regress(estimator.predict)
    if hasattr(estimator, "predict_proba"):
        return _classify_by_probabilities(estimator.predict_proba, classes)
    return _classify(estimator.predict, classes)


def _regress(predict: Callable[[Any], Any]) -> Predict:
    def answer(X: Any) -> Predictions:
        raw = _ask(predict, X)
        values = _as_numbers(raw, "predict")
        if values.shape == (len(X), 1):
            values = values[:, 0]
        if values.shape != (len(X),):
            raise PredictionError(
                f"predict returned {_shape(raw)} for {len(X)} rows; one number per row must come back"
            )
        _require_finite(values, "predict")
        return Predictions(values)

    return answer


def _classify_by_probabilities(predict_proba: Callable[[Any], Any], classes: tuple[Label, ...]) -> Predict:
    labels = np.array(classes, dtype=object)

    def answer(X: Any) -> Predictions:
        raw = _ask(predict_proba, X)
        probabilities = _as_numbers(raw, "predict_proba")
        if probabilities.shape != (len(X), len(classes)):
            raise PredictionError(
                f"predict_proba returned {_shape(raw)} for {len(X)} rows and {len(classes)} classes; "
                f"({len(X)}, {len(classes)}) must come back"
            )
        _require_finite(probabilities, "predict_proba")
        return Predictions(labels[probabilities.argmax(axis=1)], probabilities, classes)

    return answer


def _classify(predict: Callable[[Any], Any], classes: tuple[Label, ...]) -> Predict:
    known = {label: label for label in classes}

    def answer(X: Any) -> Predictions:
        raw = np.asarray(_ask(predict, X))
        if raw.shape != (len(X),):
            raise PredictionError(
                f"predict returned {_shape(raw)} for {len(X)} rows; one class per row must come back"
            )
        values = np.empty(len(X), dtype=object)
        try:
            values[:] = [known[label] for label in raw.tolist()]
        except (KeyError, TypeError):
            strange = next(label for label in raw.tolist() if label not in known)
            raise PredictionError(
                f"predict returned {strange!r}, which is none of {list(classes)[:10]}"
            ) from None
        return Predictions(values, None, classes)

    return answer


def _ask(method: Callable[[Any], Any], X: Any) -> Any:
    try:
        return method(X)
    except Exception as exc:  # an estimator may raise anything
        text = str(exc).strip().split("\n")[0]
        raise PredictionError(f"the model failed: {type(exc).__name__}: {text}") from exc


def _as_numbers(raw: Any, method: str) -> Array:
    try:
        return np.asarray(raw, dtype=np.float64)
    except (TypeError, ValueError) as exc:
        raise PredictionError(f"{method} returned {_shape(raw)} that are no numbers: {exc}") from exc


def _require_finite(values: Array, method: str) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        where = np.argwhere(~finite)[0]
        raise PredictionError(f"{method} returned {values[tuple(where)]} for row {where[0]} of {len(values)}")


def _shape(raw: Any) -> str:
    shape = getattr(raw, "shape", None)
    return f"{type(raw).__name__} of shape {shape}" if shape is not None else f"a {type(raw).__name__}"
