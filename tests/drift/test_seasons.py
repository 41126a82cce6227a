"""Windows against the reference of the same hours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import orjson
import pytest

from streamapp.drift import DriftMonitor, Pane, Span
from streamapp.drift.detector import Detector
from streamapp.drift.selftest import SelfTest
from streamapp.errors import ProfileError
from streamapp.messages import Alert
from streamapp.profile import Columns, Profile
from streamapp.profile.season import DAY_MS
from tests.drift.seasons import START_MS, cyclic

PER_DAY = 960
REFERENCE, TIMES = cyclic(1, days=30, per_day=PER_DAY)
PROFILE = Profile.fit(REFERENCE, times=TIMES)
POOLED = Profile.fit(REFERENCE, ordered=False)


CYCLIC = {"c0", "c1", "c2"}


def live(
    seed: int, days: float, *, per_day: int = PER_DAY, after: float = 31.3
) -> tuple[Columns, np.ndarray]:
    return cyclic([seed, 7], days=days, per_day=per_day, first_ms=START_MS + int(after * DAY_MS))


def opened(monitor: DriftMonitor, table: Columns, times: np.ndarray) -> list[Alert]:
    return [alert for alert in monitor.update(table, times=times) if alert.state == "opened"]


def named(alerts: list[Alert]) -> set[str]:
    return {name for alert in alerts for feature in alert.features for name in feature.name.split("~")}


def panes(table: Columns, times: np.ndarray, sizes: list[int]) -> Iterator[Pane]:
    at = 0
    for size in sizes:
        part = {name: values[at : at + size] for name, values in table.items()}
        span = Span(int(times[at]), int(times[at + size - 1]), size, {0: (at, at + size)})
        yield Pane(0, span, PROFILE.summarize(part))
        at += size


def test_a_daily_cycle_is_no_drift() -> None:
    # 4,000 requests a day: the longest window is half of one.
    table, times = live(2, 10, per_day=4_000)
    assert not named(opened(DriftMonitor(PROFILE), table, times)) & CYCLIC
    by_the_whole = opened(DriftMonitor(POOLED), table, times)
    assert {alert.kind for alert in by_the_whole} >= {"input", "correlation"}


def test_alarms_come_at_the_rate_that_is_set() -> None:
    alarms = events = 0
    for seed in range(6):
        reference, known = cyclic([seed, 1], days=20, per_day=480)
        profile = Profile.fit(reference, times=known)
        assert profile.is_seasonal
        table, times = live(seed, 20, per_day=1_000)
        for at in range(0, len(times), 5_000):  # each begins anew: an open alert hides the next one
            part = {name: values[at : at + 5_000] for name, values in table.items()}
            monitor = DriftMonitor(profile, false_alarm_every=10_000)
            alarms += len(opened(monitor, part, times[at : at + 5_000]))
            events += 5_000
    assert alarms <= 2 * events / 10_000


@pytest.mark.parametrize("column", ["c0", "c9"])
def test_drift_on_top_of_the_cycle_is_found_and_named(column: str) -> None:
    for seed in range(5):
        table, times = live(seed, 2, per_day=4_000)
        table[column] = table[column] + 0.5
        alert = opened(DriftMonitor(PROFILE), table, times)[0]
        assert (alert.kind, alert.subject, alert.features[0].aspect) == ("input", column, "location")
        assert alert.window is not None
        assert alert.window.partitions["0"][1] <= 640
        # In sd of the reference as a whole, which for c0 is 1.22.
        assert alert.features[0].effect == pytest.approx(0.5 / (1.22 if column == "c0" else 1), abs=0.25)


def test_a_cycle_that_stops_is_drift() -> None:
    table, times = live(3, 1, per_day=4_000)
    rng = np.random.default_rng(0)
    table["c1"] = rng.normal(0, np.sqrt(1.5), len(times))
    assert "c1" in {alert.subject for alert in opened(DriftMonitor(PROFILE), table, times)}


def test_rows_at_another_hour_than_their_own_are_drift() -> None:
    table, times = live(3, 1, per_day=4_000)
    assert opened(DriftMonitor(PROFILE), table, times + DAY_MS // 2)


def test_a_window_over_several_hours_is_what_its_panes_say_in_any_order_and_cut() -> None:
    table, times = live(4, 1)
    one, other = Detector(PROFILE, 100_000), Detector(PROFILE, 100_000)
    for pane in panes(table, times, [64] * 10):
        one.push([pane])
    other.push(list(panes(table, times, [64] * 10))[::-1])
    look, again = one.scan.look(), other.scan.look()
    at = look.windows.index(10)
    for name in ("z", "effect", "now", "before"):
        assert getattr(look, name)[at].tolist() == getattr(again, name)[-1].tolist()


def test_what_is_expected_of_a_window_is_the_reference_of_its_hours() -> None:
    table, times = live(5, 1, per_day=4_000)
    detector = Detector(PROFILE, 100_000)
    for pane in panes(table, times, [64] * 20):
        detector.push([pane])
    look = detector.scan.look()
    parts = [(part.name, part.aspect) for part in detector.parts]
    at = times[: 64 * 20]
    for name in ("c0", "c1", "c2"):
        ranks = np.argsort(np.argsort(REFERENCE[name])) / len(TIMES)
        location = np.sqrt(3) * (2 * ranks - 1)
        # The mean of reference rows at the same minutes of other days, twenty minutes around.
        near = np.abs((TIMES[None] - at[::64, None] + DAY_MS // 2) % DAY_MS - DAY_MS // 2) < 600_000
        expected = np.mean([location[own].mean() for own in near])
        k = parts.index((name, "location"))
        assert look.before[-1, k] == pytest.approx(expected, abs=0.06)
        assert look.before[-1, k] == pytest.approx(look.now[-1, k], abs=0.12)
    k = parts.index(("c9", "location"))
    assert (look.before[:, k] == detector.comparison.reference[k]).all()


def test_correlations_are_those_of_what_the_cycle_leaves() -> None:
    table, times = live(6, 3)
    table["c1"][table["c2"] > 0.8], table["c2"][::5] = np.nan, np.nan  # not missing by chance
    reference = {name: values.copy() for name, values in REFERENCE.items()}
    reference["c1"][::9], reference["c2"][::4] = np.nan, np.nan
    profile = Profile.fit(reference, times=TIMES)
    pairs = list(zip(profile.pairs.first.tolist(), profile.pairs.second.tolist(), strict=True))
    at = pairs.index((1, 2))
    # Both are a sine of amplitude 1 and noise of variance 1: .27 with the cycle.
    assert profile.pairs.correlation[at] == pytest.approx(0, abs=0.02)
    comparison = Detector(profile, 100_000).comparison
    assert comparison.seasonal is not None
    hours = times % DAY_MS // 3_600_000
    vector = None
    for hour in range(24):
        own = {name: values[hours == hour] for name, values in table.items()}
        summary = profile.summarize(own)
        middle = hour * 3_600_000 + 1_800_000
        part = comparison.seasonal.part(summary.counts, summary.apart, middle, middle)
        raw = comparison.vectors(summary.counts, summary.pairs, summary.apart)
        vector = comparison.with_season(raw, part) + (0 if vector is None else vector)
    assert vector is not None
    _, effect, now, before = comparison.compare(vector[None])
    k = len(comparison.measures.components) + at
    # The same by the rows: ranks less the mean rank of the hour, where both are there.
    ranks = {}
    for name in ("c1", "c2"):
        edges = np.sort(reference[name][~np.isnan(reference[name])])
        ranks[name] = np.where(np.isnan(table[name]), np.nan, edges.searchsorted(table[name]) / len(edges))
        known = np.where(np.isnan(reference[name]), np.nan, edges.searchsorted(reference[name]) / len(edges))
        of = TIMES % DAY_MS // 3_600_000
        ranks[name] -= np.array([np.nanmean(known[of == hour]) for hour in range(24)])[hours]
    both = ~np.isnan(ranks["c1"] + ranks["c2"])
    direct = np.corrcoef(ranks["c1"][both], ranks["c2"][both])[0, 1]
    assert now[0, k] == pytest.approx(direct, abs=0.01)
    assert before[0, k] == profile.pairs.correlation[at]
    assert effect[0, k] == now[0, k] - before[0, k]


def test_long_panes_are_compared_with_the_hours_that_they_span() -> None:
    for seed in range(5):  # 64 rows are six hours, or three days
        assert not named(opened(DriftMonitor(PROFILE), *live(seed, 10, per_day=250))) & CYCLIC
        assert not named(opened(DriftMonitor(PROFILE), *live(seed, 60, per_day=24))) & CYCLIC


def with_steps(table: Columns, times: np.ndarray) -> Columns:
    """Return a column that is the hour, one that is missing at night, and one that leaps twice a day."""
    hour = times % DAY_MS * 24 // DAY_MS
    lit, leaps = np.where(hour < 5, np.nan, table["c8"]), table["c9"] + 3 * ((hour >= 6) & (hour < 20))
    return {"hour": hour * 1.0, "lit": lit, "leaps": leaps, "c5": table["c5"]}


def test_what_changes_at_once_on_the_hour_is_no_drift() -> None:
    profile = Profile.fit(with_steps(REFERENCE, TIMES), times=TIMES)
    assert profile.season is not None
    assert profile.season.columns == ("hour", "lit", "leaps")
    for seed, per_day in ((1, 300), (2, 4_000), (3, 30_000)):
        table, times = live(seed, max(1, 6_000 // per_day), per_day=per_day)
        assert opened(DriftMonitor(profile), with_steps(table, times), times) == []
        moved = with_steps(table, times)
        moved["leaps"] = moved["leaps"] + 1
        assert opened(DriftMonitor(profile), moved, times)[0].subject == "leaps"


def test_a_restored_monitor_goes_on_as_if_it_had_never_stopped() -> None:
    table, times = live(6, 2, per_day=2_000)
    table["c0"] = table["c0"] + np.where(np.arange(len(times)) > 2_500, 0.7, 0.0)
    cut = 2_000 - 13
    first = {name: values[:cut] for name, values in table.items()}
    rest = {name: values[cut:] for name, values in table.items()}
    one = DriftMonitor(PROFILE)
    one.update(first, times=times[:cut])
    other = DriftMonitor.restore(PROFILE, orjson.loads(orjson.dumps(one.snapshot())))
    assert one.windows() == other.windows()
    said = [monitor.update(rest, times=times[cut:]) for monitor in (one, other)]
    assert said[0] == said[1] != []
    assert one.snapshot() == other.snapshot()


def test_partitions_at_different_hours_are_compared_each_with_its_own() -> None:
    # One partition lags by half a day: its panes come in the same rounds as those of now.
    now, times = live(8, 0.5, per_day=4_000, after=31.5)
    past, earlier = live(9, 0.5, per_day=4_000, after=31)
    monitor, alerts = DriftMonitor(PROFILE), []
    for i, pair in enumerate(zip(panes(now, times, [64] * 30), panes(past, earlier, [64] * 30), strict=True)):
        for partition, pane in enumerate(pair):
            span = Span(pane.span.from_ms, pane.span.to_ms, 64, {partition: (64 * i, 64 * i + 64)})
            alerts += monitor.add(Pane(partition, span, pane.summary))
    assert alerts == []
    assert monitor.rounds > 20


def test_rows_without_times_are_refused_where_the_hour_counts() -> None:
    table, times = live(1, 1)
    with pytest.raises(ProfileError, match="have no times; pass times="):
        DriftMonitor(PROFILE).update(table)
    with pytest.raises(ProfileError, match=r"times of shape \(3,\) for 960 rows"):
        DriftMonitor(PROFILE).update(table, times=times[:3])


def test_the_self_test_judges_recent_rows_by_their_hours_and_says_nothing_without_them() -> None:
    table, times = live(1, 3)
    assert SelfTest(PROFILE, table, times_ms=times, runs=1).now == []
    test = SelfTest(PROFILE, table, runs=3)
    assert test.now is None
    up = next(each for each in test.injections if (each.subject, each.drift) == ("c0", "up by 1 sd"))
    assert test.measure(up).found == 3


def test_times_of_tables_are_those_of_alerts_with_and_without_a_season() -> None:
    table, times = live(2, 1)
    table["c9"] = table["c9"] + 2
    for profile in (PROFILE, POOLED):
        alert = next(a for a in opened(DriftMonitor(profile), table, times) if a.subject == "c9")
        assert alert.window is not None
        assert alert.window.from_ == times[0]
        assert alert.window.to in times
