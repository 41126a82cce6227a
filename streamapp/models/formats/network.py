"""Models that are a function from tensors to tensors, whatever runs them: ONNX, Keras, TensorFlow.

What such a model says of itself are the shapes of its tensors, seldom more: which classes its probabilities
are of comes from the labels of the reference, sorted, or from whoever packs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from streamapp.messages import Label
from streamapp.models.column import Array
from streamapp.models.formats import Predict
from streamapp.models.formats import predictor as scikit_learn
from streamapp.models.formats.tensors import Inputs

__all__ = ["TOLERANCE", "Network", "predictor"]

TOLERANCE = 1e-4
"""Networks compute in float32, with 7 digits, of which sums in another order lose some."""

_OFF = 1e-3
"""Probabilities of a row may miss the sum of 1, or 0, by this."""


class Network:
    """A network, with what is known of its inputs and outputs told as scikit-learn's estimators do.

    Parameters
    ----------
    format_name
        Of its files.
    files
        The bytes that it was loaded from.
    model
        As the library has it that runs it: a ``keras.Model``, an ``onnxruntime.InferenceSession``, or what
        ``tf.saved_model.load`` returns.
    run
        From a matrix or a frame of n rows to the answers, (n,) or (n, k).
    inputs
        How they are made; where they have names, from a frame.
    answers
        Whether numbers come, or the classes themselves.
    classes
        Of the probabilities, if it tells.
    n_probabilities
        Of how many classes they are; None if a single number comes, or it does not tell.
    """

    def __init__(
        self,
        format_name: str,
        files: Mapping[str, bytes],
        model: Any,
        run: Callable[[Any], Array],
        inputs: Inputs,
        *,
        answers: Literal["numbers", "classes"] = "numbers",
        classes: tuple[Label, ...] | None = None,
        n_probabilities: int | None = None,
    ) -> None:
        self.format_name, self.files, self.model, self.run = format_name, files, model, run
        self.answers, self.n_probabilities = answers, n_probabilities
        # As with scikit-learn, what is not known is no attribute.
        width = inputs.width
        if inputs.names is not None:
            self.feature_names_in_ = np.array(inputs.names, dtype=object)
            width = len(inputs.names)
        if width is not None:
            self.n_features_in_ = width
        if classes is not None:
            self.classes_ = np.array(classes, dtype=object)

    @property
    def is_classifier(self) -> bool | None:
        """Whether it is one; None if it answers a single number, which may be a probability."""
        told = self.answers == "classes" or self.n_probabilities is not None or hasattr(self, "classes_")
        return True if told else None


def predictor(network: Network, classes: tuple[Label, ...] | None) -> Predict:
    """Return the function from a matrix or a frame of n rows to n answers.

    A single number is the probability of the second of two classes.

    Raises
    ------
    PredictionError
        From the returned function: as of :func:`streamapp.models.formats.predictor.predictor`, and if numbers
        that must be probabilities are outside 0 to 1 or do not sum to 1.
    """
    if classes is None or network.answers == "classes":
        return scikit_learn.predictor(_Values(network.run), classes)
    return scikit_learn.predictor(_Probabilities(network.run, classes), classes)


class _Values(NamedTuple):
    predict: Callable[[Any], Array]


class _Probabilities(NamedTuple):
    run: Callable[[Any], Array]
    classes: tuple[Label, ...]

    def predict_proba(self, X: Any) -> Array:
        p = np.asarray(self.run(X), dtype=np.float64)
        if len(self.classes) == 2 and p.shape in {(len(X),), (len(X), 1)}:
            p = p.reshape(-1, 1)
            p = np.hstack([1 - p, p])
        wrong = (p < -_OFF).any(axis=-1) | (abs(p.sum(axis=-1) - 1) > _OFF)
        if wrong.any():
            row = p[int(np.argmax(wrong))]
            raise ValueError(
                f"it answers {', '.join(f'{value:.4g}' for value in row[:5])}, and these are no "
                "probabilities: end the network with a softmax or a sigmoid"
            )
        return np.clip(p, 0.0, 1.0)
