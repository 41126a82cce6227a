"""Models of river: packed, saved and loaded they answer as they did, one dict at a time."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from river import compose, forest, linear_model, preprocessing, tree
from sklearn.linear_model import LogisticRegression

from streamapp.errors import BundleError, IntegrityError, PredictionError, SignatureError
from streamapp.models import Bundle, sniff
from streamapp.models.formats import load_format


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as they stand in requests, without what is missing."""
    rows = frame.astype(object).to_dict("records")
    return [{str(k): v for k, v in row.items() if not pd.isna(v)} for row in rows]


def taught(model: Any, X: pd.DataFrame, y: Any) -> Any:
    for row, label in zip(rows_of(X), np.asarray(y).tolist(), strict=True):
        model.learn_one(row, label)
    return model


def through(bundle: Bundle, folder: Path) -> Bundle:
    bundle.save(folder)
    loaded = Bundle.load(folder)
    loaded.check_golden()
    assert loaded.version == bundle.version
    return loaded


def weather_labels(frame: pd.DataFrame) -> Any:
    return np.where(frame.hour > 15, "busy", np.where(frame.holiday, "calm", "usual"))


def test_a_forest_on_mixed_columns_answers_as_itself(frame: pd.DataFrame, tmp_path: Path) -> None:
    y = weather_labels(frame)
    model = taught(
        forest.ARFClassifier(n_models=3, nominal_attributes=["weather", "station"], seed=1), frame, y
    )
    bundle = through(Bundle.create(model, frame, y, name="m", format="river"), tmp_path / "b")
    assert (bundle.manifest.format, bundle.signature.input) == ("river", "rows")
    assert "river" in bundle.manifest.libraries
    assert bundle.signature.classes == ("busy", "calm", "usual")
    rows = bundle.signature.to_rows(bundle.signature.from_frame(frame))
    answers = bundle.predict(rows)
    assert answers.probabilities is not None
    for row, p, value in zip(rows_of(frame), answers.probabilities.tolist(), answers.values, strict=True):
        own = model.predict_proba_one(row)
        assert dict(zip(answers.classes or (), p, strict=True)) == pytest.approx(
            {label: own.get(label, 0.0) for label in ("busy", "calm", "usual")}
        )
        assert value == max(own, key=own.get)
    np.testing.assert_array_equal(bundle.predict(frame).probabilities, answers.probabilities)
    alone = bundle.predict(rows[7:8])
    np.testing.assert_array_equal(alone.probabilities, answers.probabilities[7:8])


class Echo(tree.HoeffdingTreeRegressor):  # type: ignore[misc]
    """Answers how many values it was given, and checks that they are plain ones."""

    def predict_one(self, x: dict[str, Any]) -> float:
        assert {type(value) for value in x.values()} <= {float, int, bool, str}
        assert x.get("hour") is None or type(x["hour"]) is int
        return float(len(x))


def test_missing_values_are_left_out_and_the_others_keep_their_types(frame: pd.DataFrame) -> None:
    X = frame.assign(hour=frame.hour.where(frame.hour > 2))  # a gap makes pandas hold floats
    bundle = Bundle.create(Echo(), frame, frame.temp.fillna(0.0), name="m", format="river", nullable=["hour"])
    assert bundle.predict(X).values.tolist() == X.notna().sum(axis=1).tolist()
    assert bundle.predict([{"holiday": True}, {"hour": 7, "holiday": True}]).values.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("labels", [(False, True), (0, 1)])
def test_pipelines_and_two_classes_of_numbers(
    labels: tuple[Any, Any], frame: pd.DataFrame, tmp_path: Path
) -> None:
    X = frame[["hour"]]
    y = np.array(labels)[(frame.hour > 11).astype(int)]
    model = taught(preprocessing.StandardScaler() | linear_model.LogisticRegression(), X, y)
    bundle = through(Bundle.create(model, X, y, name="m", format="river"), tmp_path / "b")
    assert bundle.signature.classes == labels
    night, noon = bundle.predict([{"hour": 0}, {"hour": 23}]).values.tolist()
    assert (night, noon) == labels
    assert type(night) is type(labels[0])


def test_regressors(frame: pd.DataFrame, tmp_path: Path) -> None:
    X, y = frame[["hour"]], frame.hour * 2.0
    model = taught(preprocessing.StandardScaler() | linear_model.LinearRegression(), X, y)
    bundle = through(Bundle.create(model, X, y, name="m", format="river"), tmp_path / "b")
    answers = bundle.predict([{"hour": 3}])
    assert answers.probabilities is None
    assert answers.values.tolist() == [model.predict_one({"hour": 3})]


def test_a_later_version_keeps_the_classes_it_was_made_for(frame: pd.DataFrame) -> None:
    y = weather_labels(frame)
    first = Bundle.create(
        taught(tree.HoeffdingTreeClassifier(), frame, y), frame, y, name="m", format="river"
    )
    few = frame[y != "usual"]
    later = Bundle.create(first.estimator, few, y[y != "usual"], name="m", format="river", like=first)
    assert later.signature.classes == first.signature.classes


def test_a_class_outside_the_signature_is_no_answer(frame: pd.DataFrame) -> None:
    model = taught(tree.HoeffdingTreeClassifier(), frame, weather_labels(frame))
    y = np.where(frame.hour > 15, "busy", "calm")
    with pytest.raises(PredictionError, match="class 'usual' is none of"):
        Bundle.create(model, frame, y, name="m", format="river")


def test_what_has_learned_nothing_cannot_be_packed(frame: pd.DataFrame) -> None:
    with pytest.raises(PredictionError, match="it has learned nothing yet: let it learn some rows"):
        Bundle.create(forest.ARFClassifier(seed=1), frame, weather_labels(frame), name="m", format="river")


def test_labels_of_mixed_types_are_refused(frame: pd.DataFrame) -> None:
    y = np.array(["a", 1] * (len(frame) // 2), dtype=object)
    model = taught(tree.HoeffdingTreeClassifier(), frame, weather_labels(frame))
    with pytest.raises(SignatureError, match="labels are of the types int, str; make them all of one"):
        Bundle.create(model, frame, y, name="m", format="river")


def test_a_format_that_does_not_fit_the_model_names_the_one_that_does(frame: pd.DataFrame) -> None:
    X, y = frame[["hour"]], frame.holiday
    model = taught(tree.HoeffdingTreeClassifier(), X, y)
    with pytest.raises(BundleError, match=r"'joblib' does not fit a HoeffdingTreeClassifier.*format='river'"):
        Bundle.create(model, X, y, name="m")
    with pytest.raises(BundleError, match=r"'river' does not fit a LogisticRegression.*format='joblib'"):
        Bundle.create(LogisticRegression().fit(X, y), X, y, name="m", format="river")


def test_without_a_trusted_seal_it_is_not_loaded(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = frame[["hour"]], frame.holiday
    Bundle.create(taught(tree.HoeffdingTreeClassifier(), X, y), X, y, name="m", format="river").save(
        tmp_path / "b"
    )
    monkeypatch.setenv("STREAMAPP_KEYS", str(tmp_path / "strangers"))
    assert load_format("river").runs_code({})
    with pytest.raises(IntegrityError, match="loading river can run code"):
        Bundle.load(tmp_path / "b")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "model",
    [
        forest.ARFClassifier(),
        compose.Pipeline(preprocessing.StandardScaler(), linear_model.LinearRegression()),
    ],
)
def test_it_is_recognised_by_content(model: Any, protocol: int) -> None:
    assert sniff(pickle.dumps(model, protocol=protocol)) == "river"


def test_a_pickle_that_only_speaks_of_river_is_a_pickle(tmp_path: Path) -> None:
    assert sniff(pickle.dumps({"river.tree": 1})) == "pickle"
    joblib.dump({"model": tree.HoeffdingTreeClassifier(), "x": np.zeros(3)}, tmp_path / "m")
    assert sniff((tmp_path / "m").read_bytes()) == "joblib"
