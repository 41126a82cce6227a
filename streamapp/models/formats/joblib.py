"""joblib: a pickle with its arrays beside it, possibly compressed. Loading it can run code."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import joblib
from joblib.numpy_pickle import NumpyPickler

from streamapp.models.formats.predictor import predictor
from streamapp.models.formats.sharing import SharingPickler

__all__ = ["FILE", "RUNS_CODE", "dump", "load", "predictor"]

RUNS_CODE = True

FILE = "model.joblib"


class _Pickler(SharingPickler, NumpyPickler):  # type: ignore[misc]  # joblib has no types
    """What ``joblib.dump`` uses, with what is shared told by value."""


def dump(estimator: Any) -> dict[str, bytes]:
    """Return the file that holds `estimator`."""
    buffer = io.BytesIO()
    _Pickler(buffer).dump(estimator)
    return {FILE: buffer.getvalue()}


def load(files: Mapping[str, bytes]) -> Any:
    """Return the estimator in `files`, of which there is one."""
    (data,) = files.values()
    return joblib.load(io.BytesIO(data))
