"""From scikit-learn's estimators to ONNX, and how far the answers are from each other then."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamapp.errors import BundleError, in_one_line
from streamapp.messages import Label
from streamapp.models.column import Columns
from streamapp.models.formats import load_format, needs
from streamapp.models.formats.network import Network
from streamapp.models.labels import read_labels
from streamapp.models.predictions import Predictions
from streamapp.models.signature import Signature

__all__ = ["Converted", "to_onnx"]

_NEAR = 1e-3
"""Answers that are farther from the model's own are not rounded to float32 but wrong: of probabilities, and
of numbers in units of their range."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A model as ONNX.

    Attributes
    ----------
    network
        For ``Bundle.create(..., format="onnx")``.
    classes
        To hand in with it: as the original has them. None for regressors.
    difference
        The largest from the original's answers: of probabilities, or of numbers in units of their range; for
        classes alone the share of rows with another.
    rows
        On which the two were compared.
    others
        How many of these are answered with another class.
    """

    network: Network
    classes: tuple[Label, ...] | None
    difference: float
    rows: int
    others: int


def to_onnx(model: Any, X: Any, y: Any) -> Converted:
    """Convert a fitted scikit-learn estimator, and compare its answers on `X` with those of what came out.

    Numbers become float32. The conversion is refused where rounding cannot explain another answer.

    Parameters
    ----------
    model
        Fitted estimator.
    X
        Reference rows: DataFrame, dict of arrays or array (n, k).
    y
        Labels (n,).

    Raises
    ------
    BundleError
        If skl2onnx cannot convert it, is not installed, or the answers differ.
    """
    with needs("onnx"):
        import skl2onnx  # noqa: F401, PLC0415

    signature = Signature.infer(X, read_labels(y), model)
    columns = signature.from_frame(X)
    has_probabilities = signature.classes is not None and hasattr(model, "predict_proba")
    proto = _converted(model, signature, columns)
    # Probabilities tell the class, and where there are none the second output holds scores.
    if has_probabilities:
        del proto.graph.output[0]
    else:
        del proto.graph.output[1:]
    network = load_format("onnx").adopt(proto)
    return _compared(model, network, signature, columns)


def _converted(model: Any, signature: Signature, columns: Columns) -> Any:
    """Return the graph; its columns are joined before the model where this takes none apart itself."""
    from skl2onnx import to_onnx as convert  # noqa: PLC0415

    options = None if signature.classes is None else {"zipmap": False}
    types = _types(signature)
    try:
        return convert(model, initial_types=types, options=options)
    except Exception as exc:  # converters raise anything
        if signature.input == "frame":
            with contextlib.suppress(Exception):
                return convert(_joined(model, signature, columns), initial_types=types, options=options)
        raise BundleError(
            f"{type(model).__name__} cannot be converted to ONNX: {in_one_line(exc)[:200]}; pack it as "
            "skops or joblib"
        ) from exc


def _joined(model: Any, signature: Signature, columns: Columns) -> Any:
    """Return `model` behind a step that joins its columns."""
    from sklearn.compose import ColumnTransformer  # noqa: PLC0415
    from sklearn.pipeline import Pipeline  # noqa: PLC0415

    join = ColumnTransformer([("columns", "passthrough", list(signature.names))])
    return Pipeline([("join", join.fit(signature.to_input(columns))), ("model", model)])


def _types(signature: Signature) -> list[tuple[str, Any]]:
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType  # noqa: PLC0415

    if signature.input == "matrix":
        return [("X", FloatTensorType([None, len(signature.columns)]))]
    return [
        (column.name, (StringTensorType if column.dtype == "string" else FloatTensorType)([None, 1]))
        for column in signature.columns
    ]


def _compared(model: Any, network: Network, signature: Signature, columns: Columns) -> Converted:
    classes = signature.classes
    own = load_format("joblib").predictor(model, classes)(signature.to_input(columns))
    there = signature.renewed(columns, network)
    given = load_format("onnx").predictor(network, classes)(there.to_input(columns))
    others = 0 if classes is None else int((own.values != given.values).sum())
    difference, worst = _difference(own, given, others)
    if difference > _NEAR:
        raise BundleError(
            f"the ONNX model answers row {worst} of the reference otherwise than the "
            f"{type(model).__name__} (by {difference:.2g}, and {_NEAR:g} is what rounding to float32 may "
            f"explain; {others} of {len(own)} rows have another class): pack it as skops or joblib"
        )
    return Converted(network, classes, difference, len(own), others)


def _difference(own: Predictions, given: Predictions, others: int) -> tuple[float, int]:
    """Return the largest difference, and the row that has it."""
    if own.probabilities is not None and given.probabilities is not None:
        apart = np.abs(own.probabilities - given.probabilities).max(axis=1)
    elif own.classes is None:
        apart = np.abs(own.values - given.values) / (np.ptp(own.values) or 1.0)
    else:
        return others / len(own), int(np.argmax(own.values != given.values))
    return float(apart.max()), int(apart.argmax())
