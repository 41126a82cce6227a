"""A daily cycle of the reference: when there is one, what is kept of it, and where it ends."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.drift import DriftMonitor
from streamapp.errors import ProfileError
from streamapp.profile import Measures, Profile
from streamapp.profile.season import DAY_MS, Season
from streamapp.profile.seasonal_means import SeasonalMeans
from tests.drift.seasons import cyclic


def test_columns_with_a_daily_cycle_and_no_others_are_compared_by_the_hour() -> None:
    table, times = cyclic(1, days=30, per_day=96)
    season = Profile.fit(table, times=times).season
    assert season is not None
    assert (season.parts, season.columns) == (24, ("c0", "c1", "c2"))
    assert season.why == "the reference is compared by the hour of the day, UTC: c0, c1, c2"


@pytest.mark.parametrize("dependence", [0.0, 0.97])
def test_no_cycle_is_found_where_there_is_none(dependence: float) -> None:
    found = []
    for seed in range(20):
        table, times = cyclic(seed, days=14, per_day=96, amplitude=0, dependence=dependence)
        found.append(Profile.fit(table, times=times).is_seasonal)
    assert sum(found) <= 1


def test_days_that_repeat_are_needed() -> None:
    table, times = cyclic(1, days=1, per_day=4_000)
    profile = Profile.fit(table, times=times)
    assert profile.season is not None
    assert profile.season.why == (
        "the reference is compared as a whole, since it covers 1.0 days, and a daily cycle needs 3 whole ones"
    )
    table, times = cyclic(1, days=3, per_day=1_500)
    assert Profile.fit(table, times=times).is_seasonal


def test_a_reference_that_is_compared_as_a_whole_is_the_one_without_times() -> None:
    table, times = cyclic(3, days=14, per_day=96, amplitude=0)
    one, other = Profile.fit(table), Profile.fit(table, times=times)
    assert other.season is not None
    assert "beyond doubt in 14 days" in other.season.why
    assert one.layout == other.layout
    assert (one.factor == other.factor).all()
    assert (one.pairs.correlation == other.pairs.correlation).all()


def test_hours_are_taken_together_until_there_are_rows_enough() -> None:
    table, times = cyclic(1, days=60, per_day=12)
    season = Profile.fit(table, times=times).season
    assert season is not None
    assert season.parts == 12
    assert "by 2-hour parts of the day" in season.why
    table, times = cyclic(1, days=10, per_day=10)
    season = Profile.fit(table, times=times).season
    assert season is not None
    assert "parts of the day have fewer than 50 rows" in season.why


def test_hours_in_which_nothing_happens_are_passed_over() -> None:
    table, times = cyclic(2, days=30, per_day=400)
    awake = (times % DAY_MS >= 5 * DAY_MS // 24) | (np.arange(len(times)) % 2_000 == 0)
    profile = Profile.fit({name: values[awake] for name, values in table.items()}, times=times[awake])
    assert profile.season is not None
    assert np.flatnonzero(profile.season.rows == 0).tolist() == [0, 1, 2, 3, 4]
    night = profile.season.moments(3 * DAY_MS // 24, 3 * DAY_MS // 24)[0][0]
    assert np.flatnonzero(night).tolist() == [5, 23]


def test_all_rows_are_in_the_parts_and_each_is_counted_where_the_whole_reference_counts_it() -> None:
    rng = np.random.default_rng(0)
    table, times = cyclic(4, days=30, per_day=96)
    rare = np.array([f"n{i}" for i in range(len(times))], dtype=object)
    names = np.where(rng.random(len(times)) < 0.05, rare, np.where(table["c0"] > 0, "warm", "cold"))
    table["name"] = names.astype(object)
    table["c1"][rng.random(len(times)) < 0.1] = np.nan
    profile = Profile.fit(table, times=times)
    assert profile.season is not None
    by_column = profile.season.by_column()
    assert list(by_column) == ["c0", "c1", "c2", "name"]
    for column in profile.columns:
        if column.name in by_column:
            assert by_column[column.name].sum(axis=0).tolist() == column.counts.tolist()


def test_variance_within_the_parts_is_what_the_cycle_leaves() -> None:
    table, times = cyclic(5, days=30, per_day=480)
    profile = Profile.fit(table, times=times)
    assert profile.season is not None
    measures = Measures(profile.columns)
    seasonal = SeasonalMeans(measures, profile.season)
    names = [(profile.columns[p.column].name, p.aspect) for p in measures.components]
    # A sine of amplitude 1 has half the variance of the noise: a third of all.
    assert seasonal.variance[names.index(("c0", "location"))] == pytest.approx(2 / 3, abs=0.03)
    assert (
        seasonal.variance[names.index(("c7", "location"))]
        == measures.reference[1][names.index(("c7", "location"))]
    )
    assert profile.factor.max() < 4  # pooled, the cycle alone makes it about a hundred
    assert Profile.fit(table).factor.max() > 30


def test_an_hour_that_is_a_column_of_its_own_keeps_some_variance() -> None:
    table, times = cyclic(6, days=20, per_day=200)
    table["hour"] = (times % DAY_MS * 24 // DAY_MS).astype(np.float64)
    profile = Profile.fit(table, times=times)
    assert profile.season is not None
    assert "hour" in profile.season.columns
    seasonal = SeasonalMeans(Measures(profile.columns), profile.season)
    assert (seasonal.variance > 0).all() or np.isfinite(seasonal.means).all()


def test_a_seasonal_profile_is_the_same_after_writing_and_reading_and_older_versions_refuse_it() -> None:
    table, times = cyclic(1, days=30, per_day=96)
    profile = Profile.fit(table, times=times.astype("datetime64[ms]"))
    data = profile.to_bytes()
    assert b'"format":3' in data
    assert Profile.from_bytes(data).to_bytes() == data
    assert profile.layout != Profile.fit(table).layout
    assert profile.digest == Profile.fit(table, times=times).digest


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Kolkata"])
def test_times_may_be_pandas_own_with_or_without_a_zone(zone: str | None) -> None:
    table, times = cyclic(1, days=30, per_day=96)
    wanted = Profile.fit(table, times=times)
    given = pd.Series(pd.to_datetime(times, unit="ms", utc=zone is not None))
    given = given if zone is None else given.dt.tz_convert(zone)
    assert Profile.fit(table, times=given).digest == wanted.digest
    assert Profile.fit(table, times=pd.DatetimeIndex(given)).digest == wanted.digest
    assert Profile.fit(table, times=given.dt.to_pydatetime().tolist()).digest == wanted.digest
    monitor = DriftMonitor(wanted)
    with pytest.raises(ProfileError, match="1 of 2880 times are missing"):
        monitor.update(table, times=given.where(given.index != 3))


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (np.arange(5), r"times of shape \(5,\) for 960 rows; pass one per row"),
        (np.full(960, np.nan), "960 of 960 times are missing"),
        (np.full(960, np.datetime64("NaT", "ms")), "960 of 960 times are missing"),
        (np.full(960, "noon"), "pass datetime64"),
    ],
)
def test_wrong_times_are_refused(times: np.ndarray, message: str) -> None:
    table, _ = cyclic(1, days=10, per_day=96)
    with pytest.raises(ProfileError, match=message):
        Profile.fit(table, times=times)


@given(
    rows=st.lists(st.integers(0, 500), min_size=24, max_size=24).filter(lambda rows: sum(rows) > 0),
    first=st.integers(0, 3 * DAY_MS),
    length=st.integers(0, 3 * DAY_MS),
)
def test_weights_of_a_pane_are_shares_of_parts_that_have_rows(
    rows: list[int], first: int, length: int
) -> None:
    season = Season(24, ("x",), (1,), np.array(rows)[:, None], "")
    mix, weight = season.moments(first, first + length)
    assert np.allclose(mix.sum(axis=1), 1)
    assert weight.sum() == pytest.approx(1)
    assert (mix >= 0).all()
    assert not mix[:, np.array(rows) == 0].any()


def test_a_moment_lies_between_the_middles_of_two_parts() -> None:
    season = Season(24, ("x",), (1,), np.full((24, 1), 100), "")
    hour = DAY_MS // 24
    for at, parts in ((hour // 2, {0: 1.0}), (hour, {0: 0.5, 1: 0.5}), (0, {0: 0.5, 23: 0.5})):
        mix, _ = season.moments(at, at)
        assert {int(k): float(mix[0, k]) for k in np.flatnonzero(mix[0])} == parts
