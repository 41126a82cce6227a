from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.quality.arrival import ArrivalCurve

AGES = np.array([200.0, 500.0, 1_000.0, 2_000.0, 3_000.0])


def came(rng: np.random.Generator, oldest: float, took: np.ndarray) -> ArrivalCurve:
    """The curve of labels that take `took`, to answers of the ages 0 to `oldest`, all labelled in the end."""
    waited = rng.uniform(0, oldest, len(took))
    is_in = took <= waited
    return ArrivalCurve.of(took[is_in], waited[is_in])


def test_labels_that_are_still_out_are_counted_in() -> None:
    curves = [
        came(rng, 6_000, rng.exponential(1_000, 2_000)) for rng in map(np.random.default_rng, range(60))
    ]
    shares = np.array([curve.at(AGES) for curve in curves])
    assert shares.mean(axis=0) == pytest.approx(1 - np.exp(-AGES / 1_000), abs=0.008)
    spread = np.sqrt([curve.variance_at(AGES) for curve in curves]).mean(axis=0) * shares.mean(axis=0)
    assert spread == pytest.approx(shares.std(axis=0), rel=0.35)


def test_counting_what_is_in_alone_would_say_too_much() -> None:
    rng = np.random.default_rng(0)
    waited, took = rng.uniform(0, 3_000, 4_000), rng.exponential(1_000, 4_000)
    seen = took[took <= waited]
    curve = ArrivalCurve.of(seen, waited[took <= waited])
    assert (seen <= 500).mean() > 0.5
    assert curve.at([500.0])[0] == pytest.approx(1 - np.exp(-0.5), abs=0.05)


@pytest.mark.parametrize("lag", [0.0, 4_000.0])
def test_what_takes_longer_than_the_oldest_answer_is_old_is_estimated(lag: float) -> None:
    found = [
        came(rng, lag + 2_000, lag + rng.exponential(1_000, 6_000)).beyond
        for rng in map(np.random.default_rng, range(40))
    ]
    assert np.mean(found) == pytest.approx(np.exp(-2), abs=0.05)


def test_labels_that_all_come_after_the_same_time_are_complete_from_then_on() -> None:
    waited = 3_600_000.0 + np.arange(2_000.0)
    curve = ArrivalCurve.of(np.full(2_000, 3_600_000.0), waited)
    assert curve.at([3_599_999.0, 3_600_000.0]).tolist() == [0.0, 1.0]
    assert curve.age_ms(0.5) == 3_600_000.0


def test_labels_at_once_are_all_there() -> None:
    curve = ArrivalCurve.of(np.zeros(100), np.arange(100.0))
    assert (curve.at([0.0])[0], curve.beyond, curve.age_ms(0.99)) == (1.0, 0.0, 0.0)


def test_a_delay_as_long_as_all_that_was_watched_says_nothing() -> None:
    rng = np.random.default_rng(2)
    waited = rng.uniform(0, 100.0, 5_000)
    took = rng.uniform(0, 100_000.0, 5_000)
    is_in = took <= waited
    assert not is_in.all()
    curve = ArrivalCurve.of(np.repeat(took[is_in], 100), np.repeat(waited[is_in], 100))
    assert curve.beyond > 0.5


def test_few_labels_say_nothing() -> None:
    curve = ArrivalCurve.of([1.0, 2.0], [5.0, 5.0])
    assert (curve.beyond, curve.at([9.0])[0], curve.variance_at([9.0])[0]) == (1.0, 0.0, 0.0)
    assert curve.age_ms(0.1) is None


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=300))
def test_shares_rise_from_0_to_at_most_1(pairs: list[tuple[int, int]]) -> None:
    took = np.array([age for age, _ in pairs], dtype=np.float64)
    curve = ArrivalCurve.of(took, took + [rest for _, rest in pairs])
    shares = curve.at(np.arange(-1.0, 130.0))
    assert (np.diff(shares) >= -1e-12).all()
    assert 0.0 == shares[0] <= shares[-1] <= 1.0 + 1e-12
    assert (curve.variances >= 0.0).all()
