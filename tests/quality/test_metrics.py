from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import log_loss, roc_auc_score

from streamapp.quality.coverage import Coverage
from streamapp.quality.metrics import auc, log_losses, mean_interval

RNG = np.random.default_rng(5)


def test_log_loss_is_scikit_learns() -> None:
    y, p = RNG.integers(0, 2, 300), RNG.random(300)
    own = np.where(y == 1, p, 1 - p)
    assert log_losses(own).mean() == pytest.approx(log_loss(y, p))


def test_one_impossible_label_costs_a_finite_loss() -> None:
    assert log_losses([0.0, 1.0]).tolist() == pytest.approx([36.0437, 0.0], abs=1e-3)


@pytest.mark.parametrize("decimals", [1, 6])
def test_auc_is_scikit_learns_with_and_without_ties(decimals: int) -> None:
    y = RNG.integers(0, 2, 400)
    scores = (RNG.random(400) + 0.3 * y).round(decimals)
    assert auc(y == 1, scores) == pytest.approx(roc_auc_score(y, scores))


def test_auc_of_one_class_is_unknown() -> None:
    assert auc([True, True], [0.1, 0.2]) is None
    assert auc([], []) is None


@pytest.mark.parametrize(("wrong", "rows"), [(0, 30), (7, 30), (30, 30), (1, 1)])
def test_the_interval_of_a_share_is_wilsons(wrong: int, rows: int) -> None:
    exact = binomtest(wrong, rows).proportion_ci(method="wilson")
    values = np.repeat([1.0, 0.0], [wrong, rows - wrong])
    assert mean_interval(values) == pytest.approx((exact.low, exact.high))


def test_the_interval_of_graded_losses_holds_the_mean_as_often_as_it_says() -> None:
    samples = RNG.beta(1, 4, size=(1_000, 200))
    held = sum(low <= 0.2 <= high for low, high in map(mean_interval, samples))
    assert 930 <= held <= 970


def test_an_interval_stays_between_zero_and_one() -> None:
    assert mean_interval([0.01, 0.0, 0.02, 0.0])[0] == 0.0
    low, high = mean_interval([0.5])
    assert 0.0 < low < 0.5 < high < 1.0


def test_coverage_counts_the_requests_that_labels_span() -> None:
    partitions = np.repeat([0.0, 1.0], 100)
    offsets = np.concatenate((np.arange(0.0, 200.0, 2), np.arange(500.0, 600.0)))
    coverage = Coverage.of(partitions, offsets, np.arange(200.0))
    assert coverage.by_partition == pytest.approx({0: 0.5, 1: 1.0}, abs=0.01)
    assert coverage.ratio == pytest.approx(200 / 300, abs=0.01)
    assert coverage.label_age_ms == pytest.approx((99.5, 179.1, 197.01))


def test_one_label_that_came_a_month_late_adds_no_month_of_requests() -> None:
    offsets = np.concatenate(([0.0], np.arange(1_000_000.0, 1_000_100.0)))
    coverage = Coverage.of(np.zeros(101), offsets, np.zeros(101))
    assert coverage.ratio == 1.0
