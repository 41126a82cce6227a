from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.dashboard.charts import latency_chart
from streamapp.dashboard.latencies import add_latency, no_latencies, quantiles
from streamapp.dashboard.traffic import TrafficFold
from streamapp.messages import Distribution

MINUTE = 60_000


class Panes:
    """Panes of one partition, each behind the one before."""

    def __init__(self) -> None:
        self.offset = 0

    def next(self, events: int, *, rejected: int = 0) -> Distribution:
        first, self.offset = self.offset, self.offset + events
        return Distribution(
            version="v", partition=0, first_offset=first, next_offset=self.offset, events=events,
            rejected=rejected, from_=0, to=0,
        )  # fmt: skip


@pytest.fixture
def panes() -> Panes:
    return Panes()


def test_nothing_is_nothing() -> None:
    view = TrafficFold().view(10 * MINUTE)
    assert (view.per_s, view.last_ms, view.latency_ms, view.points) == (0.0, None, None, ())
    assert view.waiting is None


def test_rates_are_by_the_wall_clock_and_the_open_stretch_is_left_out(panes: Panes) -> None:
    fold = TrafficFold()
    for second in range(0, 300, 5):
        fold.count(panes.next(100, rejected=25), second * 1_000)
    view = fold.view(302_000)
    assert view.width_s == 5
    assert len(view.points) == 60
    assert {(point.answered, point.rejected) for point in view.points} == {(15.0, 5.0)}
    assert view.per_s == pytest.approx(20, rel=0.1)
    assert view.rejected_share == 0.25


def test_a_long_time_has_wider_points_and_at_most_ninety(panes: Panes) -> None:
    fold = TrafficFold()
    for minute in range(30 * 60):
        fold.count(panes.next(60), minute * MINUTE)
    view = fold.view(30 * 60 * MINUTE)
    assert len(view.points) <= 90
    assert view.width_s == 960
    assert sum(point.answered for point in view.points) / len(view.points) == pytest.approx(1.0, rel=0.02)


def test_panes_of_partitions_that_lag_are_counted_where_the_log_has_them(panes: Panes) -> None:
    fold = TrafficFold()
    fold.count(panes.next(10), 60_000)
    fold.count(panes.next(10), 30_000)  # clocks of two processes
    view = fold.view(70_000)
    assert view.last_ms == 60_000
    assert sum(point.answered * view.width_s for point in view.points) == pytest.approx(20)


def test_after_silence_the_rate_is_zero(panes: Panes) -> None:
    fold = TrafficFold()
    fold.count(panes.next(10), 1_000)
    assert fold.view(10 * MINUTE).per_s == 0.0


def test_a_pane_that_comes_again_is_counted_once(panes: Panes) -> None:
    fold = TrafficFold()
    first, second = panes.next(60), panes.next(40)
    for each in (first, second, first, second, second):
        fold.count(each, 60_000)
    assert sum(point.answered * 5 for point in fold.view(70_000).points) == pytest.approx(100)


def test_latency_is_that_of_the_last_minute() -> None:
    fold = TrafficFold()
    for offset in range(200):
        fold.time(0, offset, 5_000.0, 60_000)
        fold.time(0, offset, 20.0, 180_000)
    latency = fold.view(181_000).latency_ms
    assert latency is not None
    assert latency == pytest.approx((20, 20), rel=0.02)
    assert fold.view(181_000 + 2 * MINUTE).latency_ms is None


def test_points_have_the_latencies_of_their_time_and_gaps(panes: Panes) -> None:
    fold = TrafficFold()
    for second, latency_ms in ((0, 10.0), (10, 400.0)):
        fold.count(panes.next(10), second * 1_000)
        for offset in range(100):
            fold.time(0, offset, latency_ms, second * 1_000)
    points = fold.view(15_000).points
    assert [point.latency_ms is None for point in points] == [False, True, False]
    assert points[0].latency_ms == pytest.approx((10, 10), rel=0.02)
    assert points[2].latency_ms == pytest.approx((400, 400), rel=0.02)
    half, most = (series["data"] for series in latency_chart(fold.view(15_000))["series"][::-1])
    assert (half[1], most[1]) == (None, None)
    assert half[2] == pytest.approx(400, rel=0.02)


def test_what_waits_is_what_waits_at_every_look(panes: Panes) -> None:
    fold = TrafficFold()
    fold.count(panes.next(100), 0)
    for at_ms, end in ((0, 190), (2_000, 120), (4_000, 500)):
        fold.wait({0: end, 1: 7}, {0: 100, 1: 0}, at_ms)
    view = fold.view(5_000)
    assert (view.waiting, view.partitions) == (27, 2)  # of partition 1 nothing was ever answered
    assert fold.view(13_000).waiting == 407
    assert fold.view(15_000).waiting is None  # nobody has looked since


def test_where_answers_are_too_old_to_be_read_nothing_waits() -> None:
    fold = TrafficFold()
    fold.wait({0: 5_000_000}, {0: 5_000_100}, 0)
    assert fold.view(0).waiting == 0


def test_an_answer_says_how_far_requests_are_answered_before_its_pane_does(panes: Panes) -> None:
    fold = TrafficFold()
    fold.count(panes.next(100), 0)
    fold.time(0, 149, 10.0, 1_000)
    fold.wait({0: 150}, {0: 150}, 1_000)
    view = fold.view(1_000)
    assert (view.waiting, view.last_ms) == (0, 1_000)


def test_what_is_kept_of_a_long_time_is_bounded(panes: Panes) -> None:
    fold = TrafficFold()
    for hour in range(2_000):
        fold.count(panes.next(10), hour * 60 * MINUTE)
    assert len(fold.view(2_000 * 60 * MINUTE).points) == 90
    assert all(len(series._stretches) <= 91 for series in fold._series)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.1, 3_600_000.0), min_size=1, max_size=300), st.floats(0.0, 1.0))
def test_a_quantile_is_within_two_percent_of_the_latency_of_its_rank(
    latencies_ms: list[float], level: float
) -> None:
    counts = no_latencies()
    for each in latencies_ms:
        add_latency(counts, each)
    rank = max(math.ceil(level * len(latencies_ms)), 1)
    exact = sorted(latencies_ms)[rank - 1]
    assert quantiles(counts[None], [level])[0, 0] == pytest.approx(exact, rel=0.0201)


def test_latencies_beyond_all_bounds_are_counted() -> None:
    counts = no_latencies()
    for each in (0.0, 1e-9, 1e12):
        add_latency(counts, each)
    assert counts.sum() == 3
    assert np.isnan(quantiles(no_latencies()[None], [0.5])).all()
