"""Rows to columns, a batch at a time: nothing per value that can be done per column.

A column is looked at as a whole: which types stand in it, whether all of it is finite, whole and within its
bounds. Rows that do not pass are only *suspects*; :func:`streamapp.serving.faults.find_fault` judges them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from streamapp.models.column import Row
from streamapp.profile.columns import Columns, take_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamapp.models.signature import Column, Signature

__all__ = ["ReadRows", "RowReader"]

_NONE = type(None)
_NUMBERS = frozenset({int, float})
_BOOLEANS = frozenset({bool})
_STRINGS = frozenset({str})

# From here on a double may stand for an integer beyond 64 bits.
_HUGE = 2.0**63
_LARGEST_INT64 = np.nextafter(_HUGE, 0.0)


@dataclass(frozen=True, slots=True)
class ReadRows:
    """Rows as columns.

    Attributes
    ----------
    columns
        In the order of the signature; a suspect row holds NaN or None where its value has the wrong type.
    suspects
        Indices of the rows to be judged one by one, ascending.
    features
        The rows as they stand in answers: the columns of the signature, values as they were sent.
    unknown
        Values per row in columns that the model does not know, (n,); None if there are none.
    unseen
        Column to whether a row has a category that the reference had not, (n,); absent where none has.
    """

    columns: Columns
    suspects: list[int]
    features: list[Row]
    unknown: NDArray[np.int64] | None
    unseen: dict[str, NDArray[np.bool_]]

    def take(self, keep: NDArray[np.intp]) -> ReadRows:
        """Return the rows at these indices; none of them is a suspect any more."""
        return ReadRows(
            take_rows(self.columns, keep),
            [],
            [self.features[row] for row in keep],
            None if self.unknown is None else self.unknown[keep],
            {name: mask[keep] for name, mask in self.unseen.items()},
        )


class RowReader:
    """Reads rows by a signature; made once per model.

    Parameters
    ----------
    signature
        What the model takes.
    """

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self._names = tuple(column.name for column in signature.columns)
        self._known = frozenset(self._names)
        self._numbers = _Group([c for c in signature.columns if c.dtype in {"float", "integer"}])
        self._booleans = _Group([c for c in signature.columns if c.dtype == "boolean"])
        self._strings = _Group([c for c in signature.columns if c.dtype == "string"])
        self._categories = [
            frozenset(c.categories) | {None} if c.categories is not None else None
            for c in self._strings.columns
        ]

    def read(self, rows: Sequence[Row]) -> ReadRows:
        """Return `rows` as columns."""
        reading = _Reading(rows, np.zeros(len(rows), dtype=np.bool_))
        self._read_numbers(reading)
        self._read_booleans(reading)
        self._read_strings(reading)
        features, unknown = self._features(rows, complete=reading.is_complete)
        columns = {name: reading.columns[name] for name in self._names}
        return ReadRows(columns, np.flatnonzero(reading.suspect).tolist(), features, unknown, reading.unseen)

    def _features(self, rows: Sequence[Row], *, complete: bool) -> tuple[list[Row], NDArray[np.int64] | None]:
        width = len(self._names)
        if complete and sum(map(len, rows)) == width * len(rows):
            return list(rows), None
        known = self._known
        features = [
            row if row.keys() == known else {name: row.get(name) for name in self._names} for row in rows
        ]
        unknown = np.fromiter((len(row.keys() - known) for row in rows), np.int64, len(rows))
        return features, unknown if unknown.any() else None

    def _read_numbers(self, reading: _Reading) -> None:
        group = self._numbers
        if not group.columns:
            return
        flat, types = group.values(reading)
        matrix, has_missing = _matrix(flat, types, _NUMBERS, group, reading.suspect)
        doubtful = np.zeros_like(reading.suspect)
        if has_missing:
            doubtful |= (np.isnan(matrix) & group.required).any(axis=0)
        # Comparisons with NaN, a missing value, are false: what is missing is in no other way wrong.
        doubtful |= (np.abs(matrix) >= _HUGE).any(axis=0)
        if group.bounded:
            doubtful |= ((matrix < group.low) | (matrix > group.high)).any(axis=0)
        if group.whole.size:
            whole = matrix[group.whole]
            doubtful |= ((whole != np.floor(whole)) & ~np.isnan(whole)).any(axis=0)
            # 2^63 - 1 has no double; the next above would overflow when it is made an integer again.
            np.minimum(whole, _LARGEST_INT64, out=whole)
            matrix[group.whole] = whole
        for at, levels in group.levels.items():
            strange = ~(np.isin(matrix[at], levels) | np.isnan(matrix[at]))
            if strange.any():
                reading.unseen[group.names[at]] = strange
        np.logical_or(reading.suspect, doubtful, out=reading.suspect)
        reading.columns.update(zip(group.names, matrix, strict=True))

    def _read_booleans(self, reading: _Reading) -> None:
        group = self._booleans
        if not group.columns:
            return
        flat, types = group.values(reading)
        matrix, has_missing = _matrix(flat, types, _BOOLEANS, group, reading.suspect)
        if has_missing:
            missing = (np.isnan(matrix) & group.required).any(axis=0)
            np.logical_or(reading.suspect, missing, out=reading.suspect)
        reading.columns.update(zip(group.names, matrix, strict=True))

    def _read_strings(self, reading: _Reading) -> None:
        group, suspect = self._strings, reading.suspect
        if not group.columns:
            return
        flat, types = group.values(reading)
        if types != _STRINGS:
            flat = _only(flat, _STRINGS, None, group, suspect)
        count, width = len(reading.rows), len(group.columns)
        for at, (column, categories) in enumerate(zip(group.columns, self._categories, strict=True)):
            values = flat[at::width]
            array = np.empty(count, dtype=object)
            array[:] = values
            reading.columns[column.name] = array
            if types != _STRINGS and not column.nullable:
                suspect |= np.fromiter((value is None for value in values), np.bool_, count)
            if categories is not None and not categories.issuperset(values):
                strange = np.fromiter((value not in categories for value in values), np.bool_, count)
                if column.closed:
                    suspect |= strange
                reading.unseen[column.name] = strange


@dataclass(slots=True)
class _Reading:
    """Rows being read: what was found so far."""

    rows: Sequence[Row]
    suspect: NDArray[np.bool_]
    columns: Columns = field(default_factory=dict)
    unseen: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    is_complete: bool = True
    """Whether every row has every column."""


class _Group:
    """Columns that are read together because their values have one type."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self.names = tuple(column.name for column in columns)
        self.required = np.array([[not column.nullable] for column in columns], dtype=np.bool_)
        self.whole = np.flatnonzero([column.dtype == "integer" for column in columns])
        bounds = [column.bounds or (None, None) for column in columns]
        self.low = np.array([[-np.inf if low is None else low] for low, _ in bounds], dtype=np.float64)
        self.high = np.array([[np.inf if high is None else high] for _, high in bounds], dtype=np.float64)
        self.bounded = bool(np.isfinite(self.low).any() or np.isfinite(self.high).any())
        # Numbers of category dtype: these are levels, too.
        self.levels = {
            at: np.array(column.categories, dtype=np.float64)
            for at, column in enumerate(columns)
            if column.categories is not None and column.dtype in {"float", "integer"}
        }
        self._get: Callable[[Row], tuple[Any, ...]] | None = None
        if len(columns) == 1:
            (name,) = self.names
            self._get = lambda row: (row[name],)
        elif columns:
            self._get = itemgetter(*self.names)

    def values(self, reading: _Reading) -> tuple[list[Any], set[type]]:
        """Return all values row by row, and the types among them."""
        assert self._get is not None
        try:
            flat = list(chain.from_iterable(map(self._get, reading.rows)))
        except KeyError:
            reading.is_complete = False
            flat = [get(name) for get in [row.get for row in reading.rows] for name in self.names]
        return flat, set(map(type, flat))


def _matrix(
    flat: list[Any], types: set[type], wanted: frozenset[type], group: _Group, suspect: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], bool]:
    """Return the values as (columns, rows), NaN for those of other types, and whether any is NaN."""
    clean = types <= wanted
    if not clean:
        flat = _only(flat, wanted, np.nan, group, suspect)
    matrix = np.fromiter(flat, np.float64, len(flat)).reshape(-1, len(group.columns))
    return np.ascontiguousarray(matrix.T), not clean


def _only(
    flat: list[Any], wanted: frozenset[type], missing: object, group: _Group, suspect: NDArray[np.bool_]
) -> list[Any]:
    """Return `flat` with `missing` for values of other types; rows with others than null are suspect."""
    if not wanted.issuperset(types := set(map(type, flat)) - {_NONE}):
        width = len(group.columns)
        odd = types - wanted
        for at, value in enumerate(flat):
            if type(value) in odd:
                suspect[at // width] = True
    return [value if type(value) in wanted else missing for value in flat]
