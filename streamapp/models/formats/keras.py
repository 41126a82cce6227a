"""Keras 3, a ``.keras`` archive. It runs code only where its configuration names some."""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from streamapp.errors import BundleError
from streamapp.models.column import Array
from streamapp.models.formats import IN_MEMORY, Trust, needs
from streamapp.models.formats.archive import check_archive, numbered, rewrite_archive
from streamapp.models.formats.keras_code import runs_code
from streamapp.models.formats.network import TOLERANCE, Network, predictor
from streamapp.models.formats.tensorflow import import_tensorflow
from streamapp.models.formats.tensors import read_inputs

__all__ = ["FILE", "LIBRARIES", "TOLERANCE", "adopt", "dump", "load", "predictor", "runs_code"]

FILE = "model.keras"

LIBRARIES = ("keras", "tensorflow")

_ID = "shared_object_id"


def _import_keras() -> Any:
    import_tensorflow()  # which sets what TensorFlow reads when it starts
    with needs("tensorflow"):
        import keras  # noqa: PLC0415

    return keras


def adopt(model: Any) -> Network:
    """Return a ``keras.Model`` as a network; raise TypeError for anything else."""
    if isinstance(model, Network) and model.format_name == "keras":
        return model
    keras = _import_keras()

    if not isinstance(model, keras.Model):
        raise TypeError("is no model of Keras: say format='joblib'")
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / FILE
        model.save(path)
        data = _settled(path.read_bytes())
    return load({FILE: data}, IN_MEMORY)


def _settled(data: bytes) -> bytes:
    def without_date(text: str) -> str:
        return re.sub(r'"date_saved": "[^"]*"', '"date_saved": "1980-01-01@00:00:00"', text)

    def without_addresses(text: str) -> str:
        ranks = numbered(text, _ID)
        return re.sub(rf'(?<!\\)("{_ID}": )(\d+)', lambda found: found[1] + ranks[found[2]], text)

    return rewrite_archive(data, {"metadata.json": without_date, "config.json": without_addresses})


def dump(estimator: Network) -> dict[str, bytes]:
    """Return the file that the network was loaded from: equal bytes for equal models."""
    return dict(estimator.files)


def load(files: Mapping[str, bytes], trust: Trust) -> Network:
    """Return the network in `files`, of which there is one; it is not compiled.

    Raises
    ------
    BundleError
        If inputs or outputs are none of a deployment, or Keras or TensorFlow is not installed.
    """
    keras = _import_keras()

    (data,) = files.values()
    check_archive(data)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / FILE
        path.write_bytes(data)
        model = keras.saving.load_model(path, compile=False, safe_mode=not trust.code)
    inputs, outputs = _ends(model, "inputs"), _ends(model, "outputs")
    if len(outputs) != 1 or len(outputs[0].shape) > 2:
        shapes = ", ".join(str(each.shape) for each in outputs)
        raise BundleError(
            f"the Keras model has outputs of shape {shapes}; a deployment predicts one number or class"
        )
    width = outputs[0].shape[-1] if len(outputs[0].shape) == 2 else 1
    is_sigmoid = getattr(getattr(model.layers[-1], "activation", None), "__name__", "") == "sigmoid"
    n = width if width > 1 else (2 if is_sigmoid else None)
    made = read_inputs({each.name: (each.dtype, each.shape) for each in inputs}, "Keras model")

    def run(X: Any) -> Array:
        tensors = made.tensors(X)
        return np.asarray(model.predict_on_batch(tensors if made.names else next(iter(tensors.values()))))

    return Network("keras", dict(files), model, run, made, n_probabilities=n)


def _ends(model: Any, which: str) -> list[Any]:
    ends = getattr(model, which, None)
    if not ends:
        raise BundleError(
            f"the Keras model does not tell its {which}: build it as Sequential or functional, with an Input"
        )
    return list(ends)


def _quiet() -> warnings.catch_warnings[None]:
    # Of NumPy, to Keras: nothing that whoever packs a model could mend.
    return warnings.catch_warnings(action="ignore", category=DeprecationWarning)
