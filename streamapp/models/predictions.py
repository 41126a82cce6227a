"""What a model answers."""

from __future__ import annotations

from dataclasses import dataclass

from streamapp.messages import Label
from streamapp.models.column import Array

__all__ = ["Predictions"]


@dataclass(frozen=True, slots=True)
class Predictions:
    """The answers to n rows.

    Attributes
    ----------
    values
        (n,): for classifiers an object array of Python labels, the most probable class where there are
        probabilities (the first of equals); for regressors float64.
    probabilities
        (n, k) float64 in the order of `classes`; None for regressors and classifiers without them.
    classes
        None for regressors.
    """

    values: Array
    probabilities: Array | None = None
    classes: tuple[Label, ...] | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def outputs(self) -> Array:
        """What a profile looks at: the probabilities (n, k) where there are any, else the values (n,)."""
        return self.values if self.probabilities is None else self.probabilities
