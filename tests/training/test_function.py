"""A user's function fits the new version: what it is given, what it may return, how it fails."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from streamapp.errors import ConfigError, TrainingError
from streamapp.messages import Model
from streamapp.models import Bundle
from streamapp.training import Trained, load_trainer, train

from .conftest import MakeJob, frame_of, pack_champion, values_of

HERE = "tests.training.user_trainers"


def load(trained: Trained, home: Path) -> Bundle:
    return Bundle.load(trained.model.bundle, trust=home / "keys", sha256=trained.model.sha256)


def champion_of_temp(home: Path, *, named: bool = True) -> Model:
    X, y = frame_of(300, seed=1)
    X = X[["temp"]]
    return pack_champion(
        LogisticRegression().fit(X if named else X.to_numpy(), y), X, y, home, holdout=(X, y)
    )


def knows_the_turned_world(bundle: Bundle) -> bool:
    X, y = frame_of(300, seed=9, turned=True)
    return bool(np.mean(bundle.predict(X).values == y) > 0.85)


def test_a_function_fits_what_it_likes_and_what_comes_after_goes_on_from_there(
    make_job: MakeJob, home: Path
) -> None:
    job = make_job(trainer=f"{HERE}:forest", min_rows=100)
    trained = train(job)
    bundle = load(trained, home)
    assert type(bundle.estimator[-1]).__name__ == "RandomForestClassifier"
    assert knows_the_turned_world(bundle)
    assert trained.holdout_rows == 300
    assert train(job) == trained
    assert knows_the_turned_world(load(train(make_job(bundle=trained.model)), home))


def test_it_is_given_inputs_labels_times_and_the_champion(make_job: MakeJob, home: Path) -> None:
    champion = champion_of_temp(home)
    trained = train(make_job(bundle=champion, trainer=f"{HERE}:scaled"))
    names, kind, times, version = load(trained, home).estimator.given_
    assert (names, kind, version) == (["temp"], "U", champion.version)
    assert times.dtype == "datetime64[ms]"
    assert len(times) == trained.rows == 900
    assert times[0] == np.datetime64("1970-01-01T00:00:00")
    assert times[-1] == np.datetime64("1970-01-01T00:14:59")


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("function", ["scaled", "on_arrays"])
def test_a_model_with_names_may_follow_one_without_and_the_other_way_round(
    named: bool, function: str, make_job: MakeJob, home: Path
) -> None:
    champion = champion_of_temp(home, named=named)
    bundle = load(train(make_job(bundle=champion, trainer=f"{HERE}:{function}")), home)
    assert bundle.signature.input == ("frame" if function == "scaled" else "matrix")
    assert knows_the_turned_world(bundle)


def test_a_function_that_clones_gives_what_refit_gives(make_job: MakeJob, home: Path) -> None:
    by_hand = load(train(make_job(trainer=f"{HERE}:alike")), home)
    refitted = load(train(make_job()), home)
    X, _ = frame_of(300, seed=9)
    assert np.array_equal(by_hand.predict(X).probabilities, refitted.predict(X).probabilities)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        ("nothing", "returned NoneType, which has no method predict: it must return a fitted estimator"),
        ("raising", "failed on 600 rows: ValueError: no such column; mend it and ask again"),
        ("leaving", "failed on 600 rows: SystemExit: enough"),
        (
            "some_columns",
            "on all columns of X in their order (temp, weather): choose among them in a pipeline",
        ),
        ("regressor", "returned Ridge, a model of regression, and the champion's task is classification"),
    ],
)
def test_what_goes_wrong_in_it_is_one_line(function: str, complaint: str, make_job: MakeJob) -> None:
    with pytest.raises(TrainingError) as caught:
        train(make_job(trainer=f"{HERE}:{function}"))
    assert str(caught.value).startswith(f"{HERE}:{function} ")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_classifier_is_no_regressor(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(300, seed=1)
    X, y = X[["temp"]], X["temp"].to_numpy()
    champion = pack_champion(Ridge().fit(X, y), X, y, home, holdout=(X, y))
    values = values_of(frame_of(900, seed=3)[0], np.arange(900.0) % 2)
    with pytest.raises(
        TrainingError, match="a model of classification, and the champion's task is regression"
    ):
        train(make_job(values, bundle=champion, trainer=f"{HERE}:scaled"))


@pytest.mark.parametrize(
    ("choice", "complaint"),
    [
        ("refitt", "trainer 'refitt' is none of refit, package.module:function"),
        ("", "trainer '' is none of"),
        (":fit", "is no function's name, which is written package.module:function"),
        (f"{HERE}:", "is no function's name"),
        ("nowhere.at_all:fit", "there is no module nowhere, neither installed nor in "),
        (f"{HERE}.deeper:fit", f"there is no module {HERE}.deeper"),
        (f"{HERE}:fitt", "has no attribute 'fitt'"),
        (f"{HERE}:NUMBER", "is no function: it is of type int"),
        (f"{HERE}:of_two", "must take one argument, a TrainingData: TypeError: missing a required argument"),
    ],
)
def test_a_wrong_name_is_told_before_anything_is_trained(choice: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_trainer(choice)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        (
            "import nothing_like_it",
            "cannot be imported: ModuleNotFoundError: No module named 'nothing_like_it'",
        ),
        ("raise SystemExit(1)", "cannot be imported: SystemExit: 1"),
        ("def (", "cannot be imported: SyntaxError"),
    ],
)
def test_a_module_is_found_in_the_working_directory_and_may_fail_there(
    code: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one])
    monkeypatch.chdir(tmp_path)
    name = f"own_trainer_{abs(hash(code))}"
    Path(f"{name}.py").write_text("def fit(data):\n    return data\n")
    assert load_trainer(f"{name}:fit").name == f"{name}:fit"
    Path(f"{name}_broken.py").write_text(code)
    with pytest.raises(ConfigError) as caught:
        load_trainer(f"{name}_broken:fit")
    assert complaint in str(caught.value)


def test_a_method_of_an_object_will_do() -> None:
    assert load_trainer("json:JSONEncoder.default.__call__").name.startswith("json:")


def test_a_choice_that_is_none_ends_a_training_too(make_job: MakeJob) -> None:
    job: Any = make_job(trainer="nowhere:fit")
    with pytest.raises(ConfigError, match="there is no module nowhere"):
        train(job)
