"""ONNX, run by onnxruntime. A graph of known operators: it runs no code of whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from streamapp.errors import IntegrityError
from streamapp.messages import Label
from streamapp.models.column import Array
from streamapp.models.formats import IN_MEMORY, Trust, needs
from streamapp.models.formats.network import TOLERANCE, Network, predictor
from streamapp.models.formats.onnx_graph import outside_of, read_classes, read_outputs
from streamapp.models.formats.tensors import Inputs, read_inputs

__all__ = ["FILE", "LIBRARIES", "TOLERANCE", "adopt", "dump", "load", "predictor", "runs_code"]

FILE = "model.onnx"

LIBRARIES = ("onnxruntime",)

_THREADS = 1
"""A batch is too small to be worth waking others, and sums keep their order."""


_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(string)": "string",
}


def runs_code(files: Mapping[str, bytes] | None) -> bool:
    """Return False: onnxruntime knows its operators, and libraries of others are not loaded."""
    return False


def adopt(model: Any) -> Network:
    """Return an ``onnx.ModelProto`` as a network; raise TypeError for anything else."""
    if isinstance(model, Network) and model.format_name == "onnx":
        return model
    if not callable(getattr(model, "SerializeToString", None)) or not hasattr(model, "opset_import"):
        raise TypeError(
            "is no onnx.ModelProto: convert it with streamapp.models.to_onnx, or say format='joblib'"
        )
    return load({FILE: model.SerializeToString()}, IN_MEMORY)


def dump(estimator: Network) -> dict[str, bytes]:
    """Return the file that the network was loaded from."""
    return dict(estimator.files)


def load(files: Mapping[str, bytes], trust: Trust) -> Network:
    """Return the network in `files`, of which there is one.

    Raises
    ------
    IntegrityError
        If it names other files: they are none of the bundle's.
    BundleError
        If inputs or outputs are none of a deployment, or onnxruntime or onnx is not installed.
    """
    with needs("onnx"):
        import onnx  # noqa: PLC0415
        import onnxruntime  # noqa: PLC0415

    (data,) = files.values()
    proto = onnx.load_model_from_string(data)
    for path in outside_of(proto):
        raise IntegrityError(
            f"the ONNX model keeps tensors in another file ({path!r}), which is not read: save it as one file"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = _THREADS
    options.log_severity_level = 4  # not errors: they are raised, and may quote values of personal columns
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    made = read_inputs(
        {each.name: (_DTYPES.get(each.type), each.shape) for each in session.get_inputs()}, "ONNX model"
    )
    known = read_classes(proto)
    output, answers, n = read_outputs(session.get_outputs(), known)
    run = _runner(session, made, output.name, known)
    return Network("onnx", dict(files), session, run, made, answers=answers, classes=known, n_probabilities=n)


def _runner(
    session: Any, inputs: Inputs, output: str, classes: tuple[Label, ...] | None
) -> Callable[[Any], Array]:
    def run(X: Any) -> Array:
        (answer,) = session.run([output], inputs.tensors(X))
        if isinstance(answer, list):  # ZipMap: a dict from class to probability for each row
            order = classes if classes is not None else list(answer[0])
            return np.array([[row[label] for label in order] for row in answer])
        return np.asarray(answer)

    return run
