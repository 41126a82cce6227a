from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamapp.profile.coder import Coder
from streamapp.profile.fitting import fit_column
from streamapp.profile.grid import Grid

numbers = st.floats(allow_nan=False) | st.sampled_from([0.0, 1.0, 5e-324, 1e308, -1e308, np.inf, -np.inf])
edges = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=40, unique=True).map(sorted)


@given(st.lists(edges, min_size=1, max_size=4), st.data())
def test_what_the_grid_is_sure_of_a_search_finds_too(given_edges: list[Any], data: st.DataObject) -> None:
    columns = [np.array(each, dtype=np.float64) for each in given_edges]
    starts = list(range(0, 100 * len(columns), 100))
    with np.errstate(over="ignore"):
        near = [
            float(value)
            for each in columns
            for edge in each.tolist()
            for value in (edge, np.nextafter(edge, np.inf), np.nextafter(edge, -np.inf))
        ]
    values = st.sampled_from(near) | numbers | st.just(np.nan) if near else numbers
    matrix = data.draw(arrays(np.float64, (len(columns), 30), elements=values))
    codes, unsure = Grid(columns, starts).codes(matrix)
    sure = np.ones(matrix.shape, dtype=np.bool_)
    sure.reshape(-1)[unsure] = False
    assert not sure[np.isnan(matrix)].any()
    for row, (own, start) in enumerate(zip(columns, starts, strict=True)):
        expected = start + own.searchsorted(matrix[row], side="right")
        assert codes[row][sure[row]].tolist() == expected[sure[row]].tolist()


def test_nearly_all_values_are_found_at_once() -> None:
    rng = np.random.default_rng(1)
    for values in (rng.normal(size=5_000), rng.exponential(size=5_000), rng.integers(0, 24, 5_000) * 1.0):
        column = fit_column("x", values, categorical=False, ordered=False)
        _, unsure = Grid([column.edges], [0]).codes(values[None, :])
        assert len(unsure) < 250


def test_codes_are_those_of_a_search_in_each_column() -> None:
    rng = np.random.default_rng(2)
    columns = {
        "normal": rng.normal(size=3_000),
        "heavy": rng.standard_cauchy(size=3_000),
        "whole": rng.integers(0, 5, 3_000) * 1.0,
        "constant": np.full(3_000, 7.0),
        "missing": np.where(rng.random(3_000) < 0.1, np.nan, rng.normal(size=3_000)),
    }
    fitted = tuple(
        fit_column(name, values, categorical=False, ordered=False) for name, values in columns.items()
    )
    coder = Coder(fitted)
    codes, _, _ = coder.codes(columns)
    for row, (column, values) in enumerate(zip(fitted, columns.values(), strict=True)):
        expected = coder.starts[row] + np.where(
            np.isnan(values), len(column.edges) + 1, column.edges.searchsorted(values, side="right")
        )
        assert codes[row].tolist() == expected.tolist()
