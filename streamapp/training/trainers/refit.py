"""The champion's estimator, cloned and fitted anew: the same parameters, other rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamapp.errors import TrainingError, in_one_line
from streamapp.models import Bundle, Columns
from streamapp.models.column import Array
from streamapp.models.formats.network import Network
from streamapp.quality.labelled_rows import Ints
from streamapp.training.rows import fitted_signature

__all__ = ["Refit", "make"]

_SEEDS = 2**31 - 1


class Refit:
    """Fits a clone of the champion's estimator, as scikit-learn clones: pipelines and their like as a whole.

    Nothing that was fitted is kept: a warm start begins cold. What is frozen in it (scikit-learn's
    ``FrozenEstimator``) stays as it is. Where ``random_state`` is None it has a seed while it is fitted, so
    that equal rows give equal models also where parts of them are fitted in other processes.
    """

    name = "refit"

    def fit(self, champion: Bundle, columns: Columns, labels: Array, times_ms: Ints, /) -> Any:
        """Return the clone, fitted; parameters and errors as of :class:`streamapp.training.Trainer`."""
        from sklearn.base import clone  # noqa: PLC0415

        if isinstance(champion.estimator, Network):
            raise TrainingError(
                f"a model of format {champion.manifest.format} cannot be refitted: give a trainer that fits "
                "one (streamapp run --trainer package.module:function)"
            )
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
            unseeded = _seed(estimator)
            estimator.fit(X, y)
            estimator.set_params(**dict.fromkeys(unseeded))
        except BaseException as exc:  # SystemExit too: in a worker process it would end the role that waits
            raise TrainingError(f"{kind} could not be fitted on {len(y):,} rows: {in_one_line(exc)}") from exc
        _forget_durations(estimator)
        return estimator


def _seed(estimator: Any) -> list[str]:
    """Give a seed of its own to each ``random_state`` that has none, and return their names."""
    names = sorted(
        name
        for name, value in estimator.get_params(deep=True).items()
        if value is None and name.rpartition("__")[2] == "random_state"
    )
    # From NumPy's global generator, which is seeded: parts of an ensemble must not draw the same.
    estimator.set_params(**{name: int(np.random.randint(_SEEDS)) for name in names})
    return names


def _forget_durations(fitted: Any) -> None:
    """Set to 0 how long a search over parameters took: no two trainings would give the same model."""
    for part in (fitted, *fitted.get_params(deep=True).values()):
        results = getattr(part, "cv_results_", None)
        if isinstance(results, dict):
            for key in results:
                if key.endswith("_time"):
                    results[key] = np.zeros_like(results[key])
        if hasattr(part, "refit_time_"):
            part.refit_time_ = 0.0


def make(choice: str) -> Refit:
    """Return the trainer."""
    return Refit()
