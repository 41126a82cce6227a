"""What every format must do, as a table of formats by checks: for the tests, and to be printed.

A check returns by how much answers differ from those of the original model, the most of all, or None where
there is nothing to compare; it raises AssertionError where the format does not do what it must.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import skl2onnx
from river import linear_model, tree
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from streamapp.errors import BundleError, IntegrityError, PredictionError, SignatureError
from streamapp.models import FORMATS, Bundle, Keys, Seal
from streamapp.models.convert import to_onnx
from streamapp.models.formats import load_format
from streamapp.models.formats.tensorflow import import_tensorflow
from streamapp.models.loading import model_files
from streamapp.models.manifest import FileEntry
from streamapp.models.packed import write_packed

TOLERANCES = {"joblib": 0.0, "pickle": 0.0, "skops": 0.0, "river": 0.0}
"""Largest difference from the original's answers; of networks, in float32, 1e-5."""

NAMES = ["temp", "wind", "rain"]


class Case(NamedTuple):
    """A model, its rows, and what it answers them with itself."""

    model: Any
    X: pd.DataFrame
    y: Any
    answers: Any
    classes: tuple[Any, ...] | None = None


def rows(n: int = 80) -> pd.DataFrame:
    """Numbers that float32 has, too, as float64."""
    values = np.random.default_rng(3).normal(size=(n, 3)).astype(np.float32)
    return pd.DataFrame(values.astype(np.float64), columns=NAMES)


def mixed(n: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "temp": rng.normal(size=n).astype(np.float32).astype(np.float64),
            "hour": rng.integers(0, 24, n),
            "holiday": rng.random(n) < 0.3,
            "weather": rng.choice(["clear", "mist", "rain"], n),
        }
    )


def _labels(X: pd.DataFrame) -> Any:
    noise = np.random.default_rng(4).normal(size=len(X))
    return np.where(X["temp"].fillna(0.0) + noise > 0, "calm", "busy")


def _with_gaps(X: pd.DataFrame) -> pd.DataFrame:
    gaps = X.copy()
    gaps.loc[::7, "temp"] = np.nan
    return gaps


class ScikitLearn:
    """Estimators as they are."""

    def classifier(self) -> Case:
        return self._case(LogisticRegression(), rows(), _labels(rows()))

    def regressor(self) -> Case:
        return self._case(LinearRegression(), rows(), rows().to_numpy() @ [1.0, 2.0, -1.0])

    def mixed(self) -> Case:
        transform = make_column_transformer(
            (StandardScaler(), ["temp", "hour"]),
            ("passthrough", ["holiday"]),
            (OneHotEncoder(handle_unknown="ignore"), ["weather"]),
        )
        return self._case(make_pipeline(transform, LogisticRegression()), mixed(), _labels(mixed()))

    def gaps(self) -> Case:
        X = _with_gaps(rows())
        return self._case(make_pipeline(SimpleImputer(), LogisticRegression()), X, _labels(X))

    def outputs(self) -> Case:
        return self._case(LinearRegression(), rows(), rows()[["temp", "wind"]].to_numpy())

    def _case(self, model: Any, X: pd.DataFrame, y: Any) -> Case:
        model.fit(X, y)
        answers = model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)
        return Case(model, X, y, answers, getattr(model, "classes_", None))


class Onnx(ScikitLearn):
    """The same, converted."""

    def _case(self, model: Any, X: pd.DataFrame, y: Any) -> Case:
        case = super()._case(model, X, y)
        if np.ndim(y) == 2:
            plain = LinearRegression().fit(X.to_numpy(), y)
            return case._replace(model=skl2onnx.to_onnx(plain, X.to_numpy()[:1]))
        converted = to_onnx(model, X, y)
        return case._replace(model=converted.network, classes=converted.classes)


class Keras:
    """Small networks with the weights that they begin with."""

    def classifier(self) -> Case:
        keras = self._keras()
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "softmax")])
        return self._case(model, rows(), _labels(rows()))

    def regressor(self) -> Case:
        keras = self._keras()
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)])
        return self._case(model, rows(), rows()["temp"].to_numpy())

    def mixed(self) -> Case:
        keras = self._keras()
        kinds = {"temp": "float32", "hour": "int64", "holiday": "bool", "weather": "string"}
        inputs = {name: keras.Input((1,), name=name, dtype=dtype) for name, dtype in kinds.items()}
        lookup = keras.layers.StringLookup(vocabulary=["clear", "mist", "rain"], output_mode="one_hot")
        parts = [keras.ops.cast(inputs[name], "float32") for name in ("temp", "hour", "holiday")]
        joined = keras.layers.Concatenate()([*parts, keras.ops.cast(lookup(inputs["weather"]), "float32")])
        model = keras.Model(inputs, keras.layers.Dense(2, "softmax")(joined))
        return self._case(model, mixed(), _labels(mixed()))

    def gaps(self) -> Case:
        keras = self._keras()
        inputs = keras.Input((3,))
        outputs = keras.layers.Dense(2, "softmax")(keras.ops.nan_to_num(inputs))
        X = _with_gaps(rows())
        return self._case(keras.Model(inputs, outputs), X, _labels(X))

    def outputs(self) -> Case:
        keras = self._keras()
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        return self._case(model, rows(), rows()[["temp", "wind"]].to_numpy())

    def _keras(self) -> Any:
        import_tensorflow()
        keras = pytest.importorskip("keras")
        keras.utils.set_random_seed(1)
        return keras

    def _case(self, model: Any, X: pd.DataFrame, y: Any) -> Case:
        if len(model.inputs) == 1:
            given: Any = X.to_numpy(dtype=np.float32)
        else:
            tf = pytest.importorskip("tensorflow")
            given = {each.name: tf.constant(X[[each.name]].to_numpy(), each.dtype) for each in model.inputs}
        return Case(model, X, y, np.squeeze(model(given).numpy()))


class River:
    """A tree and a line that have learned."""

    def classifier(self) -> Case:
        return self._case(tree.HoeffdingTreeClassifier(grace_period=10), rows(), _labels(rows()))

    def regressor(self) -> Case:
        return self._case(linear_model.LinearRegression(), rows(), rows()["temp"].to_numpy())

    def mixed(self) -> Case:
        return self._case(tree.HoeffdingTreeClassifier(grace_period=10), mixed(), _labels(mixed()))

    def gaps(self) -> Case:
        X = _with_gaps(rows())
        return self._case(tree.HoeffdingTreeClassifier(grace_period=10), X, _labels(X))

    def outputs(self) -> Case:
        case = self.regressor()
        return case._replace(y=rows()[["temp", "wind"]].to_numpy())

    def _case(self, model: Any, X: pd.DataFrame, y: Any) -> Case:
        dicts = [
            {name: value for name, value in row.items() if value == value}  # noqa: PLR0124  # NaN
            for row in X.to_dict("records")
        ]
        for row, label in zip(dicts, y.tolist(), strict=True):
            model.learn_one(row, label)
        if y.dtype.kind == "f":
            return Case(model, X, y, np.array([model.predict_one(row) for row in dicts]))
        asked = [model.predict_proba_one(row) for row in dicts]
        answers = np.array([[each.get(label, 0.0) for label in ("busy", "calm")] for each in asked])
        return Case(model, X, y, answers / answers.sum(axis=1, keepdims=True))


def makers() -> dict[str, Any]:
    own = {"onnx": Onnx(), "keras": Keras(), "tensorflow": Keras(), "river": River()}
    return {name: own.get(name, ScikitLearn()) for name in FORMATS}


def pack(format_name: str, case: Case) -> Bundle:
    own = case.classes if format_name == "onnx" else None
    return Bundle.create(
        case.model, case.X, case.y, name="m", format=format_name, created_at_ms=0, classes=own
    )


def _served(format_name: str, case: Case, folder: Path) -> Bundle:
    pack(format_name, case).save(folder)
    return Bundle.load(folder)


def _difference(format_name: str, given: Any, wanted: Any, rounding: float = 0.0) -> float:
    assert given.shape == wanted.shape
    most = float(np.abs(given - wanted).max())
    assert most <= max(TOLERANCES.get(format_name, 1e-5), rounding)
    return most


def _answers(bundle: Bundle, X: pd.DataFrame) -> Any:
    """As to requests, through JSON's types."""
    return bundle.predict(bundle.signature.to_rows(bundle.signature.from_frame(X))).outputs


def round_trip(name: str, folder: Path) -> None:
    packed = pack(name, makers()[name].classifier())
    packed.save(folder)
    loaded = Bundle.load(folder)
    loaded.check_golden()
    assert loaded.version == packed.version
    assert loaded.packed.files == packed.packed.files
    again = load_format(name).dump(loaded.estimator)
    if name != "river":  # it writes what is shared as it is
        assert again == model_files(packed.packed)


def probabilities(name: str, folder: Path) -> float:
    case = makers()[name].classifier()
    answers = _served(name, case, folder).predict(case.X)
    assert answers.classes == ("busy", "calm")
    assert answers.values.tolist() == [("busy", "calm")[i] for i in case.answers.argmax(axis=1)]
    return _difference(name, answers.probabilities, case.answers)


def regression(name: str, folder: Path) -> float:
    case = makers()[name].regressor()
    answers = _served(name, case, folder).predict(case.X)
    assert answers.probabilities is None
    return _difference(name, answers.values, case.answers)


def single_row(name: str, folder: Path) -> float:
    case = makers()[name].classifier()
    bundle = _served(name, case, folder)
    alone = np.vstack([_answers(bundle, case.X[i : i + 1]) for i in range(10)])
    # How a product of matrices is rounded depends on the number of rows, on some processors.
    return _difference(name, alone, case.answers[:10], rounding=1e-12)


def dtypes(name: str, folder: Path) -> float:
    case = makers()[name].mixed()
    bundle = _served(name, case, folder)
    kinds = {column.name: column.dtype for column in bundle.signature.columns}
    assert kinds == {"temp": "float", "hour": "integer", "holiday": "boolean", "weather": "string"}
    return _difference(name, _answers(bundle, case.X), case.answers)


def missing_values(name: str, folder: Path) -> float:
    case = makers()[name].gaps()
    Keys().trust_types(["numpy.dtype"])  # of scikit-learn's imputer, for skops
    bundle = _served(name, case, folder)
    assert bundle.signature.columns[0].nullable
    return _difference(name, _answers(bundle, case.X), case.answers)


def several_outputs(name: str, folder: Path) -> None:
    case = makers()[name].outputs()
    with pytest.raises(SignatureError, match=r"the target has shape \(80, 2\); a deployment predicts one"):
        pack(name, case)
    if name == "river":  # its regressors have one output
        return
    with pytest.raises((SignatureError, PredictionError), match=r"2 outputs|shape \(80, 2\)"):
        pack(name, case._replace(y=case.y[:, 0]))


def changed_file(name: str, folder: Path) -> None:
    bundle = pack(name, makers()[name].classifier())
    bundle.save(folder)
    path = max(model_files(bundle.packed), key=lambda each: len(bundle.packed.files[each]))
    data = bytearray((folder / path).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / path).write_bytes(bytes(data))
    with pytest.raises(IntegrityError, match="was changed: its hash is not that of the manifest"):
        Bundle.load(folder)


def corrupted_file(name: str, folder: Path) -> None:
    """A file that was damaged before it was packed: all hashes fit, and a trusted key has sealed it."""
    bundle = pack(name, makers()[name].classifier())
    broken = {path: data[: len(data) // 2] for path, data in model_files(bundle.packed).items()}
    files = {**bundle.packed.files, **broken}
    entries = {
        path: FileEntry(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
        for path, data in files.items()
    }
    manifest = bundle.manifest.model_copy(update={"files": entries})
    packed = replace(bundle.packed, manifest=manifest, files=files)
    write_packed(packed.sealed(Seal.make(manifest.encode(), Keys().local()[0])), folder)
    with pytest.raises((BundleError, IntegrityError)) as caught:
        Bundle.load(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def other_version(name: str, folder: Path) -> None:
    bundle = pack(name, makers()[name].classifier())
    library = (*load_format(name).LIBRARIES, "scikit-learn")[0]
    assert library in bundle.manifest.libraries
    manifest = bundle.manifest.model_copy(
        update={"libraries": bundle.manifest.libraries | {library: "0.0.1"}}
    )
    packed = replace(bundle.packed, manifest=manifest)
    write_packed(packed.sealed(Seal.make(manifest.encode(), Keys().local()[0])), folder)
    assert Bundle.load(folder).warnings[0].startswith(f"packed with {library} 0.0.1, and ")


def without_seal(name: str, folder: Path) -> None:
    write_packed(pack(name, makers()[name].classifier()).packed, folder)
    if name in {"joblib", "pickle", "river"}:
        with pytest.raises(IntegrityError, match=f"loading {name} can run code.*has no seal"):
            Bundle.load(folder)
    else:
        Bundle.load(folder).check_golden()


Check = Callable[[str, Path], float | None]

CHECKS: dict[str, Check] = {
    "round trip": round_trip,
    "probabilities": probabilities,
    "regression": regression,
    "single row": single_row,
    "dtypes": dtypes,
    "missing values": missing_values,
    "several outputs are refused": several_outputs,
    "changed file is refused": changed_file,
    "corrupted file is refused in one line": corrupted_file,
    "another library version is pointed out": other_version,
    "no seal: refused if it can run code": without_seal,
}
