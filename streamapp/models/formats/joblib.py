"""joblib: a pickle with its arrays beside it, possibly compressed. Loading it can run code."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import joblib
from joblib.numpy_pickle import NumpyPickler

from streamapp.models.formats import Trust
from streamapp.models.formats.predictor import adopt, predictor
from streamapp.models.formats.sharing import SharingPickler

__all__ = ["FILE", "LIBRARIES", "TOLERANCE", "adopt", "dump", "load", "predictor", "runs_code"]

FILE = "model.joblib"

LIBRARIES: tuple[str, ...] = ()

TOLERANCE = 1e-9


class _Pickler(SharingPickler, NumpyPickler):  # type: ignore[misc]  # joblib has no types
    """What ``joblib.dump`` uses, with what is shared told by value."""


def runs_code(files: Mapping[str, bytes] | None) -> bool:
    """Return True: a pickle is a program."""
    return True


def dump(estimator: Any) -> dict[str, bytes]:
    """Return the file that holds `estimator`."""
    buffer = io.BytesIO()
    _Pickler(buffer).dump(estimator)
    return {FILE: buffer.getvalue()}


def load(files: Mapping[str, bytes], trust: Trust) -> Any:
    """Return the estimator in `files`, of which there is one."""
    (data,) = files.values()
    return joblib.load(io.BytesIO(data))
