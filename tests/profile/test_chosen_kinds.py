from __future__ import annotations

import numpy as np
import pytest

from streamapp.errors import ProfileError
from streamapp.profile import Measures, Profile

RNG = np.random.default_rng(8)
N = 1_000
DAYS = [f"2011-05-{i % 28 + 1:02d}" for i in range(N)]
TABLE = {
    "number": RNG.normal(size=N),
    "whole": RNG.integers(0, 9, N).astype(float),
    "ms": RNG.integers(0, 2 * 10**12, N).astype(float),
    "name": RNG.choice(np.array(list("abc"), dtype=object), N),
    "serial": np.array([f"s-{i}" for i in range(N)], dtype=object),
    "day": np.array(DAYS, dtype=object),
    "nothing": np.full(N, np.nan),
}
FOUND = ["continuous", "discrete", "continuous", "categorical", "id-like", "datetime", "constant"]


def fit(**kinds: str) -> Profile:
    return Profile.fit(TABLE, kinds=kinds)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("number", "discrete"),
        ("number", "high-cardinality"),
        ("number", "id-like"),
        ("whole", "continuous"),
        ("whole", "categorical"),
        ("ms", "datetime"),
        ("name", "text"),
        ("name", "id-like"),
        ("name", "high-cardinality"),
        ("serial", "categorical"),
        ("serial", "text"),
        ("day", "categorical"),
        ("day", "datetime"),  # what it would be anyway
    ],
)
def test_a_chosen_kind_is_taken_and_kept_and_its_rows_are_counted(name: str, kind: str) -> None:
    profile = fit(**{name: kind})
    kinds = {column.name: str(column.kind) for column in profile.columns}
    assert kinds == dict(zip(TABLE, FOUND, strict=True)) | {name: kind}
    column = next(column for column in profile.columns if column.name == name)
    assert column.chosen == kind
    assert column.why.endswith(" (chosen)")
    again = Profile.from_bytes(profile.to_bytes())
    assert again.to_bytes() == profile.to_bytes()
    assert [own.chosen for own in again.columns] == [own.chosen for own in profile.columns]
    start = Measures(profile.columns).starts[list(TABLE).index(name)]
    assert profile.summarize(TABLE).counts[start : start + len(column.counts)].sum() == N
    assert column.counts.sum() == N


def test_columns_that_were_not_chosen_say_so() -> None:
    assert {column.chosen for column in fit().columns} == {None}
    assert "chosen" not in fit().columns[0].why


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"zip": "text"}, "names column 'zip', which the rows do not have .they have number, whole"),
        (
            {"name": "words"},
            "'name' cannot be of kind 'words'; choose one of continuous, discrete, categorical",
        ),
        ({"name": "constant"}, "cannot be of kind 'constant'; choose one of"),
        ({"number": "text"}, "'number' cannot be of kind 'text': its values are numbers; choose one of cont"),
        (
            {"name": "continuous"},
            "'name' cannot be of kind 'continuous': its values are strings; choose one of t",
        ),
        ({"serial": "datetime"}, "none of its values is an ISO 8601 time, as 's-0' is none"),
    ],
)
def test_what_cannot_be_chosen_is_refused_with_a_way_out(kinds: dict[str, str], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        fit(**kinds)


def test_a_column_without_values_is_constant_and_keeps_the_choice_for_later() -> None:
    column = fit(nothing="text").columns[-1]
    assert (str(column.kind), column.chosen) == ("constant", "text")
    assert column.why.endswith("(chosen as text, but the reference has no value)")


def test_a_choice_goes_before_what_numbers_were_said_to_be() -> None:
    profile = Profile.fit(TABLE, categorical=["whole"], kinds={"whole": "discrete"})
    assert str(profile.columns[1].kind) == "discrete"
