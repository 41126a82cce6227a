from __future__ import annotations

import pytest

from streamapp.dashboard.traffic import TrafficFold
from streamapp.messages import Distribution

MINUTE = 60_000


def pane(events: int, *, rejected: int = 0) -> Distribution:
    return Distribution(
        version="v", partition=0, first_offset=0, next_offset=events, events=events, rejected=rejected,
        from_=0, to=0,
    )  # fmt: skip


def test_nothing_is_nothing() -> None:
    view = TrafficFold().view(10 * MINUTE)
    assert (view.per_s, view.last_ms, view.latency_ms, view.points) == (0.0, None, None, ())


def test_rates_are_by_the_wall_clock_and_the_open_stretch_is_left_out() -> None:
    fold = TrafficFold()
    for second in range(0, 300, 5):
        fold.count(pane(100, rejected=25), second * 1_000)
    view = fold.view(302_000)
    assert view.width_s == 5
    assert len(view.points) == 60
    assert {(point.answered, point.rejected) for point in view.points} == {(15.0, 5.0)}
    assert view.per_s == pytest.approx(20, rel=0.1)
    assert view.rejected_share == 0.25


def test_a_long_time_has_wider_points_and_at_most_ninety() -> None:
    fold = TrafficFold()
    for minute in range(30 * 60):
        fold.count(pane(60), minute * MINUTE)
    view = fold.view(30 * 60 * MINUTE)
    assert len(view.points) <= 90
    assert view.width_s == 960
    assert sum(point.answered for point in view.points) / len(view.points) == pytest.approx(1.0, rel=0.02)


def test_panes_of_partitions_that_lag_are_counted_where_the_log_has_them() -> None:
    fold = TrafficFold()
    fold.count(pane(10), 60_000)
    fold.count(pane(10), 30_000)  # clocks of two processes
    view = fold.view(70_000)
    assert view.last_ms == 60_000
    assert sum(point.answered * view.width_s for point in view.points) == pytest.approx(20)


def test_after_silence_the_rate_is_zero() -> None:
    fold = TrafficFold()
    fold.count(pane(10), 1_000)
    assert fold.view(10 * MINUTE).per_s == 0.0
