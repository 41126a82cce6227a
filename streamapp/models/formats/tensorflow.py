"""TensorFlow's SavedModel, a folder: its signature ``serving_default`` answers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from streamapp.errors import BundleError
from streamapp.models.column import Array
from streamapp.models.formats import IN_MEMORY, Trust, needs
from streamapp.models.formats.network import TOLERANCE, Network, predictor
from streamapp.models.formats.tensorflow_graph import reaches_out
from streamapp.models.formats.tensors import read_inputs

__all__ = [
    "FILE",
    "LIBRARIES",
    "TOLERANCE",
    "adopt",
    "dump",
    "import_tensorflow",
    "load",
    "predictor",
    "runs_code",
]

FILE = "saved_model"

LIBRARIES = ("tensorflow",)

_SIGNATURE = "serving_default"


def import_tensorflow() -> Any:
    """Return the package: seconds, for whoever needs it first. BundleError if it is not installed."""
    # Both are read when it is imported: it logs each start, and rounds otherwise on other processors.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    with needs("tensorflow"):
        import tensorflow  # noqa: PLC0415

    return tensorflow


def runs_code(files: Mapping[str, bytes] | None) -> bool | None:
    """Return whether the graph can reach beyond itself: most cannot, and need no seal."""
    if files is None:
        return None
    import_tensorflow()
    return reaches_out(files.get(f"{FILE}/saved_model.pb", b""))


def adopt(model: Any) -> Network:
    """Return a ``keras.Model`` or a ``tf.Module`` as a network; raise TypeError for anything else."""
    if isinstance(model, Network) and model.format_name == "tensorflow":
        return model
    tf = import_tensorflow()
    model = model.model if isinstance(model, Network) else model
    with tempfile.TemporaryDirectory() as name:
        if isinstance(model, tf.keras.Model):
            model.export(name, verbose=False)
        elif isinstance(model, tf.Module):
            tf.saved_model.save(model, name)
        else:
            raise TypeError("is no model of Keras and no tf.Module: say format='joblib'")
        files = {
            f"{FILE}/{path.relative_to(name).as_posix()}": path.read_bytes()
            for path in sorted(Path(name).rglob("*"))
            if path.is_file()
        }
    return load(files, IN_MEMORY)


def dump(estimator: Network) -> dict[str, bytes]:
    """Return the files that the network was loaded from; of equal models, they may differ."""
    return dict(estimator.files)


def load(files: Mapping[str, bytes], trust: Trust) -> Network:
    """Return the network in `files`.

    Raises
    ------
    BundleError
        If inputs or outputs are none of a deployment, or TensorFlow is not installed.
    """
    tf = import_tensorflow()
    with tempfile.TemporaryDirectory() as name:
        for path, data in files.items():
            target = Path(name) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        model = tf.saved_model.load(str(Path(name) / FILE))
    if _SIGNATURE not in model.signatures:
        has = ", ".join(model.signatures) or "none"
        raise BundleError(f"the SavedModel has no signature {_SIGNATURE!r} (it has {has}): save it with one")
    serve = model.signatures[_SIGNATURE]
    inputs, outputs = serve.structured_input_signature[1], serve.structured_outputs
    if len(outputs) != 1:
        raise BundleError(
            f"the SavedModel has {len(outputs)} outputs ({', '.join(sorted(outputs))}); a deployment "
            "predicts one thing: save it with one"
        )
    ((output, told),) = outputs.items()
    made = read_inputs(
        {name: (spec.dtype.name, spec.shape.as_list()) for name, spec in inputs.items()}, "SavedModel"
    )

    def run(X: Any) -> Array:
        given = {name: tf.constant(values) for name, values in made.tensors(X).items()}
        return np.asarray(serve(**given)[output].numpy())

    last = told.shape[-1] if told.shape.rank == 2 else 1
    n = None if last in {1, None} else last
    return Network("tensorflow", dict(files), model, run, made, n_probabilities=n)
