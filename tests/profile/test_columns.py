from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from streamapp.errors import ProfileError
from streamapp.profile import as_columns, row_count


def test_a_frame_and_a_mapping_of_the_same_values_are_the_same_columns() -> None:
    frame = pd.DataFrame(
        {
            "x": pd.array([1, None, 3], dtype="Int64"),
            "flag": [True, False, True],
            "name": pd.Categorical(["a", None, "b"]),
            "time": [pd.Timestamp(1, unit="s"), pd.NaT, pd.Timestamp("1970-01-02")],
        }
    )
    mapping = {
        "x": [1, None, 3],
        "flag": np.array([True, False, True]),
        "name": ["a", None, "b"],
        "time": np.array(["1970-01-01T00:00:01", "NaT", "1970-01-02"], dtype="datetime64[s]"),
    }
    left, right = as_columns(frame), as_columns(mapping)
    for name, values in left.items():
        assert values.dtype == right[name].dtype
        assert values.tolist() == pytest.approx(right[name].tolist(), nan_ok=True)
    assert left["time"].tolist() == pytest.approx([1000, np.nan, 86_400_000], nan_ok=True)


def test_every_way_to_say_missing_is_none_among_names() -> None:
    values = np.array(["a", None, float("nan"), pd.NA, pd.NaT, 3.0, True], dtype=object)
    assert as_columns({"c": values})["c"].tolist() == ["a", None, None, None, None, "3", "true"]


def test_clean_names_are_taken_as_they_are() -> None:
    values = np.array(["a", None, "b"], dtype=object)
    assert as_columns({"c": values})["c"] is values


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "without columns"),
        ({"a": [1.0], "b": [1.0, 2.0]}, "'b'"),
        ({"a": np.zeros((2, 2))}, r"\(2, 2\)"),
        ([1, 2], "list is no table"),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(table: object, said: str) -> None:
    with pytest.raises(ProfileError, match=said):
        as_columns(table)  # type: ignore[arg-type]


def test_rows_are_counted() -> None:
    assert row_count(as_columns({"a": np.zeros(7), "b": ["x"] * 7})) == 7
