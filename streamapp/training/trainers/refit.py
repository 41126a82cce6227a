"""The champion's estimator, cloned and fitted anew: the same parameters, other rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamapp.errors import TrainingError, in_one_line
from streamapp.models import Bundle, Columns
from streamapp.models.column import Array
from streamapp.quality.labelled_rows import Ints
from streamapp.training.rows import fitted_signature

__all__ = ["Refit", "make"]


class Refit:
    """Fits a clone of the champion's estimator, as scikit-learn clones: pipelines and their like as a whole.

    Nothing that was fitted is kept: a warm start begins cold. What is frozen in it (scikit-learn's
    ``FrozenEstimator``) stays as it is.
    """

    name = "refit"

    def fit(self, champion: Bundle, columns: Columns, labels: Array, times_ms: Ints, /) -> Any:
        """Return the clone, fitted; parameters and errors as of :class:`streamapp.training.Trainer`."""
        from sklearn.base import clone  # noqa: PLC0415

        kind = type(champion.estimator).__name__
        try:
            estimator = clone(champion.estimator)
        except Exception as exc:  # estimators of others may raise anything
            raise TrainingError(
                f"the champion's {kind} cannot be cloned, so no other can be fitted like it: "
                f"{in_one_line(exc)}; it must follow scikit-learn's conventions (get_params, constructor)"
            ) from exc
        X = fitted_signature(champion.signature, columns).to_input(columns)
        # A plain array: of objects scikit-learn would not know whether they are numbers or names.
        y = np.array(labels.tolist()) if labels.dtype == object else labels
        try:
            return estimator.fit(X, y)
        except Exception as exc:
            raise TrainingError(f"{kind} could not be fitted on {len(y):,} rows: {in_one_line(exc)}") from exc


def make(choice: str) -> Refit:
    """Return the trainer."""
    return Refit()
