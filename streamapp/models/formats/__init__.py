"""Model formats: one module each, imported when it is needed.

A format is a module with the members of :class:`Format`. Adding one is one file here, one line in
:data:`FORMATS` and one rule in :mod:`streamapp.models.formats.recognise`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

from streamapp.errors import BundleError
from streamapp.messages import Label
from streamapp.models.predictions import Predictions

__all__ = ["FORMATS", "IN_MEMORY", "Format", "Predict", "Trust", "format_of", "load_format", "needs"]

Predict = Callable[[Any], Predictions]
"""From an estimator's input, of n rows, to n answers."""

FORMATS: dict[str, str] = {
    "joblib": "streamapp.models.formats.joblib",
    "pickle": "streamapp.models.formats.pickle",
    "skops": "streamapp.models.formats.skops",
    "onnx": "streamapp.models.formats.onnx",
    "keras": "streamapp.models.formats.keras",
    "tensorflow": "streamapp.models.formats.tensorflow",
    "river": "streamapp.models.formats.river",
}
"""Name of each format to its module."""


_OF_MODULES: dict[str, str] = {"keras": "keras", "onnx": "onnx", "river": "river", "tensorflow": "tensorflow"}
"""Package in which a model's class is defined to the format that its models are written in."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What whoever runs this vouches for.

    Attributes
    ----------
    code
        The model comes from someone whose code may run here: a trusted key has sealed it.
    types
        Dotted names of classes that skops may build, beside those that it trusts by itself. None: all.
    """

    code: bool = False
    types: frozenset[str] | None = frozenset()


IN_MEMORY = Trust(code=True, types=None)
"""For what this process has written itself: whatever code it has runs here already."""


class Format(Protocol):
    """What a format's module offers."""

    FILE: str
    """Path of the model file, or of the folder of the model's files."""

    LIBRARIES: tuple[str, ...]
    """Names of the packages that answers depend on, beside NumPy and scikit-learn."""

    TOLERANCE: float
    """Relative difference of numbers that is still the same answer, on another machine."""

    def runs_code(self, files: Mapping[str, bytes] | None, /) -> bool | None:
        """Return whether loading `files` can run code of whoever wrote them: they need a trusted seal.

        They are looked at and not loaded. For None, before they are read: what holds of all of this format,
        or None if that depends on them.
        """

    def adopt(self, model: Any, /) -> Any:
        """Return `model`, which is in memory, as :meth:`load` would.

        Raises
        ------
        TypeError
            If it is none of this format; the text says what it is, beginning with a verb.
        """

    def dump(self, estimator: Any, /) -> dict[str, bytes]:
        """Return the files, by path, that hold `estimator`, which has been adopted."""

    def load(self, files: Mapping[str, bytes], trust: Trust, /) -> Any:
        """Return the estimator in `files`. They have been verified."""

    def predictor(self, estimator: Any, classes: tuple[Label, ...] | None, /) -> Predict:
        """Return the function that answers with `estimator`: whatever can be prepared is prepared here."""


def load_format(name: str) -> Format:
    """Return the format `name`.

    Raises
    ------
    BundleError
        If this version has none of that name.
    """
    if name not in FORMATS:
        raise BundleError(
            f"format {name!r} is not supported by this version, which reads {', '.join(FORMATS)}"
        )
    return cast("Format", import_module(FORMATS[name]))


def format_of(model: Any) -> str | None:
    """Return the format that the class of a model in memory asks for; None if that is open.

    Examples
    --------
    >>> from river.tree import HoeffdingTreeClassifier
    >>> format_of(HoeffdingTreeClassifier()), format_of([])
    ('river', None)
    """
    if hasattr(model, "get_params"):  # scikit-learn's interface, as wrappers of others have it
        return None
    if (name := getattr(model, "format_name", None)) in FORMATS:
        return str(name)
    homes = [cls.__module__.partition(".")[0] for cls in type(model).__mro__]
    return next((_OF_MODULES[home] for home in homes if home in _OF_MODULES), None)


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Turn the absence of a package into one line that names the extra that brings it."""
    try:
        yield
    except ModuleNotFoundError as exc:
        raise BundleError(
            f"{exc.name} is not installed, and this model needs it: pip install 'streamapp[{extra}]'"
        ) from exc
