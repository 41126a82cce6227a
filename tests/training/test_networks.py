"""Champions that are networks: no clone of theirs can be fitted, a function can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from streamapp.errors import TrainingError
from streamapp.messages import Model
from streamapp.models import Bundle
from streamapp.models.convert import to_onnx
from streamapp.training import train

from .conftest import MakeJob, frame_of, pack_champion, values_of

HERE = "tests.training.user_trainers"


@pytest.fixture(scope="module")
def network(home: Path) -> Model:
    X, y = frame_of(300, seed=1)
    found = to_onnx(LogisticRegression().fit(X[["temp"]], y), X[["temp"]], y)
    options: dict[str, Any] = {"format": "onnx", "classes": found.classes, "holdout": (X, y)}
    return pack_champion(found.network, X[["temp"]], y, home, **options)


def knows_the_turned_world(bundle: Bundle) -> bool:
    X, y = frame_of(300, seed=9, turned=True)
    return bool(np.mean(bundle.predict(X).values == y) > 0.85)


def test_it_cannot_be_refitted_and_the_remedy_is_named(make_job: MakeJob, network: Model) -> None:
    with pytest.raises(
        TrainingError, match=r"a model of format onnx cannot be refitted: give a trainer.*--trainer package"
    ):
        train(make_job(bundle=network))


@pytest.mark.parametrize(("function", "format_name"), [("converted", "onnx"), ("scaled", "joblib")])
def test_a_function_may_return_its_format_or_another(
    function: str, format_name: str, make_job: MakeJob, network: Model, home: Path
) -> None:
    job = make_job(bundle=network, trainer=f"{HERE}:{function}")
    trained = train(job)
    assert trained.model.format == format_name
    bundle = Bundle.load(trained.model.bundle, trust=home / "keys", sha256=trained.model.sha256)
    assert bundle.signature.classes == ("busy", "calm")
    assert knows_the_turned_world(bundle)
    assert train(job).model.version == trained.model.version


def test_scikit_learn_may_be_followed_by_a_network(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(300, seed=1)
    champion = pack_champion(LogisticRegression().fit(X[["temp"]], y), X[["temp"]], y, home, holdout=(X, y))
    trained = train(make_job(bundle=champion, trainer=f"{HERE}:converted"))
    assert trained.model.format == "onnx"
    bundle = Bundle.load(trained.model.bundle, trust=home / "keys")
    assert knows_the_turned_world(bundle)


def test_a_champion_of_skops_is_refitted_and_stays_skops(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(300, seed=1)
    model = LogisticRegression().fit(X[["temp"]], y)
    champion = pack_champion(model, X[["temp"]], y, home, format="skops", holdout=(X, y))
    job = make_job(bundle=champion)
    trained = train(job)
    assert trained.model.format == "skops"
    assert knows_the_turned_world(Bundle.load(trained.model.bundle, trust=home / "keys"))
    assert train(job) == trained


def test_a_regressor_does_not_follow_a_classifier_as_a_network_either(
    make_job: MakeJob, network: Model
) -> None:
    with pytest.raises(TrainingError, match="regressor"):
        train(make_job(bundle=network, trainer=f"{HERE}:regressor"))


def test_a_network_keeps_the_classes_as_the_champion_has_them(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(300, seed=1)
    model = LogisticRegression().fit(X[["temp"]], y == "busy")
    champion = pack_champion(model, X[["temp"]], y == "busy", home, holdout=(X, y == "busy"))
    X, y = frame_of(900, seed=3, turned=True)
    trained = train(make_job(values_of(X, y == "busy"), bundle=champion, trainer=f"{HERE}:converted"))
    bundle = Bundle.load(trained.model.bundle, trust=home / "keys")
    assert bundle.signature.classes is not None
    assert [type(each) for each in bundle.signature.classes] == [bool, bool]  # the graph has 0 and 1
