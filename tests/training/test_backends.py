"""Where joblib's calls go: to which backend, from which estimators, with the same models from all."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from joblib.parallel import SequentialBackend, ThreadingBackend
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from streamapp.errors import ConfigError, TrainingError
from streamapp.models import Bundle
from streamapp.training import Trained, train
from streamapp.training.backends import parallel

from .conftest import MakeJob, frame_of, pack_champion


class Asking(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Notes where its parallel calls are made; asks for as many as `n_jobs`."""

    def __init__(self, n_jobs: int | None = None, prefer: str | None = None) -> None:
        self.n_jobs = n_jobs
        self.prefer = prefer

    def fit(self, X: Any, y: Any) -> Asking:
        self.classes_ = np.unique(y)
        calls = joblib.Parallel(n_jobs=self.n_jobs, prefer=self.prefer)
        self.threads_ = sorted(set(calls(joblib.delayed(where)() for _ in range(4))))
        self.backend_ = type(calls._backend).__name__
        return self

    def predict(self, X: Any) -> Any:
        return np.repeat(self.classes_[:1], len(X))


def where() -> str:
    return threading.current_thread().name


def load(trained: Trained, home: Path) -> Bundle:
    return Bundle.load(trained.model.bundle, trust=home / "keys")


def asked(make_job: MakeJob, home: Path, backend: str, **parameters: Any) -> Any:
    X, y = frame_of(200, seed=1)
    champion = pack_champion(Asking(**parameters).fit(X[["temp"]], y), X[["temp"]], y, home)
    return load(train(make_job(bundle=champion, backend=backend)), home).estimator


def test_by_default_nothing_is_spawned_for_who_does_not_ask_and_threads_are_for_who_prefers_them(
    make_job: MakeJob, home: Path
) -> None:
    alone = asked(make_job, home, "loky")
    assert (alone.backend_, alone.threads_) == ("SequentialBackend", ["MainThread"])
    assert asked(make_job, home, "loky", n_jobs=2).backend_ == "LokyBackend"
    assert asked(make_job, home, "loky", n_jobs=2, prefer="threads").backend_ == "ThreadingBackend"


def test_threading_takes_all_calls(make_job: MakeJob, home: Path) -> None:
    assert asked(make_job, home, "threading", n_jobs=2).backend_ == "ThreadingBackend"
    assert asked(make_job, home, "threading").threads_ == ["MainThread"]


def test_dask_takes_all_calls_and_closes_its_cluster(make_job: MakeJob, home: Path) -> None:
    from dask.distributed import default_client  # noqa: PLC0415

    estimator = asked(make_job, home, "dask")
    assert estimator.backend_ == "DaskDistributedBackend"
    assert "MainThread" not in estimator.threads_
    with pytest.raises(ValueError, match="No clients found"):
        default_client()


def test_a_scheduler_is_found_by_its_address_and_missed_in_one_line(make_job: MakeJob, home: Path) -> None:
    from dask.distributed import LocalCluster  # noqa: PLC0415

    X, y = frame_of(200, seed=1)
    champion = pack_champion(Asking(n_jobs=2).fit(X[["temp"]], y), X[["temp"]], y, home)
    with LocalCluster(n_workers=1, processes=False, dashboard_address="127.0.0.1:0") as cluster:
        address = cluster.scheduler.address
        trained = train(make_job(bundle=champion, backend="dask", dask_address=address))
    assert load(trained, home).estimator.backend_ == "DaskDistributedBackend"
    with pytest.raises(
        TrainingError, match="the Dask scheduler at nowhere was not reached within 30 s: ValueError"
    ) as caught:
        train(make_job(bundle=champion, backend="dask", dask_address="nowhere"))
    assert "\n" not in str(caught.value)


def test_every_backend_gives_the_same_model(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(300, seed=1)
    search = GridSearchCV(
        DecisionTreeClassifier(max_features=1, splitter="random"), {"max_depth": [1, 2, 3]}, cv=3, n_jobs=2
    )
    champion = pack_champion(search.fit(X[["temp"]], y), X[["temp"]], y, home)
    trained = [train(make_job(bundle=champion, backend=name)) for name in ("loky", "threading", "dask")]
    assert trained[0] == trained[1] == trained[2]


def test_one_that_somebody_has_registered_is_taken(make_job: MakeJob, home: Path) -> None:
    class Own(ThreadingBackend):  # type: ignore[misc]
        pass

    joblib.register_parallel_backend("own", Own)
    try:
        assert asked(make_job, home, "own", n_jobs=2).backend_ == "Own"
    finally:
        del joblib.parallel.BACKENDS["own"]


@pytest.mark.parametrize(
    ("backend", "complaint"),
    [
        ("lokky", "training backend 'lokky' is none of dask, loky, "),
        ("ray", "training backend 'ray' needs a package: pip install 'ray'"),
    ],
)
def test_one_that_is_not_there_is_told(backend: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught, parallel(backend):
        pass
    assert complaint in str(caught.value)


def test_the_block_leaves_joblib_as_it_was() -> None:
    with parallel("threading"):
        pass
    assert isinstance(
        joblib.parallel.get_active_backend()[0], SequentialBackend | joblib.parallel.LokyBackend
    )
