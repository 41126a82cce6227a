from __future__ import annotations

from itertools import pairwise

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.errors import ProfileError
from streamapp.profile import Columns, Profile, Summary
from streamapp.profile.pairs import rank_table

CLASSES = ("no", "yes")


def table(seed: int, n: int) -> tuple[Columns, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = x + rng.normal(size=n)
    y[rng.random(n) < 0.1] = np.nan
    columns: Columns = {
        "x": x,
        "y": y,
        "flag": (rng.random(n) < 0.3).astype(float),
        "name": rng.choice(np.array(["a", "b", "c", None], dtype=object), n, p=[0.5, 0.3, 0.1, 0.1]),
    }
    score = 1 / (1 + np.exp(-x))
    return columns, np.stack([1 - score, score], axis=1)


REFERENCE = table(0, 1_000)
PROFILE = Profile.fit(REFERENCE[0], REFERENCE[1], ordered=False, classes=CLASSES)


def part(columns: Columns, at: slice) -> Columns:
    return {name: values[at] for name, values in columns.items()}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(0, 90), cuts=st.lists(st.integers(0, 90), max_size=4))
def test_the_sum_of_parts_is_the_summary_of_the_whole(seed: int, n: int, cuts: list[int]) -> None:
    columns, outputs = table(seed, n)
    ends = sorted({0, n, *(min(cut, n) for cut in cuts)})
    total = PROFILE.empty()
    for a, b in pairwise(ends):
        total = PROFILE.summarize(part(columns, slice(a, b)), outputs[a:b]) + total
    whole = PROFILE.summarize(columns, outputs)
    assert total == whole
    assert whole - total == PROFILE.empty()
    fields = orjson.loads(orjson.dumps(whole.to_dict()))
    assert Summary.from_dict(fields, PROFILE.empty()) == whole


def test_summaries_differ_where_rows_do() -> None:
    columns, outputs = table(1, 64)
    whole = PROFILE.summarize(columns, outputs)
    assert whole != PROFILE.summarize(columns)
    assert whole != PROFILE.summarize(part(columns, slice(0, 63)), outputs[:63])
    assert whole.__eq__(1) is NotImplemented


def test_many_rows_at_once_are_summed_in_chunks_that_make_no_difference() -> None:
    columns, outputs = table(2, 40_000)
    halves = [
        PROFILE.summarize(part(columns, at), outputs[at]) for at in (slice(20_000), slice(20_000, None))
    ]
    assert halves[0] + halves[1] == PROFILE.summarize(columns, outputs)


def test_rows_that_lack_one_of_a_pair_are_counted_apart() -> None:
    columns, _ = table(3, 500)
    summary = PROFILE.summarize(columns)
    names = [column.name for column in PROFILE.columns]
    for p, (a, b) in enumerate(zip(PROFILE.pairs.first, PROFILE.pairs.second, strict=True)):
        gone = np.isnan(columns[names[a]]) | np.isnan(columns[names[b]])
        assert summary.apart[0, p] == gone.sum()


def test_of_rows_that_lack_one_of_a_pair_the_ranks_of_the_other_are_summed() -> None:
    columns, _ = table(3, 500)
    has_both = ~np.isnan(columns["y"])
    kept = PROFILE.summarize(part(columns, has_both))  # type: ignore[arg-type]
    whole = PROFILE.summarize(columns)
    names = [column.name for column in PROFILE.columns]
    pairs = list(zip(PROFILE.pairs.first, PROFILE.pairs.second, strict=True))
    p = pairs.index((names.index("x"), names.index("y")))
    assert whole.pairs[p] == kept.pairs[p]
    assert not kept.apart[:, p].any()
    all_x, kept_x = (PROFILE.summarize(part(columns, at)) for at in (slice(None), has_both))  # type: ignore[arg-type]
    ranks = rank_table(PROFILE.columns)
    own = slice(0, len(PROFILE.columns[0].counts))
    strays = ranks[own] @ (all_x.counts[own] - kept_x.counts[own])
    assert whole.apart[1, p] == strays
    assert whole.apart[2, p] == 0


def test_summaries_against_other_profiles_cannot_be_added_or_read() -> None:
    other = Profile.fit(table(9, 1_000)[0], ordered=False)
    ours, theirs = PROFILE.empty(), other.empty()
    with pytest.raises(ProfileError, match="different profiles"):
        ours + theirs
    with pytest.raises(ProfileError, match="layout"):
        Summary.from_dict(theirs.to_dict(), PROFILE.empty())
    with pytest.raises(ProfileError, match="format 7"):
        Summary.from_dict(ours.to_dict() | {"v": 7}, PROFILE.empty())
    with pytest.raises(ProfileError, match=r"\(3,\)"):
        Summary.from_dict(ours.to_dict() | {"counts": [1, 2, 3]}, PROFILE.empty())
