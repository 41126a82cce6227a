from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.errors import ConfigError
from streamapp.models import Baseline
from streamapp.quality import LossMonitor
from streamapp.quality.delay import measured_delay
from streamapp.quality.e_detector import upper_bound

Sampler = Callable[[np.random.Generator, int], npt.NDArray[np.float64]]


def coin(p: float) -> Sampler:
    return lambda rng, n: (rng.random(n) < p).astype(float)


def beta(a: float, b: float) -> Sampler:
    return lambda rng, n: rng.beta(a, b, n)


@pytest.mark.parametrize("sampler", [coin(0.1), coin(0.3), coin(0.01), beta(1, 4), beta(0.2, 0.6)])
def test_the_mean_run_length_is_the_number_that_was_set(sampler: Sampler) -> None:
    """Without drift, cut at 4 N, over references and streams: the mean is N or more, beyond 3 se."""
    every, runs = 500, []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        monitor = LossMonitor(sampler(rng, 300), false_alarm_every=every)
        alarms = monitor.alarms(sampler(rng, 4 * every))
        runs.append(alarms[0].index + 1 if alarms else 4 * every)
    assert np.mean(runs) - 3 * np.std(runs) / math.sqrt(len(runs)) > every


def test_the_run_length_is_not_far_above_the_number_either() -> None:
    """A monitor that never alarms would pass the test above; with the true mean as bound it must alarm."""
    rng = np.random.default_rng(0)
    monitor = LossMonitor(coin(0.2)(rng, 1_000_000), false_alarm_every=500)
    alarms = len(monitor.alarms(coin(0.2)(rng, 50_000)))
    assert 10 < alarms <= 100


@pytest.mark.parametrize("sampler", [coin(0.01), coin(0.2), beta(1, 4), beta(0.05, 2)])
def test_the_bound_lies_above_the_mean_for_19_of_20_references(sampler: Sampler) -> None:
    mean = float(sampler(np.random.default_rng(0), 1_000_000).mean())
    above = 0
    for seed in range(1_000):
        each = sampler(np.random.default_rng(seed + 1), 400)
        above += upper_bound(len(each), float(each.mean()), float(each.var())) >= mean
    assert above >= 940


def test_flipped_labels_are_found_soon() -> None:
    """10 % of labels flip at an error of 16 %, set to 10,000 rows: half of the runs within 500 rows."""
    delays = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        monitor = LossMonitor(coin(0.16)(rng, 4_000))
        assert monitor.update(coin(0.16)(rng, 500)) is None
        alarms = monitor.alarms(coin(0.16 + 0.1 * 0.68)(rng, 5_000))
        delays.append(alarms[0].index if alarms else 5_000)
    assert np.median(delays) < 500


def test_losses_that_fall_raise_no_alarm() -> None:
    rng = np.random.default_rng(1)
    monitor = LossMonitor(coin(0.5)(rng, 1_000), false_alarm_every=100)
    assert monitor.update(coin(0.2)(rng, 10_000)) is None


def test_the_alert_says_how_bad_and_since_when() -> None:
    monitor = LossMonitor(np.repeat([0.0, 1.0], [90, 10]), false_alarm_every=1_000)
    quiet = np.tile([0.0] * 9 + [1.0], 40)
    assert monitor.update(quiet) is None
    alert = monitor.update(np.ones(50))
    assert alert is not None
    assert (alert.kind, alert.state, alert.subject) == ("accuracy", "opened", "loss")
    assert alert.window is not None
    assert alert.window.to == alert.opened_at == 400 + alert.window.events - 1
    assert alert.false_alarm_every == 1_000
    assert alert.summary == f"loss is 1.000 over the last {alert.window.events} rows, 0.100 on the reference"


def test_after_an_alarm_it_starts_afresh() -> None:
    monitor = LossMonitor(np.repeat([0.0, 1.0], [90, 10]), false_alarm_every=1_000)
    alarms = monitor.alarms(np.ones(60))
    gaps = np.diff([-1, *(alarm.index for alarm in alarms)])
    assert len(alarms) > 5
    assert set(gaps) == {gaps[0]}
    assert {alarm.rows for alarm in alarms} == {int(gaps[0])}


@given(st.lists(st.integers(0, 400), max_size=6), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_batches_and_restarts_change_nothing(cuts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference, losses = rng.beta(1, 5, 200), rng.beta(1, 3, 400)
    whole = LossMonitor(reference, false_alarm_every=300).alarms(losses)
    assert whole
    monitor, found = LossMonitor(reference, false_alarm_every=300), []
    bounds = [0, *sorted(cuts), 400]
    for start, end in pairwise(bounds):
        found += [(start + a.index, a.rows, a.mean) for a in monitor.alarms(losses[start:end])]
        monitor = LossMonitor.restore(orjson.loads(orjson.dumps(monitor.snapshot())))
    assert found == [(a.index, a.rows, a.mean) for a in whole]


def test_a_bundles_baseline_serves_as_reference() -> None:
    losses = np.repeat([0.0, 1.0], [1_600, 400])
    baseline = Baseline.of_losses("zero-one", losses)
    assert LossMonitor(baseline).snapshot() == LossMonitor(losses).snapshot()


def test_a_reference_that_is_always_wrong_never_alarms() -> None:
    assert LossMonitor(np.ones(10), false_alarm_every=2).update(np.ones(1_000)) is None


def test_a_perfect_reference_alarms_at_the_first_mistakes() -> None:
    alarms = LossMonitor(np.zeros(1_000)).alarms(np.ones(10))
    assert alarms[0].index < 4


@pytest.mark.parametrize(
    ("losses", "message"),
    [([0.5, 1.5], "holds 1.5 in row 1"), ([np.nan], "holds nan in row 0"), ([[0.1]], r"shape \(1, 1\)")],
)
def test_what_is_no_loss_is_named_and_not_counted(losses: list[float], message: str) -> None:
    monitor = LossMonitor([0.0, 1.0])
    before = monitor.snapshot()
    with pytest.raises(ConfigError, match=message):
        monitor.update(losses)
    assert monitor.snapshot() == before
    with pytest.raises(ConfigError, match=message):
        LossMonitor(losses)


def test_settings_outside_their_bounds_are_refused() -> None:
    with pytest.raises(ConfigError, match="false_alarm_every is 1"):
        LossMonitor([0.0], false_alarm_every=1)
    with pytest.raises(ConfigError, match="reference_losses is empty"):
        LossMonitor([])


@pytest.mark.parametrize("every", [10_000, 300_000])
def test_labels_that_flip_are_found_about_when_it_is_said(every: int) -> None:
    """Few runs of one error: the figure is that of four errors from 0.1 to 0.26."""
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        monitor = LossMonitor(coin(0.16)(rng, 4_000), every)
        alarms = monitor.alarms(coin(0.16 + 0.1 * (1 - 2 * 0.16))(rng, 4_000))
        found.append(alarms[0].index + 1 if alarms else np.inf)
    assert measured_delay(every) == pytest.approx(np.median(found), rel=0.5)


def test_what_was_not_measured_is_said_as_the_nearest_that_was() -> None:
    delays = [measured_delay(every) for every in (2, 1_000, 10_000, 30_000, 100_000, 10**9, 10**12)]
    assert delays == sorted(delays)
    assert delays[:4] == [140, 140, 360, 510]
    assert delays[-1] == delays[-2]
