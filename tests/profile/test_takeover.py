"""The daily cycle of an earlier reference, at the level of rows that are too few days to tell one."""

from __future__ import annotations

import numpy as np
import pytest

from streamapp.profile import Columns, Profile
from streamapp.profile.season import DAY_MS, Season
from streamapp.profile.season_text import explain_season
from tests.drift.seasons import START_MS, cyclic

TABLE, TIMES = cyclic(1, days=20, per_day=480)
LIKE = Profile.fit(TABLE, times=TIMES).of_version("0123456789ab")


def half_a_day(seed: int, *, rows: int = 2_000) -> tuple[Columns, np.ndarray]:
    return cyclic([seed, 5], days=0.5, per_day=2 * rows, first_ms=START_MS + 30 * DAY_MS + seed * 3_600_000)


def season_of(profile: Profile) -> Season:
    assert profile.season is not None
    return profile.season


def test_an_heir_of_half_a_day_has_the_cycle_of_its_champion_and_says_whose() -> None:
    table, times = half_a_day(1)
    assert season_of(Profile.fit(table, times=times)).parts == 0
    season = season_of(heir := Profile.fit(table, times=times, like=LIKE))
    assert (season.parts, season.columns) == (24, ("c0", "c1", "c2"))
    assert (season.origin, season.level_rows) == ("0123456789ab", 2_000)
    assert explain_season(heir) == (
        "the reference is compared by the hour of the day, UTC: c0, c1, c2; the cycle is that of version "
        "0123456789ab, at the level of the 2,000 rows here, which are too few days to tell one"
    )
    # The other columns are those of the heir's own rows.
    own = Profile.fit(table, times=times)
    assert all((a.edges == b.edges).all() for a, b in zip(own.columns[3:], heir.columns[3:], strict=True))


@pytest.mark.parametrize("up", [0.0, 2.0])
def test_what_is_expected_at_hours_without_rows_lies_as_much_higher_as_at_the_others(up: float) -> None:
    table, times = half_a_day(2)
    table["c0"] = table["c0"] + up
    heir = Profile.fit(table, times=times, like=LIKE)
    column, counts = heir.columns[0], season_of(heir).by_column()["c0"]
    shares = counts / counts.sum(axis=1, keepdims=True)
    rng = np.random.default_rng(0)
    for part in range(24):
        fresh = rng.normal(up + np.sin(2 * np.pi * (part + 0.5) / 24), 1, 40_000)
        place = np.searchsorted(column.edges, fresh, side="right")
        inside = np.bincount(place, minlength=len(column.counts)) / len(fresh)
        assert np.abs(np.cumsum(shares[part]) - np.cumsum(inside)).max() < 0.09  # 400 rows and 2,000


def test_at_the_heirs_own_hours_the_cycle_gives_the_heirs_own_shares() -> None:
    table, times = half_a_day(3)
    table["c1"] = 1.5 * table["c1"] + 1
    heir = Profile.fit(table, times=times, like=LIKE)
    season = season_of(heir)
    for name in season.columns:
        counts, i = season.by_column()[name], int(name[1])
        expected = season.mix(times) @ (counts / counts.sum(axis=1, keepdims=True))
        edges = heir.columns[i].edges
        own = np.bincount(np.searchsorted(edges, table[name], side="right"), minlength=len(expected))
        assert np.abs(expected - own / len(times)).max() < 0.004


def shares_of_names(
    late: tuple[float, float], seed: int, days: float, *, rare: float = 0.0
) -> tuple[Columns, np.ndarray]:
    """Return a name that is late as often by night and by day, and another one that comes at any hour."""
    _, times = cyclic([seed, 9], days=days, per_day=4_000 if days < 1 else 480)
    rng, night = np.random.default_rng(seed), times % DAY_MS < DAY_MS // 2
    name = np.where(rng.random(len(times)) < np.where(night, *late), "late", "early").astype(object)
    name[rng.random(len(times)) < rare] = "lost"
    return {"name": name}, times


def test_odds_of_names_move_and_names_appear_at_every_hour() -> None:
    columns, times = shares_of_names((0.5, 0.2), 1, 20)
    like = Profile.fit(columns, times=times)
    # The odds are nine times as high by night and by day, and three in ten rows have a new name.
    columns, times = shares_of_names((0.9, 9 / 13), 2, 0.5, rare=0.3)
    season = season_of(heir := Profile.fit(columns, times=times, like=like))
    counts = season.by_column()["name"]
    shares = counts / counts.sum(axis=1, keepdims=True)
    late, lost = shares[:, heir.columns[0].levels.index("late")], shares[:, -3:-1].sum(axis=1)
    assert (late[3], late[21]) == (pytest.approx(0.63, abs=0.05), pytest.approx(0.7 * 9 / 13, abs=0.05))
    assert lost.tolist() == [pytest.approx(0.3, abs=0.1)] * 24


def test_names_and_missing_values_are_taken_over_too() -> None:
    def table(seed: int, days: float, per_day: int, late: float) -> tuple[Columns, np.ndarray]:
        columns, times = cyclic([seed, 9], days=days, per_day=per_day)
        rng, night = np.random.default_rng(seed), times % DAY_MS < DAY_MS // 3
        name = np.where(rng.random(len(times)) < np.where(night, 0.7, 0.2) + late, "late", "early")
        gaps = np.where(night & (rng.random(len(times)) < 0.4), np.nan, columns["c5"])
        return {"name": name.astype(object), "gaps": gaps}, times

    columns, times = table(1, 20, 480, 0.0)
    like = Profile.fit(columns, times=times)
    columns, times = table(2, 0.5, 4_000, 0.1)
    heir = Profile.fit(columns, times=times, like=like)
    season = season_of(heir)
    assert season.columns == ("name", "gaps")
    counts = season.by_column()["name"]
    late = counts[:, heir.columns[0].levels.index("late")] / counts.sum(axis=1)
    assert late[2] == pytest.approx(0.8, abs=0.08)
    assert late[18] == pytest.approx(0.3, abs=0.1)
    gaps = season.by_column()["gaps"]
    assert gaps[2, -1] / gaps[2].sum() == pytest.approx(0.4, abs=0.08)
    assert gaps[18, -1] / gaps[18].sum() < 0.03


def test_rows_that_tell_a_cycle_have_their_own_and_what_is_known_needs_no_proof() -> None:
    table, times = cyclic(4, days=4, per_day=1_200, amplitude=0.1, first_ms=START_MS + 30 * DAY_MS)
    assert "no column has a daily cycle beyond doubt" in season_of(Profile.fit(table, times=times)).why
    season = season_of(Profile.fit(table, times=times, like=LIKE))
    assert season.columns == ("c0", "c1", "c2")
    assert (season.origin, season.level_rows, season.unit) == ("", 0, 1)


def test_the_heir_of_an_heir_names_the_version_whose_rows_told_the_cycle() -> None:
    heir = Profile.fit(half_a_day(1)[0], times=half_a_day(1)[1], like=LIKE).of_version("aaaaaaaaaaaa")
    table, times = half_a_day(14, rows=3_000)
    season = season_of(Profile.fit(table, times=times, like=heir))
    assert (season.origin, season.level_rows) == ("0123456789ab", 3_000)
    # A mean of an hour is worth as many rows as it was.
    rows = season_of(LIKE).rows
    assert np.abs(season.rows / season.unit - rows).max() < 1


def test_without_times_or_without_the_columns_nothing_is_taken_over() -> None:
    table, times = half_a_day(1)
    assert Profile.fit(table, like=LIKE).season is None
    others = {name: values for name, values in table.items() if name not in ("c0", "c1", "c2")}
    assert season_of(Profile.fit(others, times=times, like=LIKE)).parts == 0
    assert season_of(Profile.fit(table, times=times, like=Profile.fit(TABLE))).parts == 0


def test_a_cycle_that_was_taken_over_is_the_same_after_writing_and_reading() -> None:
    table, times = half_a_day(1)
    heir = Profile.fit(table, times=times, like=LIKE)
    data = heir.to_bytes()
    assert b'"format":4' in data  # earlier versions would take its counts for rows
    again = Profile.from_bytes(data)
    assert again.to_bytes() == data
    assert season_of(again).level_rows == 2_000
    assert explain_season(again) == explain_season(heir)


def test_a_column_with_hardly_a_value_keeps_its_bins() -> None:
    table, times = half_a_day(1)
    table["c0"][50:] = np.nan
    heir = Profile.fit(table, times=times, like=LIKE)
    assert (heir.columns[0].edges == LIKE.columns[0].edges).all()
    assert heir.columns[0].counts[-1] == pytest.approx(1_950, abs=1)
