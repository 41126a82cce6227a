from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.errors import ConfigError
from streamapp.models import Baseline, SegmentBaseline
from streamapp.models.column import Array
from streamapp.models.losses import Floats
from streamapp.quality.segmented_monitor import LossAlarm, SegmentedLossMonitor

SHARES = {"airport": [0.5, 0.3, 0.1, 0.1], "storm": [0.8, 0.2]}


def draw(
    rng: np.random.Generator, rows: int, error: float = 0.16, **bad: float
) -> tuple[Floats, dict[str, Array]]:
    """Losses of 0 and 1, and levels airport0… and storm0…; `bad` levels have an error of their own."""
    levels = {
        column: np.array([f"{column}{i}" for i in rng.choice(len(shares), rows, p=shares)], dtype=object)
        for column, shares in SHARES.items()
    }
    errors = np.full(rows, error)
    for level, own in bad.items():
        errors[np.any([each == level for each in levels.values()], axis=0)] = own
    return (rng.random(rows) < errors).astype(np.float64), levels


def made(rng: np.random.Generator, every: int, rows: int = 4_000, **bad: float) -> SegmentedLossMonitor:
    losses, levels = draw(rng, rows, **bad)
    return SegmentedLossMonitor(Baseline.of_losses("zero-one", losses, levels), every)


def take(values: dict[str, Array], rows: slice) -> dict[str, Array]:
    return {name: own[rows] for name, own in values.items()}


def told(alarms: list[LossAlarm], shift: int = 0) -> list[tuple[Any, ...]]:
    return [
        (shift + a.index, (shift + a.positions).tolist(), a.mean, a.usual, a.segment, a.share) for a in alarms
    ]


def test_all_segments_together_have_the_run_length_that_was_set() -> None:
    """Without drift, levels that differ in their usual error, cut at 4 N: the mean is N or more."""
    every, runs = 500, []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        monitor = made(rng, every, 1_000, airport1=0.3, storm1=0.4)
        alarms = monitor.alarms(*draw(rng, 4 * every, airport1=0.3, storm1=0.4))
        runs.append(alarms[0].index + 1 if alarms else 4 * every)
    assert np.mean(runs) - 3 * np.std(runs) / math.sqrt(len(runs)) > every


def test_with_true_means_for_bounds_it_does_alarm() -> None:
    error, variance, many = 0.16, 0.16 * 0.84, 10**9
    segments = tuple(
        SegmentBaseline(column, f"{column}{i}", many, error, variance)
        for column, shares in SHARES.items()
        for i in range(len(shares))
    )
    baseline = Baseline(many, "zero-one", error, variance, (0.0, 1.0), segments=segments)
    alarms = SegmentedLossMonitor(baseline, 500).alarms(*draw(np.random.default_rng(0), 50_000))
    assert 5 < len(alarms) <= 100


def test_a_segment_that_goes_bad_is_found_and_named() -> None:
    """10 % of the rows go from an error of 16 % to 60 %: 6 % more mistakes in all."""
    found = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        monitor = made(rng, 10_000)
        assert not monitor.alarms(*draw(rng, 500))
        found.append(monitor.alarms(*draw(rng, 3_000, airport2=0.6))[0])
    assert [alarm.segment for alarm in found].count(("airport", "airport2")) >= 8
    assert np.median([alarm.index for alarm in found]) < 800


def test_a_segment_is_named_too_where_the_term_of_all_rows_is_the_largest() -> None:
    rng = np.random.default_rng(0)
    losses, levels = draw(rng, 1_200, 0.05)
    monitor = SegmentedLossMonitor(Baseline.of_losses("zero-one", losses, levels), 10_000)
    alarm = monitor.alarms(*draw(rng, 3_000, 0.05, airport2=0.3))[0]
    assert alarm.segment == ("airport", "airport2")
    assert alarm.share < 0.5


def test_what_is_bad_everywhere_is_said_of_all_rows() -> None:
    rng = np.random.default_rng(1)
    monitor = made(rng, 10_000)
    alarm = monitor.alarms(*draw(rng, 3_000, 0.35))[0]
    assert alarm.segment is None
    assert alarm.share > 0.5


def test_the_alarm_tells_which_rows_are_worse_and_what_they_were_used_to() -> None:
    rng = np.random.default_rng(2)
    monitor = made(rng, 10_000, airport2=0.3)
    before, where_before = draw(rng, 600, airport2=0.3)
    after, where_after = draw(rng, 2_000, airport2=0.9)
    monitor.alarms(before, where_before)
    alarm = monitor.alarms(after, where_after)[0]
    assert alarm.segment == ("airport", "airport2")
    assert alarm.usual == pytest.approx(0.3, abs=0.06)
    assert alarm.positions[-1] == alarm.index
    both = np.concatenate((before, after))
    places = np.concatenate((where_before["airport"], where_after["airport"]))
    assert set(places[600 + alarm.positions]) == {"airport2"}
    assert alarm.mean == both[600 + alarm.positions].mean()
    assert alarm.positions[0] > -200


def test_after_an_alarm_all_start_afresh() -> None:
    monitor = made(np.random.default_rng(3), 1_000)
    rows = np.full(200, "airport2", dtype=object)
    alarms = monitor.alarms(np.ones(200), {"airport": rows, "storm": np.full(200, "storm0", dtype=object)})
    gaps = set(np.diff([-1, *(alarm.index for alarm in alarms)]).tolist())
    assert len(alarms) > 3
    assert len(gaps) == 1
    assert {alarm.rows for alarm in alarms} == gaps


@given(st.lists(st.integers(0, 1_500), max_size=6), st.integers(0, 3))
@settings(max_examples=15, deadline=None)
def test_batches_and_restarts_change_nothing(cuts: list[int], seed: int) -> None:
    start = made(np.random.default_rng(seed), 300).snapshot()
    losses, levels = draw(np.random.default_rng(seed + 9), 1_500, airport2=0.8)
    whole = SegmentedLossMonitor.restore(start).alarms(losses, levels)
    assert whole
    monitor, found = SegmentedLossMonitor.restore(start), []
    for first, end in pairwise([0, *sorted(cuts), 1_500]):
        rows = slice(first, end)
        found += told(monitor.alarms(losses[rows], take(levels, rows)), first)
        monitor = SegmentedLossMonitor.restore(orjson.loads(orjson.dumps(monitor.snapshot())))
    assert found == told(whole)


def test_rare_levels_are_watched_as_other() -> None:
    levels = np.array(["big"] * 500 + ["rare"] * 30 + ["rarer"] * 30 + ["other"] * 10, dtype=object)
    monitor = SegmentedLossMonitor(Baseline.of_losses("brier", np.full(570, 0.1), {"city": levels}), 1_000)
    assert monitor.segments == [("city", "big"), ("city", "other")]
    bad = np.array(["rare", "new", "other"] * 100, dtype=object)
    assert monitor.alarms(np.full(300, 0.9), {"city": bad})[0].segment in {None, ("city", "other")}


def test_too_few_rows_of_other_are_not_watched() -> None:
    levels = np.array(["big"] * 500 + ["mid"] * 60 + ["rare"] * 49, dtype=object)
    monitor = SegmentedLossMonitor(Baseline.of_losses("brier", np.full(609, 0.1), {"city": levels}), 1_000)
    assert monitor.segments == [("city", "big"), ("city", "mid")]


def test_a_column_of_one_level_takes_no_weight_from_the_others() -> None:
    losses = np.random.default_rng(0).random(500)
    same = np.full(500, "one", dtype=object)
    monitor = SegmentedLossMonitor(Baseline.of_losses("brier", losses, {"city": same}), 1_000)
    alone = SegmentedLossMonitor(Baseline.of_losses("brier", losses), 1_000)
    assert monitor.snapshot() == alone.snapshot()


def test_rows_whose_level_is_not_known_count_for_all_rows_alone() -> None:
    monitor = made(np.random.default_rng(4), 1_000)
    nothing = {"airport": np.full(60, None, dtype=object)}
    assert {alarm.segment for alarm in monitor.alarms(np.ones(60), nothing)} == {None}


def test_the_bounds_of_all_segments_hold_together_for_19_of_20_references() -> None:
    held = 0
    for seed in range(200):
        monitor = made(np.random.default_rng(seed), 1_000, 1_000)
        held += all(each["bound"] >= 0.16 for each in monitor.snapshot()["detectors"])
    assert held >= 190 - 3 * math.sqrt(200 * 0.05 * 0.95)


def test_what_was_kept_before_there_were_segments_goes_on() -> None:
    old = {
        "false_alarm_every": 1_000, "reference_mean": 0.1, "bound": 0.12, "bets": [0.5, 2.0], "rows": 7,
        "state": [600.0, 1_000.0], "recent": [1.0] * 7,
    }  # fmt: skip
    monitor = SegmentedLossMonitor.restore(old)
    assert monitor.rows == 7
    alarms = monitor.alarms([1.0])
    assert [(alarm.usual, alarm.rows) for alarm in alarms] == [(0.1, 8)]


def test_settings_and_losses_outside_their_bounds_are_refused() -> None:
    with pytest.raises(ConfigError, match="false_alarm_every is 1 rows"):
        SegmentedLossMonitor(Baseline.of_losses("brier", np.zeros(10)), 1)
    monitor = made(np.random.default_rng(5), 1_000)
    before = monitor.snapshot()
    with pytest.raises(ConfigError, match=r"holds 1.5 in row 0"):
        monitor.alarms([1.5])
    assert monitor.snapshot() == before
