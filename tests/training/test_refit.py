"""Whatever scikit-learn estimator the champion is: it is fitted anew, the same for the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TimeSeriesSplit,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier

from streamapp.messages import Model
from streamapp.models import Bundle
from streamapp.training import TrainingPool, train

from .conftest import MakeJob, frame_of, pack_champion, values_of

WAIT_S = 100


def encoded(estimator: Any) -> Any:
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["weather"]), remainder="passthrough"
    )
    return make_pipeline(encode, estimator)


CLASSIFIERS: dict[str, Any] = {
    "pipeline": encoded(LogisticRegression()),
    "union": make_pipeline(
        make_union(encoded(SelectKBest(k=1)), encoded("passthrough")), LogisticRegression()
    ),
    "calibration": CalibratedClassifierCV(encoded(LogisticRegression()), cv=3),
    "calibration of one": CalibratedClassifierCV(
        encoded(DecisionTreeClassifier(max_depth=3)), cv=3, ensemble=False, method="isotonic"
    ),
    "grid": GridSearchCV(encoded(LogisticRegression()), {"logisticregression__C": [0.1, 1.0]}, cv=3),
    "drawn grid, in processes": RandomizedSearchCV(
        encoded(DecisionTreeClassifier(max_features=1)),
        {"decisiontreeclassifier__max_depth": [2, 3, 4, 5]},
        n_iter=2,
        cv=3,
        n_jobs=2,
    ),
    "boosting with categories, stopped early": HistGradientBoostingClassifier(
        max_iter=20, categorical_features="from_dtype", early_stopping=True
    ),
    "soft vote": VotingClassifier(
        [("line", encoded(LogisticRegression())), ("forest", encoded(RandomForestClassifier(10)))],
        voting="soft",
    ),
    "hard vote": VotingClassifier(
        [("line", encoded(LogisticRegression())), ("forest", encoded(RandomForestClassifier(10)))]
    ),
    "stack": StackingClassifier([("tree", encoded(DecisionTreeClassifier(max_depth=3)))], cv=3),
    "network, stopped early": encoded(
        MLPClassifier((8,), early_stopping=True, learning_rate_init=0.05, max_iter=300)
    ),
    "support vectors with probabilities": encoded(SVC(probability=True)),
    "descent, warm and stopped early": encoded(
        SGDClassifier(loss="log_loss", early_stopping=True, warm_start=True)
    ),
    "forest, warm, in threads": encoded(RandomForestClassifier(20, warm_start=True, n_jobs=2)),
    "bags, in processes": encoded(BaggingClassifier(DecisionTreeClassifier(max_features=1), n_jobs=2)),
    "one against the rest": encoded(OneVsRestClassifier(LogisticRegression())),
    "moved threshold": FixedThresholdClassifier(encoded(LogisticRegression()), threshold=0.45),
}

REGRESSORS: dict[str, Any] = {
    "target transformed by functions": TransformedTargetRegressor(
        encoded(Ridge()), func=np.log1p, inverse_func=np.expm1
    ),
    "target transformed by quantiles": TransformedTargetRegressor(
        encoded(Ridge()), transformer=QuantileTransformer(n_quantiles=50, output_distribution="normal")
    ),
    "boosting with named categories": HistGradientBoostingRegressor(
        max_iter=30, categorical_features=["weather"]
    ),
    "grid over time": GridSearchCV(encoded(Ridge()), {"ridge__alpha": [0.1, 1.0]}, cv=TimeSeriesSplit(3)),
    "vote": VotingRegressor([("line", encoded(Ridge())), ("forest", encoded(RandomForestRegressor(10)))]),
    "support vectors": encoded(SVR()),
}

pytestmark = pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")


def number(X: pd.DataFrame, *, turned: bool) -> Any:
    return np.exp((-0.5 if turned else 0.5) * X["temp"].to_numpy())


def champion_of(model: Any, home: Path, *, regression: bool) -> Model:
    X, y = frame_of(300, seed=1)
    if "HistGradient" in type(model).__name__:
        X = X.assign(weather=X["weather"].astype("category"))
    y = number(X, turned=False) if regression else y
    return pack_champion(model.fit(X, y), X, y, home, holdout=(X, y))


def check_refit(model: Any, make_job: MakeJob, home: Path, *, regression: bool) -> None:
    """Train twice in a turned world, and once more from what that gave; all must know that world."""
    champion = champion_of(model, home, regression=regression)
    X, y = frame_of(600, seed=3, turned=True)
    values = values_of(X, number(X, turned=True) if regression else y)
    first = train(make_job(values, bundle=champion, min_rows=100))
    assert train(make_job(values, bundle=champion, min_rows=100)) == first
    second = train(make_job(values, bundle=first.model, min_rows=100))
    X, y = frame_of(300, seed=9, turned=True)
    for trained in (first, second):
        bundle = Bundle.load(trained.model.bundle, trust=home / "keys")
        said = bundle.predict(X).values
        if regression:
            error = np.abs(np.asarray(said, dtype=float) - number(X, turned=True))
            assert np.median(error) < 0.2
        else:
            assert np.mean(said == y) > 0.75
        assert repr(bundle.estimator) == repr(model)


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_a_classifier_is_fitted_anew_with_its_own_parameters(
    kind: str, make_job: MakeJob, home: Path
) -> None:
    check_refit(CLASSIFIERS[kind], make_job, home, regression=False)


@pytest.mark.parametrize("kind", REGRESSORS)
def test_a_regressor_is_fitted_anew_with_its_own_parameters(kind: str, make_job: MakeJob, home: Path) -> None:
    check_refit(REGRESSORS[kind], make_job, home, regression=True)


def test_what_is_frozen_stays_as_it_is(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(300, seed=1)
    inner = encoded(LogisticRegression()).fit(X, y)
    champion = champion_of(CalibratedClassifierCV(FrozenEstimator(inner), cv=3), home, regression=False)
    bundle = Bundle.load(train(make_job(bundle=champion)).model.bundle, trust=home / "keys")
    kept = bundle.estimator.calibrated_classifiers_[0].estimator.estimator
    assert np.array_equal(kept[-1].coef_, inner[-1].coef_)


@pytest.fixture
def pool() -> Iterator[TrainingPool]:
    pool = TrainingPool(warm=False)
    yield pool
    pool.close(kill=True)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_equal_rows_give_equal_models_in_any_process(
    n_jobs: int | None, make_job: MakeJob, home: Path, pool: TrainingPool
) -> None:
    model = encoded(RandomForestClassifier(20, n_jobs=n_jobs))
    job = make_job(bundle=champion_of(model, home, regression=False))
    other = make_job(values_of(*frame_of(700, seed=8)))
    there, between, again = (pool.submit(each).result(WAIT_S) for each in (job, other, job))
    assert there == again == train(job) != between  # the version is the hash of all bytes
    bundle = Bundle.load(there.model.bundle, trust=home / "keys")
    trees = bundle.estimator[-1].estimators_
    assert bundle.estimator[-1].random_state is None
    assert len({tree.random_state for tree in trees}) == len(trees)


def test_other_rows_give_another_model(make_job: MakeJob) -> None:
    values = values_of(*frame_of(900, seed=3))
    later = make_job(values[1:], list(range(1_000, 900_000, 1_000)))
    assert train(make_job(values)).model.sha256 != train(later).model.sha256


def test_parts_without_a_seed_do_not_share_one(make_job: MakeJob, home: Path) -> None:
    votes = VotingClassifier(
        [(name, encoded(DecisionTreeClassifier(splitter="random"))) for name in ("first", "second", "third")]
    )
    trained = train(make_job(bundle=champion_of(votes, home, regression=False)))
    bundle = Bundle.load(trained.model.bundle, trust=home / "keys")
    shapes = [tree[-1].tree_.threshold.tobytes() for tree in bundle.estimator.estimators_]
    assert len(set(shapes)) == 3
