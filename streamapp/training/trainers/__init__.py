"""How a new version comes to be fitted: one module for each way, imported when it is needed.

A way of training is a module with a function ``make``, which takes what was chosen and returns a
:class:`Trainer`. Adding one is one file here and one line in :data:`TRAINERS`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol, cast

from streamapp.errors import ConfigError
from streamapp.models import Bundle, Columns
from streamapp.models.column import Array
from streamapp.quality.labelled_rows import Ints

__all__ = ["TRAINERS", "Trainer", "load_trainer"]

TRAINERS: dict[str, str] = {
    "refit": "streamapp.training.trainers.refit",
    "package.module:function": "streamapp.training.trainers.function",
}
"""What is chosen to the module that makes it; whatever has a colon is the name of a function."""

_FUNCTION = "package.module:function"


class Trainer(Protocol):
    """What fits new versions."""

    name: str
    """What was chosen."""

    def fit(self, champion: Bundle, columns: Columns, labels: Array, times_ms: Ints, /) -> Any:
        """Return an estimator fitted on n rows.

        NumPy's global generator is seeded around it, and BLAS and OpenMP have as many threads as they may.

        Parameters
        ----------
        champion
            With its estimator.
        columns
            Inputs as they travel, (n,) each, in the order of their requests.
        labels
            (n,): Python labels as objects for a classifier, float64 for a regressor.
        times_ms
            (n,) event times of the requests, milliseconds since the epoch, in increasing order.

        Raises
        ------
        TrainingError
            In one line, whatever went wrong.
        """


def load_trainer(choice: str) -> Trainer:
    """Return the trainer that `choice` names.

    Raises
    ------
    ConfigError
        If there is none of that name, or no such function.
    """
    way = _FUNCTION if ":" in choice else choice
    if way not in TRAINERS:
        raise ConfigError(f"trainer {choice!r} is none of {', '.join(TRAINERS)}")
    return cast("Trainer", import_module(TRAINERS[way]).make(choice))
