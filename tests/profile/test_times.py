from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.drift import DriftMonitor
from streamapp.profile import Measures, Profile
from streamapp.profile.column import ColumnProfile
from streamapp.profile.times import SLOTS

UNREADABLE, MISSING = SLOTS, SLOTS + 1
MONDAY = np.datetime64("2011-05-02T00:00:00")
DAY = 86_400


def times(seed: int, n: int, *, days: float = 28, work: bool = True) -> np.ndarray:
    """Return `n` times, mostly of working hours, of so many days, in no order."""
    rng = np.random.default_rng(seed)
    hour = rng.choice([8, 9, 10, 11, 14, 15, 16, 17] if work else [20, 21, 22, 23], n)
    offsets = np.floor(rng.random(n) * days) * DAY + hour * 3_600 + rng.integers(0, 3_600, n)
    return np.asarray(MONDAY + offsets.astype("timedelta64[s]"))


def texts(values: np.ndarray) -> np.ndarray:
    return np.array([str(value) + "Z" for value in values], dtype=object)


def fit(values: object, *, ordered: bool = True) -> ColumnProfile:
    return Profile.fit({"at": values}, ordered=ordered).columns[0]


def aspects(column: ColumnProfile) -> set[str]:
    return {part.aspect for part in Measures((column,)).components}


PROFILE = Profile.fit({"at": texts(times(1, 4_000))})


@pytest.mark.parametrize(
    "values",
    [
        texts(times(1, 500)),
        times(1, 500),
        list(times(1, 500)),
        pd.Series(times(1, 500)).dt.tz_localize("Europe/Berlin"),
        np.array([str(value)[:10] for value in times(1, 500)], dtype=object),
        np.array([*texts(times(1, 490)), *["soon"] * 10, None], dtype=object),
        np.array(["2011-05-02"] * 5, dtype=object),
    ],
)
def test_times_are_told_from_the_reference(values: object) -> None:
    assert str(fit(values).kind) == "datetime"


@pytest.mark.parametrize(
    "values",
    [
        ["soon"] * 50 + ["2011-05-02"] * 450,
        [f"201105{i % 30 + 1:02d}" for i in range(500)],  # may be a serial number as well
        [f"{i % 12 + 1}/2/2011" for i in range(500)],
    ],
)
def test_other_strings_are_no_times(values: list[str]) -> None:
    assert str(fit(np.array(values, dtype=object)).kind) != "datetime"


def bins(*values: object) -> list[int]:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    counts = PROFILE.summarize({"at": column}).counts
    return sorted(np.repeat(np.arange(len(counts)), counts).tolist())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2011-05-02T00:00:00Z", 0),
        ("2011-05-02T08:59:59.999999Z", 8),
        ("2011-05-08 23:00", 6 * 24 + 23),
        ("2011-05-03T01:30:00+14:00", 25),  # as it is written, though it is Monday in UTC
        ("2011-05-03", 24),
        ("0001-01-01T00:00:00+14:00", 0),
        (None, MISSING),
        (np.nan, MISSING),
        ("", UNREADABLE),
        ("20110502", UNREADABLE),
        ("2011-02-30", UNREADABLE),
        ("2011-05-02T25:00", UNREADABLE),
        ("\ud8002011", UNREADABLE),
        (7.5, UNREADABLE),
    ],
)
def test_a_time_lies_in_its_hour_of_the_week(value: object, expected: int) -> None:
    assert bins(value) == [expected]


@given(st.datetimes(dt.datetime(1000, 1, 1), dt.datetime(3000, 1, 1)))
def test_strings_and_milliseconds_of_a_time_have_one_bin(time: dt.datetime) -> None:
    ms = (time - dt.datetime(1970, 1, 1)) / dt.timedelta(milliseconds=1)
    expected = time.weekday() * 24 + time.hour
    assert bins(time.isoformat()) == [expected]
    counts = PROFILE.summarize({"at": np.array([np.floor(ms)])}).counts
    assert int(counts.argmax()) == expected


@given(st.lists(st.none() | st.text(), min_size=1))
def test_no_string_raises(values: list[str | None]) -> None:
    assert len(bins(*values)) == len(values)


def test_numbers_that_are_no_times_of_this_world_are_unreadable_or_missing() -> None:
    counts = PROFILE.summarize({"at": np.array([np.inf, -np.inf, np.nan, 1e300, -1.0])}).counts
    assert (counts[UNREADABLE], counts[MISSING]) == (2, 1)
    assert counts.sum() == 5


def test_hours_and_weekdays_with_enough_rows_are_watched_and_the_others_together() -> None:
    (column,) = PROFILE.columns
    parts = Measures((column,)).components
    hours = [part.level for part in parts if part.aspect == "hour"]
    assert hours == [*(f"{h} h" for h in (8, 9, 10, 11, 14, 15, 16, 17)), "other hours"]
    assert len([part for part in parts if part.aspect == "weekday"]) == 7
    mean, _, _, rows = Measures((column,)).reference
    assert mean[: len(hours)].sum() == pytest.approx(1)
    assert set(rows.tolist()) == {4_000}
    assert column.why == "hour of the day, day of the week, unreadable, missing"
    assert Profile.from_bytes(PROFILE.to_bytes()).columns[0].times == column.times


@pytest.mark.parametrize(
    ("values", "ordered", "watched", "why"),
    [
        (times(1, 900, days=13), True, {"hour"}, "not weekday, since the reference covers 12"),
        (times(1, 900, days=1), True, set(), "not hour, since the reference covers 0.4 days, less than 2"),
        (np.sort(times(1, 900)), True, set(), "not hour and weekday, since times advance with the rows"),
        (np.sort(times(1, 900))[::-1], True, set(), "times advance"),
        (np.sort(times(1, 900)), False, {"hour", "weekday"}, "day of the week, unreadable, missing"),
        (times(1, 900).astype("datetime64[D]"), True, {"weekday"}, "they have no time of day"),
        (np.array(["NaT"] * 9, dtype="datetime64[s]"), True, set(), "there is none in the reference"),
    ],
)
def test_what_the_reference_cannot_tell_is_left_out_and_it_says_why(
    values: np.ndarray, ordered: bool, watched: set[str], why: str
) -> None:
    column = fit(values, ordered=ordered)
    assert aspects(column) == watched | {"unreadable", "missing"}
    assert why in column.why


def test_a_stray_makes_no_month() -> None:
    values = times(1, 1_000, days=5)
    values[0] = np.datetime64("1970-01-01")
    assert "not weekday" in fit(values).why


@pytest.mark.parametrize(
    ("live", "aspect", "words"),
    [
        (texts(times(3, 640, work=False)), "hour", "at has gone from 0 % to"),
        (texts(np.sort(times(3, 640))[:320]), "weekday", "% on "),
        (np.where(np.arange(640) % 10, texts(times(3, 640)), "n/a"), "unreadable", "that are no times since"),
    ],
)
def test_a_drift_of_times_is_said_in_words(live: np.ndarray, aspect: str, words: str) -> None:
    monitor = DriftMonitor(PROFILE)
    assert monitor.update({"at": texts(times(2, 2_560))}) == []
    assert monitor.update({"at": texts(times(4, 2_560, days=700) + np.timedelta64(700, "D"))}) == []
    (alert,) = monitor.update({"at": live})[:1]
    assert (alert.kind, alert.subject, alert.features[0].aspect) == ("input", "at", aspect)
    assert words in alert.summary
