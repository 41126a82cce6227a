"""The losses by which a deployment decides: one number in [0, 1] per row, 0 for a perfect answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streamapp.errors import ConfigError
from streamapp.messages import Label
from streamapp.models.column import Array
from streamapp.models.predictions import Predictions

__all__ = [
    "LOSSES",
    "absolute",
    "brier",
    "check_loss",
    "loss_scale",
    "losses",
    "scale_of_errors",
    "zero_one",
]

Floats = npt.NDArray[np.float64]

LOSSES: dict[str, str] = {"zero-one": "classification", "brier": "classification", "absolute": "regression"}
"""Loss to the task that it judges. The first of a task is its default."""


def zero_one(y: Array, values: Array) -> Floats:
    """Return 0 where the predicted class is the label, else 1.

    Parameters
    ----------
    y
        Labels (n,).
    values
        Predicted classes (n,). The label 1 is the class 1.0 and the class True; it is not the class "1".

    Examples
    --------
    >>> zero_one(np.array(["busy", "calm"]), np.array(["busy", "busy"]))
    array([0., 1.])
    """
    return np.asarray(_objects(y) != _objects(values), dtype=np.float64)


def brier(y: Array, probabilities: Array, classes: Sequence[Label]) -> Floats:
    """Return half the squared distance between the probabilities and the label's own, 1 for its class.

    A label that is no class of the model has no probability: its loss is half of 1 plus the squared
    probabilities, the highest that such an answer can have.

    Parameters
    ----------
    y
        Labels (n,).
    probabilities
        (n, k) in the order of `classes`.
    classes
        k classes.

    References
    ----------
    .. [1] Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather
       Review 78, 1950.

    Examples
    --------
    >>> brier(np.array(["calm", "busy"]), np.array([[0.8, 0.2], [0.8, 0.2]]), ["busy", "calm"]).round(4)
    array([0.64, 0.04])
    """
    p = np.asarray(probabilities, dtype=np.float64)
    position = {label: i for i, label in enumerate(classes)}
    index = np.array([position.get(label, -1) for label in _objects(y).tolist()], dtype=np.intp)
    own = np.where(index >= 0, p[np.arange(len(p)), index], 0.0)
    # |p - e|² = Σ p² - 2 p_own + 1
    squared: Floats = (np.einsum("ij,ij->i", p, p) - 2.0 * own + 1.0) / 2.0
    return np.clip(squared, 0.0, 1.0)


def absolute(y: Array, values: Array, scale: float) -> Floats:
    """Return min(abs(error) / scale, 1).

    Parameters
    ----------
    y
        Labels (n,), numbers.
    values
        Predictions (n,).
    scale
        The error that counts as 1, in units of the target, > 0: see :func:`loss_scale`.

    Examples
    --------
    >>> absolute(np.array([1.0, 5.0, 9.0]), np.array([1.0, 4.0, 0.0]), scale=4.0)
    array([0.  , 0.25, 1.  ])
    """
    return np.minimum(np.abs(_floats(y) - _floats(values)) / scale, 1.0)


def loss_scale(y: Array, values: Array) -> float:
    """Return the scale of the absolute loss: the 99th percentile of abs(error), or 1 if that is 0.

    Examples
    --------
    >>> loss_scale(np.zeros(101), np.arange(101.0))
    99.0
    """
    return scale_of_errors(np.abs(_floats(y) - _floats(values)))


def scale_of_errors(errors: Floats) -> float:
    """Return :func:`loss_scale` of abs(error), (n,), n ≥ 1."""
    return float(np.quantile(errors, 0.99)) or 1.0


def losses(name: str, predictions: Predictions, y: Array, scale: float | None = None) -> Floats:
    """Return the loss `name` of each prediction, (n,) in [0, 1].

    Raises
    ------
    ConfigError
        If there is no such loss, if predictions lack the probabilities that it needs, or without `scale`.
    """
    match name:
        case "zero-one":
            return zero_one(y, predictions.values)
        case "brier":
            if predictions.probabilities is None or predictions.classes is None:
                raise ConfigError(
                    "the loss brier needs probabilities, and this model gives none: use zero-one"
                )
            return brier(y, predictions.probabilities, predictions.classes)
        case "absolute":
            if scale is None or not scale > 0:
                raise ConfigError(f"the loss absolute needs a scale above 0, not {scale}")
            return absolute(y, predictions.values, scale)
    raise ConfigError(f"no loss is named {name!r}; there are {', '.join(LOSSES)}")


def check_loss(name: str | None, task: str) -> str:
    """Return `name`, or the default of `task` if it is None; raise ConfigError if it judges another task."""
    fitting = [loss for loss, judged in LOSSES.items() if judged == task]
    if name is None:
        return fitting[0]
    if name not in fitting:
        raise ConfigError(f"loss {name!r} does not fit a {task}; choose {' or '.join(fitting)}")
    return name


def _objects(values: Array) -> Array:
    return np.array(np.asarray(values).tolist(), dtype=object) if len(values) else np.empty(0, dtype=object)


def _floats(values: Array) -> Floats:
    return np.asarray(values, dtype=np.float64)
