from __future__ import annotations

import numpy as np
import pytest

from streamapp.errors import ProfileError
from streamapp.profile import Columns, Measures, Profile
from streamapp.profile.recount import recount


def table(seed: int, n: int = 3_000, *, by: float = 0.0, rho: float = 0.0) -> Columns:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return {
        "x": x + by,
        "y": rho * x + np.sqrt(1 - rho**2) * rng.normal(size=n),
        "name": rng.choice(np.array(["a", "b", "c"], dtype=object), n),
    }


def test_bins_stay_and_counts_are_those_of_the_rows() -> None:
    profile = Profile.fit(table(0), ordered=False)
    rows = table(1, 500, by=0.5)
    fresh = recount(profile, rows)
    assert fresh.rows == 500
    for before, now in zip(profile.columns, fresh.columns, strict=True):
        assert (before.kind, before.levels, before.edges.tolist()) == (
            now.kind,
            now.levels,
            now.edges.tolist(),
        )
        assert now.counts.sum() == 500
    np.testing.assert_array_equal(
        np.concatenate([column.counts for column in fresh.columns]), profile.summarize(rows).counts
    )


def test_correlations_are_those_of_the_rows() -> None:
    profile = Profile.fit(table(0, rho=0.8), ordered=False)
    assert profile.pairs.correlation[0] == pytest.approx(0.8, abs=0.05)
    assert recount(profile, table(1)).pairs.correlation[0] == pytest.approx(0, abs=0.06)


def test_inflation_stays_with_its_component_though_others_come_and_go() -> None:
    rng = np.random.default_rng(3)
    walk = np.convolve(rng.normal(size=6_050), np.ones(51) / 7, mode="valid")
    profile = Profile.fit({"empty": np.full(6_000, np.nan), "walk": walk}, ordered=True)
    before = Measures(profile.columns).components
    location = next(k for k, part in enumerate(before) if (part.column, part.aspect) == (1, "location"))
    assert profile.factor[location] > 2
    fresh = recount(profile, {"empty": np.full(1_000, np.nan), "walk": np.sort(walk)[:1_000]})
    now = Measures(fresh.columns).components
    assert len(now) != len(before)  # few bins are filled
    assert len(fresh.factor) == len(fresh.blocks) == len(now)
    kept = next(k for k, part in enumerate(now) if (part.column, part.aspect) == (1, "location"))
    assert fresh.factor[kept] == profile.factor[location]
    assert fresh.blocks[kept] == profile.blocks[location]


def test_outputs_get_a_baseline_of_their_own_number_of_rows() -> None:
    profile = Profile.fit(table(0), y=table(0)["x"], ordered=False)
    assert profile.outputs is not None
    assert not profile.outputs.has_baseline
    fresh = recount(profile, table(1), table(2, 700)["x"])
    assert fresh.outputs is not None
    assert fresh.outputs.has_baseline
    assert fresh.outputs.columns[0].counts.sum() == 700
    assert recount(profile, table(1)).outputs is profile.outputs


def test_absent_columns_are_an_error() -> None:
    with pytest.raises(ProfileError, match="absent"):
        recount(Profile.fit(table(0)), {"x": np.zeros(10)})


def test_sums_of_many_columns_are_counted_by_the_new_ranks() -> None:
    rng = np.random.default_rng(5)
    wide = {f"c{i}": own for i, own in enumerate(rng.normal(size=(160, 1_000)))}
    profile = Profile.fit(wide, ordered=False)
    again = recount(profile, wide)
    assert profile.mixtures
    for before, now in zip(profile.mixtures, again.mixtures, strict=True):
        assert np.abs(before.counts - now.counts).sum() < 20  # the extremes alone are placed otherwise
    moved = recount(profile, {name: values + 1 for name, values in wide.items()})
    assert moved.mixtures[0].counts.sum() == 1_000
