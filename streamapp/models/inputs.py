"""From columns to what the estimator was fitted on. On the hot path: once per batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from streamapp.models.column import Array, Column, Columns, is_missing

__all__ = ["ToInput", "input_builder", "to_list"]

ToInput = Callable[[Columns], Any]
_Restore = Callable[[Array], Any]


def input_builder(columns: tuple[Column, ...], form: Literal["frame", "matrix", "rows"]) -> ToInput:
    """Return the function from columns to a DataFrame, a matrix (n, k), or rows, in the order of `columns`.

    A matrix is float64, or object where a column holds strings. A frame has the dtypes it was fitted with:
    int64 and bool where nothing is missing, category dtype with the training categories. Rows are n dicts of
    Python's own types, without the values that are missing.
    """
    if form == "rows":
        return _rows(columns)
    names = [column.name for column in columns]
    if form == "matrix":
        return _float_matrix(names) if not _has_objects(columns) else _object_matrix(columns)
    if all(column.dtype == "float" and not column.categorical_dtype for column in columns):
        return _float_frame(names)
    return _mixed_frame(columns)


def to_list(values: Array, column: Column) -> list[Any]:
    """Return `values` of `column` (n,) as they stand in requests: Python's own types, None for missing."""
    if column.dtype == "string":
        return values.tolist()  # type: ignore[no-any-return]
    as_python = {"float": float, "integer": int, "boolean": bool}[column.dtype]
    return [None if value != value else as_python(value) for value in values.tolist()]  # noqa: PLR0124  # NaN


def _rows(columns_: tuple[Column, ...]) -> ToInput:
    names = [column.name for column in columns_]

    def build(columns: Columns) -> list[dict[str, Any]]:
        lists = [to_list(columns[column.name], column) for column in columns_]
        return [
            {name: value for name, value in zip(names, row, strict=True) if value is not None}
            for row in zip(*lists, strict=True)
        ]

    return build


def _has_objects(columns: tuple[Column, ...]) -> bool:
    return any(column.dtype == "string" for column in columns)


def _float_matrix(names: list[str]) -> ToInput:
    def build(columns: Columns) -> Array:
        # C order, which estimators ask for: a product over rows of another layout may differ in its last bit.
        return np.ascontiguousarray(np.array([columns[name] for name in names], dtype=np.float64).T)

    return build


def _object_matrix(columns_: tuple[Column, ...]) -> ToInput:
    restore = [
        (column.name, _with_nan if column.dtype == "string" and column.object_missing != "none" else None)
        for column in columns_
    ]

    def build(columns: Columns) -> Array:
        matrix = np.empty((len(columns[restore[0][0]]), len(restore)), dtype=object)
        for i, (name, fix) in enumerate(restore):
            matrix[:, i] = columns[name] if fix is None else fix(columns[name])
        return matrix

    return build


def _float_frame(names: list[str]) -> ToInput:
    import pandas as pd  # noqa: PLC0415

    index = pd.Index(names)

    def build(columns: Columns) -> Any:
        # One block for all columns: ten times faster than one array per column.
        matrix = np.array([columns[name] for name in names], dtype=np.float64).T
        return pd.DataFrame(matrix, columns=index, copy=False)

    return build


def _mixed_frame(columns_: tuple[Column, ...]) -> ToInput:
    import pandas as pd  # noqa: PLC0415

    restore = [(column.name, _restorer(column)) for column in columns_]

    def build(columns: Columns) -> Any:
        data = {name: columns[name] if fix is None else fix(columns[name]) for name, fix in restore}
        return pd.DataFrame(data, copy=False)

    return build


def _restorer(column: Column) -> _Restore | None:
    if column.categorical_dtype:
        return _categorical(column)
    match column.dtype:
        case "string":
            return _object_series if column.object_missing == "none" else _with_nan
        case "integer":
            return _integers
        case "boolean":
            return _object_booleans(column) if column.object_missing else _booleans
        case _:
            return None


def _with_nan(values: Array) -> Array:
    missing = is_missing(values)
    return np.where(missing, np.nan, values) if missing.any() else values


def _object_series(values: Array) -> Any:
    import pandas as pd  # noqa: PLC0415

    return pd.Series(values, dtype=object)  # else pandas makes it its own string dtype, with NaN for None


def _integers(values: Array) -> Array:
    return values if np.isnan(values).any() else values.astype(np.int64)


def _booleans(values: Array) -> Array:
    return values if np.isnan(values).any() else values != 0


def _object_booleans(column: Column) -> _Restore:
    marker = None if column.object_missing == "none" else np.nan

    def restore(values: Array) -> Array:
        restored: Array = (values != 0).astype(object)
        restored[np.isnan(values)] = marker
        return restored

    return restore


def _categorical(column: Column) -> _Restore:
    import pandas as pd  # noqa: PLC0415

    categories = list(column.categories or ())
    dtype = pd.CategoricalDtype(categories)
    code = {category: i for i, category in enumerate(categories)}
    width = np.min_scalar_type(-max(len(categories), 1))

    def restore(values: Array) -> Any:
        # Levels that the training frame did not know become missing, as pandas itself would make them.
        codes = np.array([code.get(value, -1) for value in values.tolist()], dtype=width)
        return pd.Categorical.from_codes(codes, dtype=dtype, validate=False)

    return restore
