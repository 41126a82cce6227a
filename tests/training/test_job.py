from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier

from streamapp.drift import DriftMonitor
from streamapp.errors import StoreError, TrainingError
from streamapp.messages import Model
from streamapp.models import Bundle
from streamapp.profile.policy import write_policy
from streamapp.profile.season_text import explain_season
from streamapp.training import Trained, train

from .conftest import MakeJob, frame_of, pack_champion, times_of, values_of


def load(trained: Trained, home: Path) -> Bundle:
    return Bundle.load(trained.model.bundle, trust=home / "keys", sha256=trained.model.sha256)


def test_a_training_learns_the_world_as_it_is_now(make_job: MakeJob, home: Path, champion: Model) -> None:
    trained = train(make_job())
    bundle = load(trained, home)
    X, y = frame_of(300, seed=9, turned=True)
    new = np.mean(bundle.predict(X).values == y)
    old = np.mean(Bundle.load(champion.bundle, trust=home / "keys").predict(X).values == y)
    assert new > 0.85
    assert old < 0.15
    assert bundle.seal_status == "trusted"
    bundle.check_golden()


def test_the_record_and_the_manifest_say_what_it_was_trained_on(make_job: MakeJob, home: Path) -> None:
    job = make_job(holdout_share=0.2, holdout_at_least=100)
    trained = train(job)
    model, bundle = trained.model, load(trained, home)
    # Fitted on all in the end; its losses are those of a sibling that had not seen the newest 180.
    assert (trained.rows, trained.holdout_rows) == (900, 180)
    assert model.state == "challenger"
    assert model.caused_by == bundle.manifest.caused_by == "e-1"
    assert model.training_data == bundle.manifest.training_data == list(job.data)
    assert model.trained_at == bundle.manifest.trained_at_ms == bundle.manifest.created_at_ms == 5_000_000
    # The newest label of all rows, those of the holdout too: the gate must not count rows it has seen.
    assert model.newest_training_data_at == 899_000 + 60_000
    assert bundle.manifest.reference_rows == 900
    assert bundle.manifest.holdout_rows == 180
    assert bundle.manifest.loss == "brier"
    assert bundle.baseline is not None
    assert bundle.baseline.mean == trained.loss < 0.1


def test_the_reference_has_the_times_of_its_requests(make_job: MakeJob, home: Path) -> None:
    season = load(train(make_job()), home).profile.season
    assert season is not None
    assert season.why_not == "it covers 0.0 days, and a daily cycle needs 3 whole ones"


def test_an_heir_of_too_few_days_takes_the_daily_cycle_of_its_champion(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(3_000, seed=7)
    times_ms = np.arange(3_000) * 300_000  # ten days
    X["temp"] += 2 * np.sin(times_ms / 86_400_000 * 2 * np.pi)
    model = LogisticRegression().fit(X[["temp"]], y)
    champion = pack_champion(model, X[["temp"]], y, home, time=times_ms.astype("datetime64[ms]"))
    X, y = frame_of(900, seed=8)
    profile = load(train(make_job(values_of(X[["temp"]], y), bundle=champion)), home).profile
    assert profile.season is not None
    assert profile.season.columns == ("temp",)
    assert (profile.season.origin, profile.season.level_rows) == (champion.version, 900)
    assert f"the cycle is that of version {champion.version}" in explain_season(profile)
    # The holdout tells nothing of the hours of answers.
    assert not DriftMonitor(profile).has_output_baseline


def test_the_baseline_is_of_rows_that_were_not_fitted_on(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(900, seed=3)
    y[-180:] = np.where(y[-180:] == "busy", "calm", "busy")
    trained = train(make_job(values_of(X, y), holdout_share=0.2, holdout_at_least=100))
    # No candidate has seen that the world turned over in the holdout, and the baseline says so.
    assert trained.loss > 0.5
    assert np.mean(load(trained, home).predict(X[:700]).values == y[:700]) > 0.85


def test_what_is_stored_has_seen_the_newest_rows_too(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(900, seed=3)
    X = X[["temp"]]
    champion = pack_champion(Remembering().fit(X, y), X, y, home)
    trained = train(make_job(values_of(X, y), bundle=champion))
    bundle = load(trained, home)
    assert bundle.estimator.rows_ == 900
    assert trained.holdout_rows == 300
    # On them it would be right throughout; its sibling, which knows none of them, says calm to each.
    assert trained.loss == np.mean(y[-300:] != "calm")


def test_the_window_that_is_best_on_the_newest_rows_is_taken(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(4_000, seed=3)
    y[:2_700] = np.where(y[:2_700] == "busy", "calm", "busy")
    job = replace(make_job(values_of(X, y), windows=(2_000, 3_900)), since=2_700)
    trained = train(job)
    # The one of 3,900 rows would teach the same as all.
    assert [each.window for each in trained.tried] == ["all 4,000", "last 2,000", "1,300 since the change"]
    assert [each.rows for each in trained.tried] == [3_700, 1_700, 1_000]
    assert min(trained.tried, key=lambda each: each.loss) == trained.tried[2]
    assert trained.rows == 1_300
    assert trained.loss < 0.1 < trained.tried[0].loss


def test_a_window_of_a_single_class_is_left_out(make_job: MakeJob) -> None:
    X, y = frame_of(3_000, seed=3)
    y[2_000:2_950] = "calm"
    trained = train(replace(make_job(values_of(X, y), windows=()), since=2_000))
    assert [each.window for each in trained.tried] == ["all 3,000"]


def test_a_class_first_seen_in_the_newest_rows_leaves_the_sibling(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(900, seed=3)
    y = y.astype(object)
    y[-3:] = "storm"
    trained = train(make_job(values_of(X, y)))
    assert trained.rows == 600
    assert load(trained, home).signature.classes == ("busy", "calm")


def test_equal_jobs_give_equal_versions_whatever_was_drawn_before(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(300, seed=1)
    # Without random_state it draws from NumPy's global generator.
    model = DecisionTreeClassifier(max_features=1, splitter="random").fit(X[["temp"]], y)
    job = make_job(bundle=pack_champion(model, X[["temp"]], y, home))
    first = train(job)
    state = np.random.get_state()
    np.random.uniform(size=3)
    drawn = np.random.uniform()
    np.random.set_state(state)
    np.random.uniform(size=3)
    again = train(pickle.loads(pickle.dumps(job)))
    assert first == again
    # Training has put the generator back where it was.
    assert np.random.uniform() == drawn


def test_a_regressor_keeps_its_scale(make_job: MakeJob, home: Path) -> None:
    X, _ = frame_of(300, seed=1)
    X, y = X[["temp"]], 3 * X["temp"].to_numpy() + 1
    noisy = y + np.random.default_rng(7).normal(size=300)
    champion = pack_champion(Ridge().fit(X, noisy), X, noisy, home, holdout=(X, noisy))
    turned = values_of(X, -y)
    trained = train(make_job(turned, bundle=champion, min_rows=100))
    bundle = load(trained, home)
    assert bundle.manifest.loss_scale == Bundle.inspect(champion.bundle).manifest.loss_scale
    assert np.abs(np.asarray(bundle.predict(X).values, dtype=float) + y).max() < 0.2
    assert trained.loss < 0.05


def test_a_regressor_without_a_scale_is_given_the_one_that_rows_have_told(
    make_job: MakeJob, home: Path
) -> None:
    X, _ = frame_of(300, seed=1)
    X, y = X[["temp"]], 3 * X["temp"].to_numpy() + 1
    champion = pack_champion(Ridge().fit(X, y), X, y, home)
    values = values_of(X, y + np.random.default_rng(7).normal(size=300))
    job = make_job(values, bundle=champion, min_rows=100)
    told, own = train(replace(job, loss_scale=50.0)), train(job)
    assert load(told, home).manifest.loss_scale == 50.0
    assert told.loss < 0.03
    own_scale = load(own, home).manifest.loss_scale
    assert own_scale is not None
    assert 1.0 < own_scale < 5.0
    assert told.loss == pytest.approx(own.loss * own_scale / 50.0, rel=0.1)


def test_kinds_that_were_chosen_are_kept_through_generations(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(300, seed=1)
    X = X[["temp"]]
    model = LogisticRegression().fit(X, y)
    champion = pack_champion(model, X, y, home, holdout=(X, y), kinds={"temp": "discrete"})
    trained = train(make_job(bundle=champion))
    again = train(make_job(bundle=trained.model))
    for each in (trained, again):
        bundle = load(each, home)
        assert bundle.chosen_kinds == {"temp": "discrete"}
        assert str(bundle.profile.columns[0].kind) == "discrete"


def test_the_drift_policy_is_kept_through_generations(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(300, seed=1)
    X = X[["temp"]]
    drift: dict[str, dict[str, Any]] = {"temp": {"floor": 0.3}, "probability:calm": {"watch": False}}
    champion = pack_champion(LogisticRegression().fit(X, y), X, y, home, holdout=(X, y), drift=drift)
    trained = train(make_job(bundle=champion))
    again = train(make_job(bundle=trained.model))
    for each in (trained, again):
        assert write_policy(load(each, home).profile.policy) == drift


def test_a_new_level_and_a_new_class_are_learned(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(900, seed=3)
    X.loc[::3, "weather"] = "hail"
    y = np.where(X["weather"] == "hail", "closed", y)
    bundle = load(train(make_job(values_of(X, y))), home)
    assert bundle.signature.classes == ("busy", "calm", "closed")
    rows: list[dict[str, Any]] = [{"temp": 0.0, "weather": "hail"}]
    assert bundle.predict(rows).values.tolist() == ["closed"]


def test_the_window_is_cut_from_the_newest_request(make_job: MakeJob) -> None:
    # Three rows have reached second 897, and the window begins at second 298.
    trained = train(make_job(window_ms=599_000, min_rows=100))
    assert trained.rows == 602
    assert trained.left_out == {"before the window": 298}


class Unfit(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Fits once, and never again on so many rows."""

    def fit(self, X: Any, y: Any) -> Unfit:
        if len(X) > 300:
            raise ValueError("too many\nrows for me")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.repeat(self.classes_[:1], len(X))


class Remembering(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Knows the rows that it was fitted on by heart, and calls all others calm."""

    def fit(self, X: Any, y: Any) -> Remembering:
        self.classes_, self.rows_ = np.unique(y), len(X)
        self.known_ = dict(zip(np.asarray(X)[:, 0].tolist(), np.asarray(y).tolist(), strict=True))
        return self

    def predict(self, X: Any) -> Any:
        return np.array([self.known_.get(value, "calm") for value in np.asarray(X)[:, 0].tolist()])


class Bare:
    """No estimator by scikit-learn's rules."""

    classes_ = np.array(["busy", "calm"])

    def predict(self, X: Any) -> Any:
        return np.repeat(self.classes_[:1], len(X))


class Nothing(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Answers nothing when fitted on many rows."""

    def fit(self, X: Any, y: Any) -> Nothing:
        self.answer_ = np.nan if len(X) > 300 else 0.0
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.answer_)


def failure(job: Any) -> str:
    with pytest.raises(TrainingError) as caught:
        train(job)
    message = str(caught.value)
    assert "\n" not in message
    # It must come back from another process.
    assert str(pickle.loads(pickle.dumps(caught.value))) == message
    return message


def test_too_few_rows_say_how_many_there_are_and_where_the_others_went(make_job: MakeJob) -> None:
    values = values_of(*frame_of(900, seed=3))
    values[100:] = [orjson.dumps(orjson.loads(value) | {"features": None}) for value in values[100:]]
    assert failure(make_job(values)) == (
        "100 labelled rows can be used and 500 are needed; left out: no features 800"
    )


def test_a_single_class_gives_no_model(make_job: MakeJob) -> None:
    X, y = frame_of(900, seed=3)
    y[:] = "calm"
    y[-50:] = "busy"  # in the holdout alone
    assert "all 600 rows to fit on are labelled 'calm'" in failure(make_job(values_of(X, y)))


def test_rows_of_one_moment_give_no_model(make_job: MakeJob) -> None:
    values = values_of(*frame_of(900, seed=3))
    assert "at nearly the same time" in failure(make_job(values, [5] * 900))


def test_estimators_that_cannot_be_cloned_fitted_or_used_are_named(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(200, seed=1)
    X = X[["temp"]]
    said = failure(make_job(bundle=pack_champion(Unfit().fit(X, y), X, y, home)))
    assert said == "Unfit could not be fitted on 600 rows: ValueError: too many rows for me"
    assert "Bare cannot be cloned" in failure(make_job(bundle=pack_champion(Bare(), X, y, home)))
    regressor = pack_champion(Nothing().fit(X, np.ones(200)), X, np.ones(200), home)
    X, _ = frame_of(900, seed=1)
    said = failure(make_job(values_of(X, np.ones(900)), bundle=regressor))
    assert said.startswith("a candidate cannot be compared: PredictionError")


def test_a_champion_by_a_stranger_or_changed_is_not_loaded(make_job: MakeJob, tmp_path: Path) -> None:
    X, y = frame_of(200, seed=1)
    foreign = pack_champion(LogisticRegression().fit(X[["temp"]], y), X[["temp"]], y, tmp_path)
    assert "not trusted here" in failure(make_job(bundle=foreign))
    changed = foreign.model_copy(update={"sha256": "0" * 64})
    assert "the champion cannot be loaded" in failure(make_job(bundle=changed))


def test_a_store_that_does_not_answer_may_do_so_later(make_job: MakeJob, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError):
        train(replace(make_job(), store=(tmp_path / "file" / "store").as_uri()))
    with pytest.raises(StoreError, match="no bundle at"):  # as where nothing is mounted
        train(replace(make_job(), bundle=tmp_path.as_uri()))


def test_threads_are_bounded_while_it_fits(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(200, seed=1)
    champion = pack_champion(Counting().fit(X[["temp"]], y), X[["temp"]], y, home)
    bundle = load(train(make_job(bundle=champion, threads=1)), home)
    assert bundle.estimator.threads_ == 1


class Counting(Unfit):
    """Notes how many threads it may use."""

    def fit(self, X: Any, y: Any) -> Counting:
        from threadpoolctl import threadpool_info  # noqa: PLC0415

        self.classes_ = np.unique(y)
        self.threads_ = max(pool["num_threads"] for pool in threadpool_info())
        return self


def test_rows_without_an_event_time_have_that_of_their_record(make_job: MakeJob) -> None:
    values = values_of(*frame_of(900, seed=3))
    assert "at nearly the same time" in failure(make_job(values, [None] * 900))
    assert train(make_job(values, times_of(900))).rows == 900
