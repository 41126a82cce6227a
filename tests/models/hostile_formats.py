"""Attacks that one format alone makes possible: the bundle's model is exchanged for one of that format.

Where a canary sits in it, it would sing: each such attack has been tried with what would trust it.
"""

from __future__ import annotations

import copy
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import skops.io
from onnx import TensorProto, helper, numpy_helper
from sklearn.base import BaseEstimator

from streamapp.errors import BundleError, IntegrityError, StreamappError
from streamapp.models.formats.tensorflow import import_tensorflow
from tests.models.hostile import Attack, Target

__all__ = ["FORMAT_ATTACKS", "TENSORFLOW_ATTACKS", "Loud", "saved_module"]


class Loud(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A canary for skops: building it makes a file."""

    def __init__(self, song: str = "") -> None:
        self.song = song

    def __setstate__(self, state: dict[str, Any]) -> None:
        Path(state["song"]).touch()


def _of(
    format_name: str,
    name: str,
    make: Callable[[Target], bytes | Mapping[str, bytes]],
    says: str,
    *,
    error: type[StreamappError] = IntegrityError,
    is_sealed: bool = False,
) -> Attack:
    """The model in another format, sealed by nobody, or as it should be."""

    def spoil(target: Target) -> None:
        made = make(target)
        target.song.unlink(missing_ok=True)  # what makes a canary may make it sing
        fields = target.manifest()
        del fields["files"]["model.joblib"]
        (target.folder / "model.joblib").unlink()
        key = target.trusted if is_sealed else None
        target.write({**fields, "format": format_name}, key=key)
        for path, data in ({f"model.{format_name}": made} if isinstance(made, bytes) else made).items():
            target.put(path, data, key=key)

    return Attack(f"{format_name}: {name}", spoil, error, says)


def _archive(members: Mapping[str, bytes], *, times: int = 1) -> bytes:
    """A zip archive whose first member stands in it under several names, and once in bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        for i in range(1, times):
            again = copy.copy(archive.filelist[0])
            again.filename = f"{i}/{again.filename}"
            archive.filelist.append(again)
    return buffer.getvalue()


_BOMB = {"zeros.npy": bytes(16 << 20)}
_TIMES = 80
"""Of 16 MB: 1.3 GB, from 17 kB."""


def _keras(*, times: int = 1, members: Mapping[str, bytes] | None = None, **layer: Any) -> bytes:
    """A .keras file with one layer, known and harmless unless `layer` says otherwise, and more members."""
    dense = {"module": "keras.layers", "class_name": "Dense", "registered_name": None, "config": {"units": 2}}
    layers = [{**dense, **layer}]
    config = {"module": "keras", "class_name": "Sequential", "config": {"layers": layers}}
    known = {"config.json": json.dumps(config).encode(), "metadata.json": b"{}", "model.weights.h5": b""}
    return _archive({**(members or {}), **known}, times=times)


def _onnx(target: Target, node: Any, **options: Any) -> bytes:
    weights = numpy_helper.from_array(np.ones((3, 2), np.float32), "W")
    if options:
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        for key, value in options.items():
            weights.external_data.add(key=key, value=value)
        (target.folder.parent / "weights.bin").write_bytes(bytes(24))  # it is there to be read
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width])
        for name, width in (("X", 3), ("p", 2))
    ]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], [weights])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.example", 1)]
    made: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return bytes(made.SerializeToString())


_MULTIPLY = helper.make_node("MatMul", ["X", "W"], ["p"])
_STRANGE = helper.make_node("Evil", ["X", "W"], ["p"], domain="com.example")


def _skops(target: Target) -> bytes:
    return bytes(skops.io.dumps(Loud(str(target.song))))


FORMAT_ATTACKS: tuple[Attack, ...] = (
    _of("keras", "a layer of an unknown module", lambda _: _keras(module="os", class_name="system"),
        "loading keras can run code, and the bundle has no seal"),
    _of("keras", "a layer under a name of its own", lambda _: _keras(registered_name="Mine>Dense"),
        "loading keras can run code, and the bundle has no seal"),
    _of("keras", "a zip bomb", lambda _: _keras(times=_TIMES, members=_BOMB), "would unpack to 1,3"),
    _of("keras", "a member that climbs", lambda _: _keras(members={"assets/../../../song": b""}),
        "has 'assets/../../../song', a path that leads elsewhere"),
    _of("keras", "a member with an absolute path", lambda t: _keras(members={str(t.song): b""}),
        "song', a path that leads elsewhere"),
    _of("skops", "a type that is not trusted", _skops, f"keys trust-type {Loud.__module__}.Loud`",
        is_sealed=True),
    _of("skops", "a zip bomb", lambda _: _archive({**_BOMB, "schema.json": b"{}"}, times=_TIMES),
        "would unpack to 1,3", is_sealed=True),
    _of("onnx", "weights in a file outside", lambda t: _onnx(t, _MULTIPLY, location="../weights.bin"),
        "keeps tensors in another file ('../weights.bin'), which is not read", is_sealed=True),
    _of("onnx", "an operator of its own", lambda t: _onnx(t, _STRANGE), "com.example:Evil", error=BundleError,
        is_sealed=True),
)  # fmt: skip
"""Without TensorFlow: .keras files are looked into without it."""


def _lambda(target: Target) -> bytes:
    keras = _import_keras()
    # The path is written into the code: Keras writes the values of defaults, but cannot read them.
    sing = eval(f"lambda x: (open({str(target.song)!r}, 'w').close(), x)[1]")
    layers = [
        keras.Input((3,)),
        keras.layers.Lambda(sing, output_shape=(3,)),
        keras.layers.Dense(2, "softmax"),
    ]
    return _saved(keras.Sequential(layers))


def _registered(target: Target) -> bytes:
    """A class of this process, as a package that somebody has imported registers some."""
    keras = _import_keras()

    @keras.saving.register_keras_serializable("hostile")
    class Singer(keras.layers.Dense):  # type: ignore[misc, name-defined]  # Keras has no types
        def __init__(self, units: int, path: str, **options: Any) -> None:
            super().__init__(units, **options)
            self.song = path
            Path(path).touch()

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "path": self.song}

    return _saved(keras.Sequential([keras.Input((3,)), Singer(2, str(target.song), activation="softmax")]))


def _import_keras() -> Any:
    import_tensorflow()
    return pytest.importorskip("keras")


def _saved(model: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "m.keras")
        return (Path(folder) / "m.keras").read_bytes()


def saved_module(
    folder: Path, *, at_answers: str = "", at_load: str = "", signature: str = "serving_default"
) -> None:
    """Save a module of TensorFlow that writes these files: while it answers, or when it is loaded."""
    tf = import_tensorflow()

    class Resource(tf.saved_model.experimental.TrackableResource):  # type: ignore[misc, name-defined]
        def _create_resource(self) -> Any:
            return tf.constant(0)

        def _initialize(self) -> None:
            tf.io.write_file(at_load, "here")

        def _destroy_resource(self) -> None:
            pass

    class Module(tf.Module):  # type: ignore[misc, name-defined]  # TensorFlow has no types
        def __init__(self) -> None:
            super().__init__()
            if at_load:
                self.resource = Resource()

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])  # type: ignore[untyped-decorator]
        def serve(self, X: Any) -> Any:
            if at_answers:
                tf.io.write_file(at_answers, "here")
            return tf.reduce_sum(X, axis=1)

    module = Module()
    tf.saved_model.save(module, str(folder), signatures={signature: module.serve})


def _saved_model(target: Target, when: str) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        saved_module(Path(name) / "saved_model", **{when: str(target.song)})
        return {
            path.relative_to(name).as_posix(): path.read_bytes()
            for path in Path(name).rglob("*")
            if path.is_file()
        }


TENSORFLOW_ATTACKS: tuple[Attack, ...] = (
    _of("keras", "a Lambda that writes a file", _lambda, "loading keras can run code"),
    _of("keras", "a class that was registered", _registered, "loading keras can run code"),
    _of("tensorflow", "a graph that writes a file", lambda t: _saved_model(t, "at_answers"),
        "loading tensorflow can run code"),
    _of("tensorflow", "a resource that writes a file", lambda t: _saved_model(t, "at_load"),
        "loading tensorflow can run code"),
)  # fmt: skip
"""Those that TensorFlow writes. They are tried where the process has imported it anyway."""
