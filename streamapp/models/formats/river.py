"""river: models that learn from one row at a time, pickled. Loading one can run code."""

from __future__ import annotations

import pickle
from typing import Any, NamedTuple

import numpy as np
from river import base, compose

from streamapp.messages import Label
from streamapp.models.column import Array
from streamapp.models.formats import Predict
from streamapp.models.formats import predictor as scikit_learn
from streamapp.models.formats.pickle import load, runs_code

__all__ = [
    "FILE",
    "LIBRARIES",
    "TOLERANCE",
    "adopt",
    "dump",
    "is_classifier",
    "load",
    "predictor",
    "runs_code",
]

FILE = "model.pkl"

LIBRARIES = ("river",)

TOLERANCE = 1e-9


def adopt(model: Any) -> Any:
    """Return `model`; raise TypeError if it does not learn row by row."""
    if not callable(getattr(model, "learn_one", None)):
        raise TypeError("is not a model of river: say format='joblib'")
    return model


def dump(model: Any) -> dict[str, bytes]:
    """Return the file that holds `model`.

    Unlike the format pickle, two that are equal may differ in bytes: what writes them equally takes twenty
    seconds for a forest of 20 MB, of which a champion that learns is published every few minutes.
    """
    return {FILE: pickle.dumps(model, protocol=5)}


def is_classifier(model: Any) -> bool:
    """Return whether `model`, or what a pipeline ends with, is a classifier of river.

    Examples
    --------
    >>> from river import linear_model, preprocessing
    >>> is_classifier(preprocessing.StandardScaler() | linear_model.LogisticRegression())
    True
    >>> is_classifier(preprocessing.StandardScaler() | linear_model.LinearRegression())
    False
    """
    return isinstance(_last(model), base.Classifier)


def predictor(model: Any, classes: tuple[Label, ...] | None) -> Predict:
    """Return the function from n dicts, without what is missing, to n answers.

    Rows are asked for one by one: few models of river have a faster way, and none that answers equally.
    Probabilities are scaled to the sum of 1; where a model has none for any class, all are equal.

    Parameters
    ----------
    model
        That has learned already.
    classes
        All that it may know, in the order of the probabilities; None for a regressor.

    Raises
    ------
    PredictionError
        From the returned function: if the model raises, has learned nothing yet, or answers with NaN, with
        infinity, or with a class that is none of `classes`.
    """
    if classes is None or not _has_probabilities(model):
        return scikit_learn.predictor(_Answers(model), classes)
    return scikit_learn.predictor(_Probabilities(model, classes), classes)


class _Answers(NamedTuple):
    model: Any

    def predict(self, rows: Any) -> list[Any]:
        return [_learned(self.model.predict_one(row)) for row in rows]


class _Probabilities(NamedTuple):
    model: Any
    classes: tuple[Label, ...]

    def predict_proba(self, rows: Any) -> Array:
        places = {label: i for i, label in enumerate(self.classes)}
        p = np.zeros((len(rows), len(self.classes)))
        for i, row in enumerate(rows):
            for label, value in _learned(self.model.predict_proba_one(row)).items():
                if label in places:
                    p[i, places[label]] = value
                elif value:
                    raise ValueError(f"class {label!r} is none of {list(self.classes)[:10]}")
        total = p.sum(axis=1, keepdims=True)
        p[total[:, 0] == 0] = 1.0
        return np.asarray(p / p.sum(axis=1, keepdims=True))


def _learned(answer: Any) -> Any:
    if answer is None or (isinstance(answer, dict) and not answer):
        raise ValueError("it has learned nothing yet: let it learn some rows before it is packed")
    return answer


def _last(model: Any) -> Any:
    while isinstance(model, compose.Pipeline):
        model = list(model.steps.values())[-1]
    return model


def _has_probabilities(model: Any) -> bool:
    # The base class has a method that only raises.
    return type(_last(model)).predict_proba_one is not base.Classifier.predict_proba_one
