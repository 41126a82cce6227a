from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from streamapp.errors import ProfileError
from streamapp.profile import Columns, Profile
from streamapp.profile.column import BINS

RNG = np.random.default_rng(1)
N = 2_000


def kind(values: object, *, ordered: bool = True, categorical: bool = False) -> str:
    named = {"c"} if categorical else None
    return str(Profile.fit({"c": values}, ordered=ordered, categorical=named).columns[0].kind)


@pytest.mark.parametrize(
    ("expected", "values"),
    [
        ("continuous", RNG.normal(size=N)),
        ("discrete", RNG.poisson(3, N).astype(float)),
        ("discrete", np.where(RNG.random(N) < 0.5, 0.0, RNG.normal(size=N))),
        ("boolean", RNG.random(N) < 0.3),
        ("categorical", RNG.choice(list("abc"), N).astype(object)),
        ("categorical", RNG.integers(0, 5, N)),
        ("high-cardinality", RNG.integers(0, 400, N).astype(str).astype(object)),
        ("constant", np.full(N, 3.0)),
        ("constant", np.full(N, np.nan)),
        ("constant", np.full(N, "x", dtype=object)),
        ("id-like", np.arange(N, dtype=float)),
        ("id-like", np.arange(N).astype(str).astype(object)),
    ],
)
def test_kinds_are_told_from_the_reference(expected: str, values: object) -> None:
    assert kind(values) == expected


def test_a_serial_number_is_told_only_where_rows_are_in_order() -> None:
    assert kind(np.arange(N, dtype=float), ordered=False) == "continuous"


def test_numbers_can_be_named_as_categories() -> None:
    assert kind(RNG.integers(0, 5, N).astype(float)) == "discrete"
    assert kind(RNG.integers(0, 5, N).astype(float), categorical=True) == "categorical"
    with pytest.raises(ProfileError, match="nothere"):
        Profile.fit({"c": [1.0, 2.0]}, categorical=["nothere"])


def counts(profile: Profile, values: object) -> list[int]:
    return [int(n) for n in profile.summarize({"c": np.asarray(values)}).counts]


def test_numbers_lie_between_their_edges_with_ties_infinities_and_missing_ones() -> None:
    values = np.concatenate([RNG.normal(size=1_000), np.full(500, 0.25)])
    profile = Profile.fit({"c": values}, ordered=False)
    edges = profile.columns[0].edges
    assert len(edges) <= BINS + 4
    live = np.array([*RNG.normal(size=300), *edges, np.inf, -np.inf, np.nan, np.nan])
    expected = [
        int(((live >= low) & (live < high)).sum())
        for low, high in zip([-np.inf, *edges], [*edges, np.inf], strict=True)
    ]
    expected[-1] += 1  # infinity itself
    assert counts(profile, live) == [*expected, 2]


def test_the_largest_reference_value_is_in_range_and_a_larger_one_is_not() -> None:
    profile = Profile.fit({"c": np.array([1.0, 2.0, 3.0] * 50)}, ordered=False)
    assert counts(profile, [3.0]) == [0, 0, 0, 1, 0, 0]
    assert counts(profile, [np.nextafter(3.0, 4.0)]) == [0, 0, 0, 0, 1, 0]
    assert counts(profile, [0.9]) == [1, 0, 0, 0, 0, 0]


def test_names_are_levels_other_unseen_or_missing() -> None:
    values = np.array(["a"] * 50 + ["b"] * 30 + ["rare"] * 3, dtype=object)
    profile = Profile.fit({"c": values}, ordered=False)
    column = profile.columns[0]
    assert column.levels == ("a", "b")
    live = np.array(["b", "a", "rare", "new", None, "a"], dtype=object)
    assert counts(profile, live) == [2, 1, 1, 1, 1]
    assert b"rare" not in profile.to_bytes()


@pytest.mark.parametrize("rows", [1, 19])
def test_the_only_name_of_a_column_is_kept_no_more_than_any_other_that_is_rare(rows: int) -> None:
    values = np.array(["Jane Roe"] * rows + [None] * 300, dtype=object)
    profile = Profile.fit({"c": values}, ordered=False)
    assert str(profile.columns[0].kind) == "constant"
    assert profile.columns[0].levels == ()
    assert b"Jane" not in profile.to_bytes()
    live = np.array(["Jane Roe", "Other", None], dtype=object)
    assert counts(profile, live) == [1, 1, 1]


def test_numbers_taken_as_names_are_found_by_their_text() -> None:
    profile = Profile.fit({"c": np.array([1, 2, 3] * 40)})
    assert profile.columns[0].levels == ("1", "2", "3")
    assert counts(profile, [1.0, 3.0, 3.0, 9.0, np.nan]) == [1, 0, 2, 0, 1, 1]


def test_a_level_met_once_counts_as_unseen_in_the_reference() -> None:
    values = np.array(["a"] * 90 + ["x", "y", "z", "z"], dtype=object)
    assert Profile.fit({"c": values}, ordered=False).columns[0].counts.tolist() == [90, 2, 2, 0]


@settings(max_examples=50, deadline=None)
@given(
    hnp.arrays(
        np.float64,
        st.integers(1, 60),
        elements=st.floats(allow_nan=True, allow_infinity=True, width=32),
    )
)
def test_every_value_has_exactly_one_bin(values: np.ndarray) -> None:
    profile = Profile.fit({"c": values, "d": values[::-1].copy()}, ordered=False)
    summary = profile.summarize({"c": values, "d": values[::-1].copy()})
    bins = len(profile.columns[0].counts)
    assert summary.counts[:bins].sum() == summary.counts[bins:].sum() == len(values)
    assert summary.counts[:bins][-1] == np.isnan(values).sum()
    assert profile.columns[0].counts.sum() == len(values)


def test_text_among_numbers_and_an_absent_column_are_refused() -> None:
    profile = Profile.fit({"a": [1.0, 2.0], "b": ["x", "y"]})
    table: Columns = {"a": np.array(["1", "z"], dtype=object), "b": np.array(["x", "y"], dtype=object)}
    with pytest.raises(ProfileError, match="text"):
        profile.summarize(table)
    with pytest.raises(ProfileError, match="'b'"):
        profile.summarize({"a": np.zeros(2)})
    with pytest.raises(ProfileError, match="without rows"):
        Profile.fit({"a": np.empty(0)})
