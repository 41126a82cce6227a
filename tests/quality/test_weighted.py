from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from streamapp.quality.agreement import LabelAgreement
from streamapp.quality.calibration import calibration_error
from streamapp.quality.metrics import mean_interval
from streamapp.quality.weighted import weighted_mean

RNG = np.random.default_rng(21)


@pytest.mark.parametrize("values", [RNG.random(50) < 0.2, RNG.random(50), np.ones(3), np.zeros(1), [0.5]])
def test_equal_weights_are_no_weights(values: np.ndarray) -> None:
    found = weighted_mean(values, np.full(len(values), 7.0))
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.low, found.high) == pytest.approx(mean_interval(values), abs=4e-3)


@pytest.mark.parametrize("is_graded", [False, True])
def test_the_interval_of_unequal_rows_holds_the_mean_as_often_as_it_says(is_graded: bool) -> None:
    held = 0
    for seed in range(600):
        rng = np.random.default_rng(seed)
        group = rng.random(600) < 0.5
        losses = rng.beta(2 + 4 * group, 8) if is_graded else rng.random(600) < 0.05 + 0.25 * group
        chance = np.where(group, 0.3, 0.9)
        is_seen = rng.random(600) < chance
        found = weighted_mean(losses[is_seen], 1 / chance[is_seen])
        held += found.low <= ((2 / 10 + 6 / 14) / 2 if is_graded else 0.175) <= found.high
    assert 0.92 * 600 <= held <= 0.98 * 600


def test_not_knowing_the_weights_widens_it() -> None:
    values, weights = RNG.random(100), RNG.uniform(1, 3, 100)
    sure, unsure = weighted_mean(values, weights), weighted_mean(values, weights, 0.01)
    assert unsure.mean == sure.mean
    assert unsure.low < sure.low < sure.high < unsure.high


def test_kappa_is_scikit_learns() -> None:
    systems = RNG.choice(["a", "b", "c"], 400)
    persons = np.where(RNG.random(400) < 0.7, systems, RNG.choice(["a", "b", "c"], 400))
    agreement = LabelAgreement()
    for pair in zip(systems.tolist(), persons.tolist(), strict=True):
        agreement.add(*pair)
    assert agreement.kappa == pytest.approx(cohen_kappa_score(systems, persons))
    assert agreement.share == pytest.approx((systems == persons).mean())


def test_kappa_of_nothing_and_of_one_class_is_unknown() -> None:
    agreement = LabelAgreement()
    assert agreement.share is agreement.kappa is None
    one_class = LabelAgreement()
    one_class.add("a", "a")
    assert (one_class.share, one_class.kappa) == (1.0, None)


def test_agreement_is_of_the_last_answers() -> None:
    agreement = LabelAgreement(size=2)
    for person in "baa":
        agreement.add("a", person)
    assert (len(agreement), agreement.share) == (2, 1.0)


def test_honest_probabilities_have_a_small_calibration_error() -> None:
    sure = RNG.uniform(0.5, 1.0, 20_000)
    right = RNG.random(20_000) < sure
    assert calibration_error(sure, right) < 0.02
    assert calibration_error(np.sqrt(sure), right) == pytest.approx(
        float((np.sqrt(sure) - sure).mean()), abs=0.02
    )


def test_calibration_of_fewer_rows_than_bins() -> None:
    assert calibration_error([0.75, 0.6], [1, 0]) == pytest.approx((0.25 + 0.6) / 2)
