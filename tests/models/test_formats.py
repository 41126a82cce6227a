"""Any estimator of scikit-learn: what is packed, saved and loaded answers bit for bit as the model itself."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from streamapp.errors import BundleError, PredictionError, SignatureError
from streamapp.models import FORMATS, Bundle, sniff
from streamapp.models.formats import IN_MEMORY, Format, load_format
from streamapp.models.formats.predictor import predictor

LABELS: dict[str, Any] = {
    "strings": np.array(["calm", "busy"]),
    "integers": np.array([7, 3]),
    "booleans": np.array([True, False]),
    "floats": np.array([2.0, 1.0]),
    "multiclass": np.array(["a", "b", "c", "d"]),
    "objects": np.array(["calm", "busy"], dtype=object),
}


SCIKIT_LEARN = ("joblib", "pickle")
"""Formats that can hold any object; test_conformance.py has the table of all."""


def _through(bundle: Bundle, folder: Path) -> Bundle:
    bundle.save(folder)
    loaded = Bundle.load(folder)
    loaded.check_golden()
    assert loaded.version == bundle.version
    return loaded


def _labels(kind: str, n: int) -> Any:
    return LABELS[kind][np.random.default_rng(4).integers(0, len(LABELS[kind]), n)]


@pytest.mark.parametrize("format_name", SCIKIT_LEARN)
def test_equal_models_are_equal_bytes_whatever_they_share(format_name: str) -> None:
    def models() -> tuple[Any, Any]:
        one, copy = LinearRegression(), LinearRegression()
        text, dtype = "".join(["tem", "perature"]), np.dtype(np.float64)
        one.columns_ = [text, text, np.ones(3, dtype)]
        copy.columns_ = [text, "".join(["tempera", "ture"]), np.ones(3, pickle.loads(pickle.dumps(dtype)))]
        return one, copy

    one, copy = models()
    assert pickle.dumps(one) != pickle.dumps(copy)
    assert load_format(format_name).dump(one) == load_format(format_name).dump(copy)
    read = load_format(format_name).load(load_format(format_name).dump(copy), IN_MEMORY)
    assert read.columns_[:2] == ["temperature"] * 2
    assert read.columns_[2].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("format_name", SCIKIT_LEARN)
def test_classifiers_on_matrices(
    format_name: str, kind: str, matrix: tuple[Any, Any], tmp_path: Path
) -> None:
    X, y = matrix[0], _labels(kind, 200)
    model = DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, y)
    bundle = _through(Bundle.create(model, X, y, name="m", format=format_name), tmp_path / "b")
    answers = bundle.predict(X)
    np.testing.assert_array_equal(answers.probabilities, model.predict_proba(X))
    assert answers.values.tolist() == model.predict(X).tolist()
    assert answers.classes == tuple(model.classes_.tolist())
    assert {type(value) for value in answers.values} == {type(LABELS[kind].tolist()[0])}


@pytest.mark.parametrize("format_name", SCIKIT_LEARN)
def test_pipelines_on_named_columns(format_name: str, frame: pd.DataFrame, tmp_path: Path) -> None:
    y = _labels("strings", len(frame))
    model = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), ["temp", "hour"]),
            (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
        ),
        LogisticRegression(),
    ).fit(frame, y)
    bundle = _through(Bundle.create(model, frame, y, name="m", format=format_name), tmp_path / "b")
    rows = bundle.signature.to_rows(bundle.signature.from_frame(frame))
    np.testing.assert_array_equal(bundle.predict(rows).probabilities, model.predict_proba(frame))
    one = bundle.predict(rows[:1])
    np.testing.assert_array_equal(one.probabilities, model.predict_proba(frame[:1]))


@pytest.mark.parametrize("format_name", SCIKIT_LEARN)
def test_category_dtype_and_missing_values(format_name: str, frame: pd.DataFrame, tmp_path: Path) -> None:
    X = frame.assign(weather=frame.weather.astype("category"))
    y = (frame.hour > 11) ^ (frame.station == "north")
    model = HistGradientBoostingClassifier(max_iter=10, categorical_features="from_dtype").fit(X, y)
    bundle = _through(Bundle.create(model, X, y, name="m", format=format_name), tmp_path / "b")
    rows = bundle.signature.to_rows(bundle.signature.from_frame(X))
    np.testing.assert_array_equal(bundle.predict(rows).probabilities, model.predict_proba(X))
    assert bundle.predict([rows[0] | {"station": "moon", "temp": None}]).probabilities is not None


@pytest.mark.parametrize("format_name", SCIKIT_LEARN)
def test_regressors(format_name: str, frame: pd.DataFrame, tmp_path: Path) -> None:
    X = frame[["temp", "hour", "holiday"]]
    y = frame.hour * 2.0
    model = HistGradientBoostingRegressor(max_iter=10).fit(X, y)
    bundle = _through(Bundle.create(model, X, y, name="m", format=format_name), tmp_path / "b")
    answers = bundle.predict(X)
    assert (answers.probabilities, answers.classes) == (None, None)
    np.testing.assert_array_equal(answers.values, model.predict(X))
    assert bundle.manifest.loss == "absolute"


@pytest.mark.parametrize("format_name", SCIKIT_LEARN)
def test_classifiers_without_probabilities(format_name: str, matrix: tuple[Any, Any], tmp_path: Path) -> None:
    X, y = matrix[0], _labels("strings", 200)
    model = RidgeClassifier().fit(X, y)
    bundle = _through(Bundle.create(model, X, y, name="m", format=format_name), tmp_path / "b")
    answers = bundle.predict(X)
    assert answers.probabilities is None
    assert answers.values.tolist() == model.predict(X).tolist()
    assert answers.outputs is answers.values


def test_object_matrices(tmp_path: Path) -> None:
    X = np.array([["a", 1.5], ["b", 2.5], ["a", 3.5], [np.nan, 0.5]] * 10, dtype=object)
    y = np.array([0, 1, 0, 1] * 10)
    encoder = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), [0]), remainder="passthrough")
    model = make_pipeline(encoder, LogisticRegression()).fit(X, y)
    bundle = _through(Bundle.create(model, X, y, name="m"), tmp_path / "b")
    assert bundle.signature.input == "matrix"
    np.testing.assert_array_equal(bundle.predict(X).probabilities, model.predict_proba(X))


def test_several_outputs_are_refused(matrix: tuple[Any, Any]) -> None:
    X, y = matrix
    two = np.stack([y, 1 - y], axis=1)
    with pytest.raises(SignatureError, match=r"shape \(200, 2\)"):
        Bundle.create(LinearRegression().fit(X, two), X, two, name="m")
    with pytest.raises(PredictionError, match=r"shape \(200, 2\) for 200 rows; one number"):
        Bundle.create(LinearRegression().fit(X, two), X, y, name="m")
    with pytest.raises(SignatureError, match="2 outputs"):
        Bundle.create(MultiOutputClassifier(LogisticRegression()).fit(X, two), X, y, name="m")


class Says:
    """A model that answers what it was told to."""

    def __init__(self, answer: Any, classes: Any = None) -> None:
        self.answer = answer
        if classes is not None:
            self.classes_ = np.array(classes)
            self.predict_proba = lambda X: self.answer(len(X))

    def predict(self, X: Any) -> Any:
        return self.answer(len(X))


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (Says(lambda n: np.zeros(n + 1)), r"predict returned ndarray of shape \(5,\) for 4 rows"),
        (Says(lambda n: np.full(n, np.nan)), "predict returned nan for row 0 of 4"),
        (Says(lambda n: ["x"] * n), "predict returned a list that are no numbers"),
        (Says(lambda n: 1 / 0), "the model failed: ZeroDivisionError: division by zero"),
        (Says(lambda n: np.full((n, 3), 0.3), [0, 1]), r"shape \(4, 3\) for 4 rows and 2 classes"),
        (Says(lambda n: np.full((n, 2), np.inf), [0, 1]), "predict_proba returned inf for row 0"),
    ],
)
def test_answers_that_are_none_name_what_came_back(model: Says, says: str) -> None:
    y = np.arange(4) % 2
    with pytest.raises(PredictionError, match=says):
        Bundle.create(model, {"x": np.arange(4.0)}, y, name="m")


def test_a_class_that_the_model_does_not_have_is_no_answer() -> None:
    answer = predictor(Says(lambda n: np.full(n, 9)), (0, 1))
    with pytest.raises(PredictionError, match=r"predict returned 9, which is none of \[0, 1\]"):
        answer(np.zeros((2, 1)))


def test_a_tuned_threshold_is_pointed_out(matrix: tuple[Any, Any]) -> None:
    model = FixedThresholdClassifier(LogisticRegression(), threshold=0.9, response_method="predict_proba")
    (warning,) = Bundle.create(model.fit(*matrix), *matrix, name="m").warnings
    assert "the most probable class in" in warning
    assert Bundle.create(LogisticRegression().fit(*matrix), *matrix, name="m").warnings == ()


def test_a_model_whose_classes_are_always_level_can_be_packed(matrix: tuple[Any, Any]) -> None:
    X, y = matrix[0], np.arange(200) % 2
    Bundle.create(DummyClassifier(strategy="prior").fit(X, y), X, y, name="m").check_golden()


def test_a_model_that_cannot_be_written_says_so(matrix: tuple[Any, Any]) -> None:
    model = LogisticRegression().fit(*matrix)
    model.hook = lambda: None
    with pytest.raises(BundleError, match="cannot be written as pickle"):
        Bundle.create(model, *matrix, name="m", format="pickle")


class ByName:
    """A model that is no scikit-learn estimator and reads a column by name."""

    def predict(self, X: Any) -> Any:
        return X["temp"].fillna(0.0).to_numpy() + 1


class ByPlace:
    """A model that is no scikit-learn estimator and reads a column by its place."""

    def predict(self, X: Any) -> Any:
        return X[:, 1] + 1


@pytest.mark.parametrize(("model", "form"), [(ByName(), "frame"), (ByPlace(), "matrix")])
def test_an_estimator_that_does_not_tell_its_input_is_given_what_it_takes(
    model: Any, form: str, frame: pd.DataFrame
) -> None:
    bundle = Bundle.create(model, frame[["temp", "hour"]], frame.hour * 1.0, name="m")
    assert bundle.signature.input == form
    assert bundle.predict([{"temp": 2.0, "hour": 2}]).values.tolist() == [3.0]


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_joblib_is_recognised_by_content(compress: Any, matrix: tuple[Any, Any], tmp_path: Path) -> None:
    joblib.dump(LogisticRegression().fit(*matrix), tmp_path / "m", compress=compress)
    assert sniff((tmp_path / "m").read_bytes()) == "joblib"


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickle_is_recognised_by_content(protocol: int, matrix: tuple[Any, Any]) -> None:
    assert sniff(pickle.dumps(LogisticRegression().fit(*matrix), protocol=protocol)) == "pickle"


def _zip(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "{}")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (_zip("config.json", "metadata.json", "model.weights.h5"), "keras"),
        (_zip("1.npy", "schema.json"), "skops"),
        (b"\x08\x08\x12\x07skl2onnx", "onnx"),
        (b"\x08\x0a:\x00", "onnx"),
    ],
)
def test_formats_without_pickle_are_recognised_by_content(data: bytes, name: str) -> None:
    assert sniff(data) == name


def test_a_damaged_archive_is_not_taken_for_something_else() -> None:
    with pytest.raises(BundleError, match="damaged zip archive"):
        sniff(_zip("schema.json")[:40])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (_zip("notes.txt"), "zip archive of something else"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"ccopy_reg\n.", "protocol 0"),
        (b"temp,label\n1,2\n", "no model that can be recognised"),
    ],
)
def test_other_formats_are_named(data: bytes, says: str) -> None:
    with pytest.raises(
        BundleError, match=f"{says}.*not supported by this version, which reads joblib, pickle"
    ):
        sniff(data)


def test_no_library_of_a_format_is_imported_before_it_is_needed() -> None:
    ours = "streamapp.training, streamapp.models.source, streamapp.models.convert"
    code = f"import sys, {ours}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    late = {"keras", "onnx", "onnxruntime", "river", "skl2onnx", "skops", "tensorflow", "yaml"}
    assert late & set(done.stdout.split()) == set()


@pytest.mark.parametrize("format_name", [*FORMATS])
def test_a_format_has_what_its_protocol_asks_for(format_name: str) -> None:
    module = load_format(format_name)
    members = [name for name in (*Format.__annotations__, *vars(Format)) if not name.startswith("_")]
    assert {name for name in members if not hasattr(module, name)} == set()
