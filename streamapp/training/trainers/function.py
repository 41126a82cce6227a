"""A user's function, named as ``package.module:function``, that fits the new version."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from streamapp.errors import ConfigError, TrainingError, in_one_line
from streamapp.models import Bundle, Columns
from streamapp.models.column import Array
from streamapp.models.formats import format_of
from streamapp.quality.labelled_rows import Ints
from streamapp.training.rows import fitted_signature

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Function", "TrainingData", "make"]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a user's function is given: n labelled rows, in the order of their requests.

    The rows of the holdout, by which the new version will be judged first, are not among them.

    Attributes
    ----------
    X
        (n, k): the inputs, with the names, order and dtypes of the champion's. Fit on all of them, in this
        order; a pipeline can choose among them.
    y
        (n,): strings, numbers or booleans for a classifier, float64 for a regressor.
    times
        (n,) datetime64[ms]: event times of the requests, UTC, in increasing order.
    champion
        The bundle that serves now; ``champion.estimator`` is its model. Of a network (ONNX, Keras,
        TensorFlow) ``champion.estimator.model`` is what its library has; it is not compiled. Its outputs are
        in the order of ``champion.signature.classes``, and so must be those of a new one.
    """

    X: pd.DataFrame
    y: Array
    times: Array
    champion: Bundle


class Function:
    """Fits by a function that takes a :class:`TrainingData` and returns a fitted estimator.

    The function is imported from the installed environment, or else from the working directory. The estimator
    must predict like the champion's (the same task, the same columns), and its class must be importable where
    the deployment is scored. Equal jobs give equal versions only if the function does so for equal rows:
    NumPy's global generator and Python's are seeded; what it seeds itself is its own affair. The new version
    need not be of the champion's format: a model of Keras or an ``onnx.ModelProto`` is packed as such.

    Parameters
    ----------
    name
        ``package.module:function``.

    Raises
    ------
    ConfigError
        If there is no such module or function, or it does not take one argument.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._function = _find(name)

    def fit(self, champion: Bundle, columns: Columns, labels: Array, times_ms: Ints, /) -> Any:
        """Return what the function fits; parameters and errors as of :class:`streamapp.training.Trainer`."""
        signature = fitted_signature(champion.signature, columns)
        data = TrainingData(
            replace(signature, input="frame").to_input(columns),
            np.array(labels.tolist()) if labels.dtype == object else labels,
            times_ms.astype("datetime64[ms]"),
            champion,
        )
        try:
            estimator = self._function(data)
        except BaseException as exc:  # SystemExit too: in a worker process it would end the role that waits
            raise TrainingError(
                f"{self.name} failed on {len(data.y):,} rows: {in_one_line(exc)}; mend it and ask again with "
                "streamapp retrain"
            ) from exc
        self._check(estimator, signature.names)
        return estimator

    def _check(self, estimator: Any, names: tuple[str, ...]) -> None:
        """Raise TrainingError if what was returned can be told at once to be no model of these columns."""
        if format_of(estimator) is None and not callable(getattr(estimator, "predict", None)):
            raise TrainingError(
                f"{self.name} returned {type(estimator).__name__}, which has no method predict: it must "
                "return a fitted estimator"
            )
        fitted = getattr(estimator, "feature_names_in_", None)
        if fitted is not None and list(fitted) != list(names):
            raise TrainingError(
                f"{self.name} fitted its model on {', '.join(map(str, fitted))}; it must be fitted on all "
                f"columns of X in their order ({', '.join(names)}): choose among them in a pipeline"
            )


def _find(name: str) -> Callable[[TrainingData], Any]:
    module, _, path = name.partition(":")
    if not module or not path:
        raise ConfigError(f"trainer {name!r} is no function's name, which is written package.module:function")
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:  # the command's own folder may stand there instead
        sys.path.append(here)
    try:
        found = attrgetter(path)(import_module(module))
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{module}.".startswith(f"{exc.name}."):
            raise ConfigError(f"trainer {name!r} cannot be imported: {in_one_line(exc)}") from exc
        raise ConfigError(
            f"trainer {name!r}: there is no module {exc.name}, neither installed nor in {here}"
        ) from exc
    except AttributeError as exc:
        raise ConfigError(f"trainer {name!r}: {in_one_line(exc)}") from exc
    except BaseException as exc:  # a module can raise anything while it is imported, SystemExit too
        raise ConfigError(f"trainer {name!r} cannot be imported: {in_one_line(exc)}") from exc
    if not callable(found):
        raise ConfigError(f"trainer {name!r} is no function: it is of type {type(found).__name__}")
    try:
        inspect.signature(found).bind(None)
    except TypeError as exc:
        raise ConfigError(
            f"trainer {name!r} must take one argument, a TrainingData: {in_one_line(exc)}"
        ) from exc
    except ValueError:  # what is compiled may not tell
        pass
    return found  # type: ignore[no-any-return]


def make(choice: str) -> Function:
    """Return the trainer."""
    return Function(choice)
