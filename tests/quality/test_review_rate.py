from __future__ import annotations

import math

import numpy as np
import orjson
import pytest

from streamapp.errors import ConfigError
from streamapp.quality.review_rate import HOUR_MS, ReviewRate

DAYS = 3
HOURS = np.arange(24 * DAYS)
TRAFFIC = {
    "steady": np.full(len(HOURS), 500),
    "by day and night": (400 * (1.05 + np.sin(2 * np.pi * HOURS / 24))).astype(int),
    "ten times as much every other hour": np.where(HOURS % 2, 1000, 100),
    "thirty times as much from one hour on": np.where(HOURS < 30, 60, 1800),
    "none by night": np.where(HOURS % 24 < 8, 0, 600),
}


def expected_draws(rate: ReviewRate, traffic: np.ndarray, *, step_ms: int = 1, seed: int = 0) -> np.ndarray:
    """The sum of probabilities in each hour, of answers that come at random times in it."""
    rng = np.random.default_rng(seed)
    draws = np.zeros(len(traffic))
    for hour, count in enumerate(traffic):
        times = np.sort(rng.integers(0, HOUR_MS // step_ms, count)) * step_ms + hour * HOUR_MS
        for time_ms, uncertainty, is_novel in zip(
            times.tolist(), rng.random(count) ** 2, rng.random(count) < 0.01, strict=True
        ):
            draws[hour] += sum(rate.take(time_ms, uncertainty=uncertainty, novelty=float(is_novel)))
    return draws


@pytest.mark.parametrize("kind", TRAFFIC)
@pytest.mark.parametrize("per_hour", [10.0, 0.25])
def test_the_wanted_rate_holds_on_average_over_changing_traffic(kind: str, per_hour: float) -> None:
    traffic = TRAFFIC[kind]
    draws = expected_draws(ReviewRate(per_hour), traffic)
    assert draws[traffic > 0].mean() == pytest.approx(per_hour, rel=0.06)
    assert draws.max() < 2.5 * per_hour


def test_times_to_the_hour_change_nothing() -> None:
    draws = expected_draws(ReviewRate(10.0), TRAFFIC["steady"], step_ms=HOUR_MS)
    assert draws[1:].mean() == pytest.approx(10.0, rel=0.05)


def test_where_less_comes_than_is_wanted_all_is_drawn() -> None:
    rate = ReviewRate(10.0)
    expected_draws(rate, np.full(24, 5))
    assert sum(rate.take(24 * HOUR_MS, uncertainty=0.1, novelty=0.0)) == 1.0


def test_what_is_uncertain_or_novel_is_drawn_more_often_and_all_else_all_the_same() -> None:
    rate = ReviewRate(10.0)
    expected_draws(rate, np.full(10, 1000))
    now_ms = 10 * HOUR_MS

    def parts(uncertainty: float, novelty: float) -> tuple[float, float, float]:
        return rate.restored(rate.snapshot()).take(now_ms, uncertainty=uncertainty, novelty=novelty)

    plain, uncertain, novel = parts(0.0, 0.0), parts(1.0, 0.0), parts(0.0, 1.0)
    assert plain[0] > 0.0
    assert plain[1:] == (0.0, 0.0)
    assert uncertain[0] == novel[0] == plain[0]
    assert uncertain[1] == pytest.approx(plain[0] * 0.5 / (1 / 3), rel=0.05)  # the mean of U² is a third
    assert novel[2] == pytest.approx(plain[0] * 0.5 / 0.01, rel=0.3)
    assert plain[0] == pytest.approx(parts(1 / 3, 0.01)[0], abs=1e-12)
    assert sum(parts(1.0, 1.0)) <= 1.0


def test_without_scores_all_are_drawn_alike_at_the_same_rate() -> None:
    rate = ReviewRate(10.0)
    parts = [rate.take(second * 1000, uncertainty=0.0, novelty=0.0) for second in range(6 * 3600)]
    assert sum(map(sum, parts[-3600:])) == pytest.approx(10.0, rel=0.05)
    assert {part[1:] for part in parts} == {(0.0, 0.0)}


def test_the_first_novel_row_in_hours_is_probably_drawn() -> None:
    rate = ReviewRate(10.0)
    for second in range(6 * 3600):
        rate.take(second * 1000, uncertainty=0.5, novelty=0.0)
    assert sum(rate.take(6 * HOUR_MS, uncertainty=0.5, novelty=0.2)) > 0.6


def test_a_restored_state_goes_on_to_the_last_bit() -> None:
    rng = np.random.default_rng(3)
    whole, broken = ReviewRate(5.0), ReviewRate(5.0)
    now_ms = 0
    for _ in range(5_000):
        now_ms += int(rng.exponential(4_000))
        scores = {"uncertainty": float(rng.random()), "novelty": float(rng.random() < 0.02)}
        broken = broken.restored(orjson.loads(orjson.dumps(broken.snapshot())))
        assert broken.take(now_ms, **scores) == whole.take(now_ms, **scores)
        assert broken.admit(now_ms) == whole.admit(now_ms)
    assert broken.snapshot() == whole.snapshot()
    assert len(orjson.dumps(whole.snapshot())) < 2_500


def test_a_log_that_was_cut_leads_to_the_same_probabilities() -> None:
    rng = np.random.default_rng(4)
    whole, later = ReviewRate(5.0), ReviewRate(5.0)
    expected_draws(whole, np.full(20, 300), seed=1)  # what the other one never sees
    told = []
    for hour in range(20, 60):
        for time_ms in np.sort(rng.integers(0, HOUR_MS, 300)).tolist():
            now_ms, score = hour * HOUR_MS + time_ms, float(rng.random())
            both = [sum(rate.take(now_ms, uncertainty=score, novelty=0.0)) for rate in (whole, later)]
            told.append(both[0] / both[1] - 1.0)
    assert abs(told[0]) > 0.1
    assert np.abs(told[20 * 300 :]).max() < 1e-9


def test_the_cap_keeps_back_and_says_so_for_two_days() -> None:
    rate = ReviewRate(1.0, 3)
    assert [rate.admit(minute * 60_000) for minute in range(6)] == [True, True, True, False, False, False]
    assert rate.dropped(59 * 60_000) == 3
    assert [rate.admit(HOUR_MS + i) for i in range(4)] == [True, True, True, False]
    assert [rate.dropped(hour * HOUR_MS) for hour in (1, 24, 47, 48)] == [4, 4, 4, 0]


def test_the_default_cap_is_out_of_reach_of_chance() -> None:
    rng = np.random.default_rng(5)
    for per_hour in (0.1, 1.0, 10.0):
        rate = ReviewRate(per_hour)
        counts = rng.poisson(1.5 * per_hour, 2_000)
        assert all(rate.admit(hour * HOUR_MS) for hour, count in enumerate(counts) for _ in range(count))


@pytest.mark.parametrize(
    ("per_hour", "most"), [(0.0, None), (-1.0, None), (math.nan, None), (math.inf, None), (1.0, 0)]
)
def test_rates_that_draw_nothing_are_refused(per_hour: float, most: int | None) -> None:
    with pytest.raises(ConfigError, match="reviews an hour"):
        ReviewRate(per_hour, most)
