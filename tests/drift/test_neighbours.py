from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from streamapp.drift import DriftMonitor
from streamapp.drift.neighbours import Neighbours
from streamapp.profile import Profile

ROWS = np.full(40, 64)


def neighbours(*, share: float | None = None) -> Neighbours:
    kurtosis = 3.0 if share is None else 1 / (share * (1 - share)) - 3
    return Neighbours(np.ones(40), np.full(40, kurtosis), np.full(40, share is not None))


def means(rng: np.random.Generator, rounds: int, phi: float = 0.0) -> np.ndarray:
    """Means of rounds of 64 of 40 autoregressions with variance 1."""
    noise = rng.normal(size=(40, rounds * 64 + 200)) * np.sqrt(1 - phi**2)
    series = lfilter([1.0], [1.0, -phi], noise, axis=1)[:, 200:]
    return np.asarray(series.reshape(40, rounds, 64).mean(axis=2).T)


@pytest.mark.parametrize("rounds", [9, 100, 1_200])
def test_independent_rounds_are_not_inflated(rounds: int) -> None:
    own = neighbours()
    for mean in means(np.random.default_rng(1), rounds):
        own.add(mean, ROWS)
    factor, freedom = own.factor()
    assert (factor == 1).all()
    assert np.isinf(freedom).all()


def test_dependent_rounds_are_inflated_by_what_they_vary_more_beyond_doubt() -> None:
    own = neighbours()
    for mean in means(np.random.default_rng(2), 200, phi=0.9):
        own.add(mean, ROWS)
    factor, freedom = own.factor()
    assert np.median(factor) == pytest.approx(
        14.8, rel=0.1
    )  # 16.2 of a round, less 1.4 that neighbours share
    assert factor.min() > 8
    assert 60 < freedom.max() < 200


def test_a_jump_of_the_level_is_no_dependence() -> None:
    own, level = neighbours(), np.repeat([0.0, 2.0], 8)
    for mean, jump in zip(means(np.random.default_rng(3), 16), level, strict=True):
        own.add(mean + jump, ROWS)
    assert (own.factor()[0] == 1).all()


def test_a_share_that_has_grown_varies_more_without_being_dependent() -> None:
    own, rng = neighbours(share=0.02), np.random.default_rng(4)
    for p in np.repeat([0.02, 0.3], 50):
        own.add(rng.binomial(64, p, size=40) / 64, ROWS)
    assert own.factor()[0].mean() < 1.05  # by the variance of the old share it would be 6


def test_rounds_that_are_no_neighbours_are_not_compared() -> None:
    own = neighbours()
    for i, mean in enumerate(means(np.random.default_rng(5), 60)):
        own.add(mean + 3 * i, ROWS)
        own.part()
    assert (own.factor()[0] == 1).all()


def test_a_component_without_rows_says_nothing() -> None:
    own, rng = neighbours(), np.random.default_rng(6)
    for i in range(40):
        own.add(5 * rng.normal(size=40), np.where(np.arange(40) < 20, 0, 64) if i % 2 else ROWS)
    factor, _ = own.factor()
    assert (factor[:20] == 1).all()
    assert (factor[20:] > 10).all()


def test_restored_it_goes_on_as_if_it_had_never_stopped() -> None:
    whole, again = neighbours(), neighbours()
    before = None
    for mean in means(np.random.default_rng(7), 540, phi=0.5):
        state, again = again.to_dict(), neighbours()
        if before is not None:  # as the scan does: the last round of the windows is added again
            again.add(before, ROWS)
        again.load(state)
        whole.add(mean, ROWS)
        again.add(mean, ROWS)
        assert again.to_dict() == whole.to_dict()
        before = mean
    assert (whole.factor()[0] > 1).any()


def test_after_a_shuffled_reference_the_live_rows_show_that_they_depend_on_each_other() -> None:
    rng = np.random.default_rng(8)
    noise = rng.normal(size=(10, 40_000)) * np.sqrt(1 - 0.9**2)
    series = lfilter([1.0], [1.0, -0.9], noise, axis=1)
    reference, live = series[:, rng.permutation(20_000)], series[:, 20_000:]
    monitor = DriftMonitor(
        Profile.fit({f"c{i}": own for i, own in enumerate(reference)}, ordered=False),
        false_alarm_every=10_000,
        clear_after=500,
    )
    opened = [a for a in monitor.update({f"c{i}": own for i, own in enumerate(live)}) if a.state == "opened"]
    late = [alert for alert in opened if alert.opened_at > 4_000]
    assert len(late) <= 6  # 1.6 are set; without the live rows' variance there are hundreds
    monitor.update({f"c{i}": own[:3_200] + (2.0 if i == 3 else 0.0) for i, own in enumerate(live)})
    assert "c3" in [feature.name for alert in monitor.open_alerts for feature in alert.features]
