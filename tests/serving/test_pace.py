from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.serving.pace import Pace


def sizes(pace: Pace, count: int, *, per_row_s: float) -> list[int]:
    parts, found = pace.parts(range(count)), []
    while (part := parts.next()) is not None:
        found.append(len(part))
        pace.took(len(part), len(part) * per_row_s)
    return found


def test_a_fast_model_is_soon_asked_everything_at_once() -> None:
    pace = Pace(limit_s=10)
    assert sizes(pace, 10_000, per_row_s=1e-6) == [256, 512, 1024, 2048, 4096, 2064]
    assert sizes(pace, 5_000, per_row_s=1e-6) == [5_000]
    pace.took(1, 0.5)  # one alone may take long for reasons of its own
    assert sizes(pace, 5_000, per_row_s=1e-6) == [5_000]


def test_a_slow_model_is_asked_for_a_second_at_a_time() -> None:
    pace = Pace(limit_s=10)
    assert sizes(pace, 300, per_row_s=0.05) == [256, 20, 20, 4]
    assert sizes(pace, 3, per_row_s=5.0) == [3]
    assert sizes(pace, 3, per_row_s=5.0) == [1, 1, 1]


@given(st.integers(1, 500), st.data())
def test_the_one_at_which_it_hangs_is_found_and_everything_comes_once_in_order(
    count: int, data: st.DataObject
) -> None:
    hangs = data.draw(st.integers(0, count - 1))
    pace, answered, waited = Pace(limit_s=10), [], 0.0
    parts = pace.parts(range(count))
    while (part := parts.next()) is not None:
        if hangs in part:
            waited += parts.limit_s(part)
            if len(part) > 1:
                parts.halve(part)
                continue
        answered += list(part)
    assert answered == list(range(count))
    assert waited <= 3 * pace.limit_s


def test_nothing_has_no_parts() -> None:
    parts = Pace(limit_s=1).parts([])
    assert not parts
    assert parts.next() is None


@pytest.mark.parametrize(("rows", "seconds"), [(1, 0.0), (1, 1e9), (10**6, 1.0)])
def test_it_asks_for_one_at_least(rows: int, seconds: float) -> None:
    pace = Pace(limit_s=1)
    pace.took(rows, seconds)
    assert pace.rows >= 1
