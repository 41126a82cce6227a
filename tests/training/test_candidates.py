from __future__ import annotations

import numpy as np
import pytest

from streamapp.training.candidates import Window, fit_best, windows_of


def names(n: int, since: int | None = None, rows: tuple[int, ...] = (2_000, 8_000)) -> list[tuple[str, int]]:
    found = windows_of(n, since=since, rows=rows, min_rows=500)
    return [(window.name, window.start) for window in found]


@pytest.mark.parametrize(
    ("n", "since", "expected"),
    [
        (400, None, [("all 400", 0)]),
        (2_400, None, [("all 2,400", 0)]),
        (2_500, None, [("all 2,500", 0), ("last 2,000", 500)]),
        (30_000, 29_501, [("all 30,000", 0), ("last 8,000", 22_000), ("last 2,000", 28_000)]),
        (3_000, 2_500, [("all 3,000", 0), ("last 2,000", 1_000), ("500 since the change", 2_500)]),
        (3_000, 1_000, [("all 3,000", 0), ("2,000 since the change", 1_000)]),
        (3_000, 0, [("all 3,000", 0), ("last 2,000", 1_000)]),
    ],
)
def test_windows_differ_and_have_enough_rows(
    n: int, since: int | None, expected: list[tuple[str, int]]
) -> None:
    assert names(n, since) == expected


def test_no_candidate_sees_the_rows_that_choose_and_the_best_is_fitted_once_more_with_them() -> None:
    seen: list[slice] = []

    def fit(rows: slice) -> slice:
        seen.append(rows)
        return rows

    windows = [Window("long", 0), Window("short", 60)]
    chosen = fit_best(
        windows,
        90,
        100,
        fit=fit,
        losses=lambda rows: np.full(10, 0.3 if rows.start == 0 else 0.1),
        held=lambda window: 90,
    )
    assert seen == [slice(0, 90), slice(60, 90), slice(60, 100)]
    assert (chosen.model, chosen.sibling, chosen.window) == (slice(60, 100), slice(60, 90), windows[1])
    assert [(each.window, each.rows) for each in chosen.tried] == [("long", 90), ("short", 30)]
    assert [each.loss for each in chosen.tried] == pytest.approx([0.3, 0.1])


def test_what_is_known_of_a_long_window_comes_from_more_rows_than_choose() -> None:
    seen: list[slice] = []

    def fit(rows: slice) -> slice:
        seen.append(rows)
        return rows

    chosen = fit_best(
        [Window("long", 0), Window("short", 60)],
        90,
        100,
        fit=fit,
        losses=lambda rows: np.full(10, 0.1 if rows.start == 0 else 0.3),
        held=lambda window: 70 if window.name == "long" else 95,
    )
    assert seen == [slice(0, 90), slice(60, 90), slice(0, 70), slice(0, 100)]
    assert (chosen.model, chosen.sibling, chosen.held) == (slice(0, 100), slice(0, 70), 70)
    assert [each.rows for each in chosen.tried] == [90, 30]


def test_of_equal_candidates_the_longest_window_is_taken() -> None:
    windows = [Window("long", 0), Window("short", 60)]
    chosen = fit_best(
        windows, 90, 100, fit=lambda rows: rows, losses=lambda rows: np.zeros(10), held=lambda window: 90
    )
    assert chosen.window.name == "long"


def test_what_may_not_stand_for_its_sibling_gives_way_to_it() -> None:
    chosen = fit_best(
        [Window("all", 0)],
        90,
        100,
        fit=lambda rows: rows,
        losses=lambda rows: np.zeros(10),
        held=lambda window: 70,
        may_refit=lambda sibling, model: False,
    )
    assert chosen.model == chosen.sibling == slice(0, 90)
