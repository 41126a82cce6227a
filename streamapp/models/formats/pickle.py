"""pickle, Python's own. Loading it can run code."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from typing import Any

from streamapp.models.formats import Trust
from streamapp.models.formats.predictor import adopt, predictor
from streamapp.models.formats.sharing import SharingPickler

__all__ = ["FILE", "LIBRARIES", "TOLERANCE", "adopt", "dump", "load", "predictor", "runs_code"]

FILE = "model.pkl"

LIBRARIES: tuple[str, ...] = ()

TOLERANCE = 1e-9


def runs_code(files: Mapping[str, bytes] | None) -> bool:
    """Return True: a pickle is a program."""
    return True


def dump(estimator: Any) -> dict[str, bytes]:
    """Return the file that holds `estimator`."""
    buffer = io.BytesIO()
    # Not 5: Python's own pickler fails on two empty arrays there.
    SharingPickler(buffer, protocol=4).dump(estimator)
    return {FILE: buffer.getvalue()}


def load(files: Mapping[str, bytes], trust: Trust) -> Any:
    """Return the estimator in `files`, of which there is one."""
    (data,) = files.values()
    return pickle.loads(data)
