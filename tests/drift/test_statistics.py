from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from streamapp.drift.statistics import (
    discoveries,
    exact_small_counts,
    location_in_sd,
    normal_of_student,
    psi,
    signed_root,
)


def floats(*values: float) -> list[np.ndarray]:
    return [np.array([value], dtype=np.float64) for value in values]


@given(st.integers(0, 200), st.integers(1, 200), st.integers(0, 5_000), st.integers(1, 5_000))
def test_the_signed_root_squared_is_the_likelihood_ratio_statistic(k: int, n: int, k0: int, n0: int) -> None:
    k, k0 = min(k, n), min(k0, n0)
    root = float(signed_root(*floats(k, n, k0, n0))[0])
    if 0 < k + k0 < n + n0:
        table = [[k, n - k], [k0, n0 - k0]]
        expected = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
        assert root**2 == pytest.approx(expected, abs=1e-6)
    else:
        assert root == 0
    assert np.sign(root) in (0, np.sign(k / n - k0 / n0))


def test_an_empty_window_says_nothing() -> None:
    assert signed_root(*floats(0, 0, 20, 100)).tolist() == [0]


@pytest.mark.parametrize("k", range(3, 12))
@pytest.mark.parametrize("k0", [0, 1, 5, 20])
def test_few_hits_are_no_likelier_than_the_exact_test_says(k: int, k0: int) -> None:
    args = floats(k, 64, k0, 4_000)
    z = exact_small_counts(signed_root(*args), *args)[0]
    exact = stats.fisher_exact([[k, 64 - k], [k0, 4_000 - k0]], alternative="greater").pvalue
    if z > 3:
        assert stats.norm.sf(z) >= exact * 0.99
    mirrored = floats(64 - k, 64, 4_000 - k0, 4_000)
    assert exact_small_counts(signed_root(*mirrored), *mirrored)[0] == pytest.approx(-z)


@pytest.mark.parametrize(("k", "k0"), [(0, 736), (0, 1_000), (1, 1_200), (40, 800), (64, 2_500)])
def test_an_empty_or_full_cell_is_held_near_the_exact_test(k: int, k0: int) -> None:
    args = floats(k, 64, k0, 4_000)
    z = exact_small_counts(signed_root(*args), *args)[0]
    law = stats.hypergeom(4_064, k + k0, 64)
    exact = stats.norm.isf(law.cdf(k) if z < 0 else law.sf(k - 1))
    assert abs(z) == pytest.approx(exact, rel=0.05)
    assert abs(z) < abs(signed_root(*args)[0])


@pytest.mark.parametrize("freedom", [12, 30, 100])
@pytest.mark.parametrize("t", [-6.0, 2.0, 4.0, 8.0])
def test_students_tail_becomes_a_normal_one(t: float, freedom: int) -> None:
    z = float(normal_of_student(np.array([t]), np.array([float(freedom)]))[0])
    assert z == pytest.approx(np.sign(t) * stats.norm.isf(stats.t.sf(abs(t), freedom)), rel=0.01)


def test_infinite_freedom_is_normal_already() -> None:
    assert normal_of_student(np.array([5.0]), np.array([np.inf])).tolist() == [5.0]


@pytest.mark.parametrize("shift", [-1.5, -0.2, 0.0, 0.5, 2.0])
def test_a_mean_rank_tells_the_shift_of_a_normal_distribution(shift: float) -> None:
    grid = stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    location = np.sqrt(3) * (2 * stats.norm.cdf(grid + shift) - 1)
    assert location_in_sd(float(location.mean())) == pytest.approx(shift, abs=1e-3)


def test_psi_is_the_symmetric_divergence_of_large_counts() -> None:
    q, p = np.array([0.2, 0.3, 0.5]), np.array([0.4, 0.4, 0.2])
    expected = stats.entropy(q, p) + stats.entropy(p, q)
    assert psi(q * 1e7, p * 1e7) == pytest.approx(expected, rel=1e-4)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.sampled_from([0.01, 0.05, 0.2]))
def test_discoveries_are_those_of_scipys_adjusted_p_values(p: list[float], rate: float) -> None:
    values = np.array(p)
    # Away from ties with the bound itself, where rounding decides.
    for dependent, method in ((False, "bh"), (True, "by")):
        adjusted = stats.false_discovery_control(values, method=method)
        clear = np.abs(adjusted - rate) > 1e-9
        found = discoveries(values, rate, dependent=dependent)
        assert (found[clear] == (adjusted[clear] < rate)).all()
