from __future__ import annotations

import numpy as np
import pytest

from streamapp.dashboard.histogram import bars
from streamapp.dashboard.view import Bars
from streamapp.profile import Profile, as_columns

RNG = np.random.default_rng(0)


def drawn(then: object, now: object, **kinds: str) -> Bars:
    """The bars of a column `x`, then and now."""
    profile = Profile.fit({"x": then}, ordered=False, kinds=kinds or None)
    (column,) = profile.columns
    return bars(column, column.counts, profile.summarize(as_columns({"x": now})).counts)


def test_numbers_are_laid_out_evenly_so_that_their_shape_shows() -> None:
    found = drawn(RNG.normal(size=20_000), RNG.normal(3.0, 1.0, size=5_000))
    assert sum(found.then) == pytest.approx(100, abs=0.2)
    assert sum(found.now) == pytest.approx(100, abs=0.2)
    cuts = np.array(list(map(float, found.labels[1:-1])))
    assert np.ptp(np.diff(cuts)) < 0.11  # as far as the labels' one decimal tells
    peak = cuts[int(np.argmax(found.then[1:-1]))]
    assert abs(peak) < 0.6  # a normal distribution has its peak in the middle; quantile bins have none
    assert found.labels[0].startswith("< ")
    assert found.labels[-1].startswith("≥ ")
    assert found.now[-1] > 45  # about half lies beyond the reference's 99.5 %


def test_levels_come_by_frequency_and_new_ones_are_told_from_rare_ones() -> None:
    then = ["mist"] * 300 + ["clear"] * 600 + ["hail"] * 3
    found = drawn(np.array(then, dtype=object), np.array(["clear", "fog", "fog", "hail"], dtype=object))
    assert found.labels == ("clear", "mist", "other", "never seen before")
    assert found.now == (25.0, 0.0, 25.0, 50.0)


def test_of_many_levels_the_rest_is_one_bar() -> None:
    names = np.array([f"station {i}" for i in range(30)] * 40, dtype=object)
    found = drawn(names, names[:30])
    assert len(found.labels) == 13
    assert found.labels[-1] == "other"
    assert found.then[-1] == pytest.approx(60.0)


def test_missing_values_have_a_bar_where_there_are_any() -> None:
    values = RNG.normal(size=2_000)
    assert "missing" not in drawn(values, values[:100]).labels
    some = values[:100].copy()
    some[:20] = np.nan
    found = drawn(values, some)
    assert found.labels[-1] == "missing"
    assert (found.then[-1], found.now[-1]) == (0.0, 20.0)


def test_few_numbers_have_a_bar_each() -> None:
    then = np.repeat([1.0, 2.0, 5.0], 500)
    found = drawn(then, np.array([1.0, 5.0, 5.0, 9.0]), x="discrete")
    assert found.labels == ("1", "2", "5", "> 5")
    assert found.now == (25.0, 0.0, 50.0, 25.0)


def test_texts_are_shown_by_length_and_times_by_the_hour() -> None:
    words = np.array(
        [" ".join(["word"] * int(n)) + f" {i}" for i, n in enumerate(RNG.integers(1, 30, 2_000))]
    )
    found = drawn(words.astype(object), words[:50].astype(object), x="text")
    assert sum(found.now) == pytest.approx(100, abs=0.2)
    times = np.datetime64("2011-05-02T00:30", "ms") + np.arange(2_400) * np.timedelta64(1, "h")
    found = drawn(times, times[3:4], x="datetime")
    assert found.labels[:24] == tuple(f"{hour} h" for hour in range(24))
    assert found.now[3] == 100.0


def test_of_personal_columns_no_value_is_shown() -> None:
    incomes = RNG.normal(30_000, 5_000, 2_000)
    towns = np.array(["Aville", "Btown"] * 1_000, dtype=object)
    profile = Profile.fit({"income": incomes, "town": towns}, ordered=False, personal=["income", "town"])
    for column in profile.columns:
        labels = bars(column, column.counts, column.counts).labels
        assert all(label.startswith("#") for label in labels), labels


def test_labels_have_the_decimals_that_tell_them_apart() -> None:
    pressures = RNG.normal(1_015, 6, 5_000)
    found = drawn(pressures, pressures)
    assert len(set(found.labels)) == len(found.labels)
    assert not any("e" in label or label == "-0" for label in found.labels)


def test_nothing_yet_is_no_shares() -> None:
    values = RNG.normal(size=2_000)
    assert set(drawn(values, values[:0]).now) == {0.0}
