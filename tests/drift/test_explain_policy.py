"""What the policy is said to be, against what the engine does."""

from __future__ import annotations

import time

import numpy as np
import pytest

from streamapp.drift import DriftMonitor
from streamapp.drift.detector import Detector
from streamapp.drift.explain_policy import SMALLEST, AspectPolicy, Choice, SubjectPolicy, explain_policy
from streamapp.profile import Profile
from streamapp.profile.policy_text import parse_choices
from streamapp.profile.subjects import with_policy
from tests.drift.streams import fit

PROFILE = fit()


def told(profile: Profile = PROFILE, *choices: str, every: int = 100_000) -> dict[str, SubjectPolicy]:
    return {
        each.name: each for each in explain_policy(profile, parse_choices(choices), false_alarm_every=every)
    }


def aspect(subject: SubjectPolicy, name: str) -> AspectPolicy:
    return next(each for each in subject.aspects if each.aspect == name)


def test_inputs_correlations_and_outputs_share_the_whole_budget() -> None:
    subjects = told()
    assert list(subjects) == [
        "x", "y", "price", "count", "flag", "name",
        "correlations", "prediction", "confidence", "probability:yes",
    ]  # fmt: skip
    assert sum(each.share for each in subjects.values()) == pytest.approx(1)
    for each in subjects.values():
        assert each.share > 0
        assert each.share == pytest.approx(sum(part.share for part in each.aspects))
        assert each.floor == 0.1
        assert each.choices == ()


def test_thresholds_are_those_of_the_detector() -> None:
    detector = Detector(PROFILE, 10_000)
    limits = detector.thresholds.at(64)
    subjects = told(every=10_000)
    for name in ("x", "count", "name"):
        own = [limits[k] for k, part in enumerate(detector.parts) if part.name == name]
        assert subjects[name].thresholds == pytest.approx((min(own), max(own)), abs=1e-3)


def test_means_are_judged_from_as_many_rows_as_their_kurtosis_asks_for_and_shares_from_the_first() -> None:
    x = told()["x"]
    assert aspect(x, "location").rows == 20  # a uniform rank has a kurtosis of 1.8
    assert aspect(x, "tails").rows > aspect(x, "scale").rows > 20
    assert {part.rows for part in x.aspects if part.least_rows is not None} == {1}


def test_what_is_chosen_is_told_with_who_chose_it() -> None:
    packed = with_policy(PROFILE, parse_choices(["x:floor=0.3", "x:weight=2", "y:watch=false"]))
    subjects = told(packed, "x:floor=0.5", "x~price:floor=0.4", "gone:watch=false")
    assert subjects["x"].choices == (Choice("weight", 2.0, "bundle"), Choice("floor", 0.5, "settings"))
    assert (subjects["x"].floor, subjects["x"].weight) == (0.5, 2.0)
    assert (subjects["y"].share, subjects["y"].thresholds) == (0, None)
    assert {part.judged for part in subjects["y"].aspects} == {0}
    assert subjects["x~price"].floor == 0.4
    # Pairs without an entry are one line; those of y are not judged.
    pairs = aspect(subjects["correlations"], "correlation")
    assert (pairs.components, pairs.judged) == (9, 5)
    assert subjects["correlations"].why == "5 of 9 pairs of numbers"
    assert "gone" not in subjects
    assert sum(each.share for each in subjects.values()) == pytest.approx(1)


def test_outputs_without_a_baseline_are_told_to_come_later() -> None:
    outputs = told(fit(baseline=False))["outputs"]
    assert (outputs.share, outputs.aspects) == (0, ())
    assert "2,000 live rows" in outputs.why


def test_many_columns_of_numbers_have_a_line_for_what_their_sums_tell() -> None:
    rng = np.random.default_rng(0)
    profile = Profile.fit({f"c{i}": rng.normal(size=400) for i in range(151)}, ordered=False)
    each_other = told(profile, "numeric columns~each other:floor=0.3")["numeric columns~each other"]
    assert aspect(each_other, "dependence").components == 32
    assert (each_other.floor, each_other.role) == (0.3, "correlation")


@pytest.mark.parametrize("name", ["below range", "missing"])
def test_so_many_rows_of_the_smallest_window_alarm_and_one_less_does_not(name: str) -> None:
    rng = np.random.default_rng(0)
    profile = Profile.fit({"x": rng.normal(size=4_000)}, ordered=False, policy={"x": {"aspects": [name]}})
    least = aspect(told(profile)["x"], name).least_rows
    assert least is not None
    for rows, is_found in ((least - 1, False), (least, True)):
        table = np.quantile(rng.normal(size=4_000), np.linspace(0.01, 0.99, 2 * SMALLEST))[::2]
        table[:rows] = np.nan if name == "missing" else -9
        alerts = DriftMonitor(profile, active=frozenset({0})).update({"x": table})
        assert bool(alerts) == is_found


def test_about_so_large_a_shift_of_the_smallest_window_alarms() -> None:
    rng = np.random.default_rng(0)
    profile = Profile.fit({"x": rng.random(4_000)}, ordered=False, policy={"x": {"aspects": ["location"]}})
    least = aspect(told(profile)["x"], "location").least_effect
    assert least is not None
    for part, is_found in ((0.9, False), (1.1, True)):
        shifted = np.linspace(0, 1, SMALLEST) * (1 - part * least / np.sqrt(3)) + part * least / np.sqrt(3)
        alerts = DriftMonitor(profile, active=frozenset({0})).update({"x": np.clip(shifted, 0, 1)})
        assert bool(alerts) == is_found


def test_a_hundred_columns_with_all_their_pairs_are_explained_in_a_moment() -> None:
    rng = np.random.default_rng(0)
    profile = Profile.fit({f"c{i}": rng.normal(size=500) for i in range(100)}, ordered=False)
    start = time.process_time()
    subjects = told(profile, *(f"c{i}:floor=0.3" for i in range(100)))
    assert time.process_time() - start < 1
    assert sum(each.share for each in subjects.values()) == pytest.approx(1)
