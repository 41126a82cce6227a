"""Tables to columns: the one form in which rows travel between decoding, models, profiles and drift."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from streamapp.errors import ProfileError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Columns", "as_columns", "level_text", "row_count", "take_rows"]

Columns = dict[str, np.ndarray]
"""Name to values, all of one length: float64 with NaN for numbers and booleans, else str or None."""


def as_columns(X: pd.DataFrame | Mapping[str, Any]) -> Columns:
    """Return `X` as columns.

    Parameters
    ----------
    X
        DataFrame, or mapping of names to arrays of shape (n,). Numbers and booleans become float64 with NaN
        for what is missing, times become milliseconds since the epoch; everything else (strings, pandas
        categories, mixed objects) becomes an object array of str with None for what is missing. Objects
        that are all numbers or booleans count as numbers.

    Raises
    ------
    ProfileError
        If there is no column, a column is not one-dimensional, or lengths differ.

    Examples
    --------
    >>> columns = as_columns({"temp": [0.25, None], "weather": ["mist", None]})
    >>> columns["temp"], columns["weather"]
    (array([0.25,  nan]), array(['mist', None], dtype=object))
    """
    if isinstance(X, Mapping):
        columns = {str(name): _column(values) for name, values in X.items()}
    elif hasattr(X, "columns") and hasattr(X, "iloc"):
        columns = {str(name): _series(X.iloc[:, i]) for i, name in enumerate(X.columns)}
    else:
        raise ProfileError(
            f"{type(X).__name__} is no table; pass a DataFrame or a mapping of names to arrays"
        )
    row_count(columns)
    return columns


def row_count(columns: Columns) -> int:
    """Return how many rows `columns` has, or raise ProfileError if they are not of one length."""
    if not columns:
        raise ProfileError("a table without columns; pass at least one")
    shapes = {name: values.shape for name, values in columns.items()}
    first = next(iter(shapes.values()))
    for name, shape in shapes.items():
        if len(shape) != 1 or shape != first:
            raise ProfileError(
                f"column {name!r} has shape {shape}, the first column {first}; all must be (n,)"
            )
    return int(first[0])


def take_rows(columns: Columns, rows: np.ndarray) -> Columns:
    """Return the rows of `columns` at these indices (or where this mask is true)."""
    return {name: values[rows] for name, values in columns.items()}


def level_text(value: object) -> str:
    """Return the name of a category: whole numbers without a fraction, booleans in lower case.

    Examples
    --------
    >>> level_text(3.0), level_text(True), level_text("mist")
    ('3', 'true', 'mist')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _series(series: pd.Series[Any]) -> np.ndarray:
    dtype = series.dtype
    if dtype.name == "category":
        return _objects(series.astype(object).to_numpy(), numbers=False)
    if dtype.kind in "biuf":  # numpy's own and pandas' nullable dtypes alike
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    if dtype.kind == "M":
        return _times(series.to_numpy(dtype="datetime64[ms]"))
    return _objects(series.to_numpy(dtype=object), numbers=True)


def _column(values: Any) -> np.ndarray:
    if hasattr(values, "iloc"):
        return _series(values)
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return array.astype(np.float64, copy=False)
    if array.dtype.kind == "M":
        return _times(array.astype("datetime64[ms]"))
    return _objects(array.astype(object, copy=False), numbers=True)


def _times(array: np.ndarray) -> np.ndarray:
    numbers = array.astype(np.int64).astype(np.float64)
    numbers[np.isnat(array)] = np.nan
    return numbers


def _objects(array: np.ndarray, *, numbers: bool) -> np.ndarray:
    """Clean objects: None for every way to say missing, float64 if all are numbers, else text."""
    if array.ndim != 1:
        return array  # refused with its name by row_count
    listed = array.tolist()
    kinds = set(map(type, listed))
    if str in kinds and kinds <= {str, type(None)}:
        return array  # clean already, as most are
    values = [None if _is_missing(value) else value for value in listed]
    if numbers and all(isinstance(v, (bool, int, float, np.number, np.bool_)) or v is None for v in values):
        return np.array([np.nan if v is None else float(v) for v in values], dtype=np.float64)
    clean = np.empty(len(values), dtype=object)
    clean[:] = [None if v is None else level_text(v) for v in values]
    return clean


def _is_missing(value: object) -> bool:
    # NaN differs from itself; pandas.NA refuses to say, and it and NaT are known by their types' names.
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating, np.datetime64)) and value != value  # noqa: PLR0124
