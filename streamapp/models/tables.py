"""From DataFrames, dicts of arrays and lists of rows to columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from streamapp.errors import SignatureError, shown
from streamapp.models.column import Array, Column, Rows

__all__ = ["as_table", "check_values", "count_rows", "read_column", "read_rows"]

_WANTED = {"float": "numbers", "integer": "whole numbers", "boolean": "booleans", "string": "strings"}


def as_table(X: Any) -> dict[str, Any]:
    """Return `X` as a dict of pandas Series or one-dimensional arrays, all of one length.

    Parameters
    ----------
    X
        DataFrame, dict of arrays, or array (n, k), whose columns are then named ``x0``, ``x1``, …

    Raises
    ------
    SignatureError
        If it is none of these, if lengths differ, or if two columns have one name.
    """
    if isinstance(X, np.ndarray) and X.ndim == 2:
        return {f"x{i}": X[:, i] for i in range(X.shape[1])}
    if isinstance(X, Mapping):
        for name, values in X.items():
            if np.isscalar(values) or values is None:
                raise SignatureError(
                    f"column {name!r} is one value, {shown(repr(values), 40)}: pass an array for each, "
                    "or a list of rows"
                )
        table = {
            str(name): values if hasattr(values, "dtype") else _as_array(values) for name, values in X.items()
        }
        lengths = {name: len(values) for name, values in table.items()}
        if len(set(lengths.values())) > 1:
            raise SignatureError(f"columns are of different lengths: {lengths}")
        return table
    if hasattr(X, "columns") and hasattr(X, "iloc"):
        names = [str(name) for name in X.columns]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise SignatureError(f"the frame has two columns named {twice!r}; rename one")
        return {name: X.iloc[:, i] for i, name in enumerate(names)}
    raise SignatureError(f"rows must be a DataFrame or a dict of arrays, not {type(X).__name__}")


def _as_array(values: Sequence[Any]) -> Array:
    # A list of strings with None in it must not become text "None".
    array = np.asarray(values, dtype=object)
    types = set(map(type, values))
    return array if None.__class__ in types or str in types else np.asarray(values)


def count_rows(columns: Mapping[str, Any]) -> int:
    """Return the number of rows, 0 without columns."""
    return len(next(iter(columns.values()), ()))


def read_column(values: Any, column: Column) -> Array:
    """Return `values`, a pandas Series or an array, as they travel: float64, or object with str and None.

    Raises
    ------
    SignatureError
        If a value is not of the column's kind.
    """
    if column.dtype == "string":
        return _read_strings(values, column)
    if values.dtype.kind in "biuf" and isinstance(values, np.ndarray):
        array = values.astype(np.float64)
    else:
        array = _read_numbers(values, column)
    check_values(array, column)
    return array


def _read_strings(values: Any, column: Column) -> Array:
    import pandas as pd  # noqa: PLC0415

    array = np.array(values, dtype=object)
    array[pd.isna(array)] = None
    wrong = set(map(type, array.tolist())) - {str, type(None)}
    if wrong - {np.str_}:
        value = next(value for value in array if not isinstance(value, str | None))
        raise SignatureError(f"column {column.name!r} holds {value!r} where strings must stand")
    if wrong:
        array = np.array([None if value is None else str(value) for value in array], dtype=object)
    return array


def _read_numbers(values: Any, column: Column) -> Array:
    import pandas as pd  # noqa: PLC0415

    objects = np.array(values, dtype=object)
    objects[pd.isna(objects)] = np.nan
    return _to_float(objects.tolist(), column)


def _to_float(values: list[Any], column: Column) -> Array:
    # NumPy would read the string "1.5" as a number: a column of strings must be told apart from numbers.
    if str in set(map(type, values)):
        value = next(value for value in values if isinstance(value, str))
        raise SignatureError(
            f"column {column.name!r} holds {value!r} where {_WANTED[column.dtype]} must stand"
        )
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as exc:
        raise SignatureError(
            f"column {column.name!r}: {exc}; {_WANTED[column.dtype]} must stand there"
        ) from None


def read_rows(rows: Rows, column: Column) -> Array:
    """Return the values of `column` in `rows`, None or absent for missing, as they travel."""
    name = column.name
    values = [row.get(name) for row in rows]
    if column.dtype == "string":
        array = np.empty(len(values), dtype=object)
        array[:] = values
        if not set(map(type, values)) <= {str, type(None)}:
            return _read_strings(array, column)
        return array
    array = _to_float(values, column)
    check_values(array, column)
    return array


def check_values(array: Array, column: Column) -> None:
    """Raise SignatureError if numbers are no whole numbers, or no booleans, where these must stand."""
    if column.dtype == "float":
        return
    present = array[~np.isnan(array)]
    wrong = present != np.floor(present) if column.dtype == "integer" else ~np.isin(present, (0.0, 1.0))
    if wrong.any():
        value = present[int(np.argmax(wrong))]
        raise SignatureError(
            f"column {column.name!r} holds {value:g} where {_WANTED[column.dtype]} must stand"
        )
