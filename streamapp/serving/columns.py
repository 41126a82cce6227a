"""Rows to columns, a batch at a time: nothing per value that can be done per column.

A row is decoded by a type made from the signature, so the parser itself refuses what has the wrong type,
lacks a column or has one too many; such rows are read again by :mod:`streamapp.serving.body`. What a parser
cannot see (bounds, whole numbers, closed categories) is looked at for whole columns here. Rows that do not
pass are only *suspects*; :func:`streamapp.serving.faults.find_fault` judges them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, starmap
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import orjson
from msgspec import UNSET, UnsetType

from streamapp.models.column import Row, Values
from streamapp.profile.columns import Columns, take_rows
from streamapp.serving.layouts import Layouts
from streamapp.serving.tensor_rows import TensorReader

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamapp.models.signature import Column, Signature

__all__ = ["ReadRows", "RowReader"]

_TYPES: dict[str, Any] = {"float": float, "integer": float, "boolean": bool, "string": str}

_encode = msgspec.json.Encoder().encode

_KEY_ENDS = re.compile(rb'"\s*:')  # and what looks so in a text: never fewer than there are names

# From here on a double may stand for an integer beyond 64 bits.
_HUGE = 2.0**63
_LARGEST_INT64 = np.nextafter(_HUGE, 0.0)


@dataclass(slots=True)
class ReadRows:
    """Rows as columns.

    Attributes
    ----------
    columns
        In the order of the signature.
    suspects
        Indices of the rows to be judged one by one, ascending.
    incomplete
        Indices of the rows in which a column was absent.
    unseen
        Column to whether a row has a category that the reference had not, (n,); absent where none has.
    """

    columns: Columns
    suspects: list[int]
    incomplete: set[int]
    unseen: dict[str, NDArray[np.bool_]]

    def take(self, keep: NDArray[np.intp]) -> ReadRows:
        """Return the rows at these indices; none of them is a suspect or incomplete any more.

        Of no rows there are no columns, as where none could be read.
        """
        if not len(keep):
            return ReadRows({}, [], set(), {})
        unseen = {name: mask[keep] for name, mask in self.unseen.items()}
        return ReadRows(take_rows(self.columns, keep), [], set(), unseen)


class RowReader:
    """Reads rows by a signature; made once per model.

    Parameters
    ----------
    signature
        What the model takes.

    Examples
    --------
    >>> from streamapp.models.signature import Signature
    >>> X = {"temp": np.array([0.5, np.nan]), "wind": np.array([3.0, 4.0])}
    >>> reader = RowReader(Signature.infer(X, np.ones(2)))
    >>> row = reader.decode(b'{"wind": 8, "temp": null}')
    >>> row, reader.read([row]).columns
    ((None, 8.0), {'temp': array([nan]), 'wind': array([8.])})
    """

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        by_type = {dtype: [c for c in signature.columns if c.dtype == dtype] for dtype in _TYPES}
        # Columns of one type stand together, so that they are taken over into one matrix.
        self._numbers = _Group(by_type["float"] + by_type["integer"])
        self._booleans = _Group(by_type["boolean"])
        self._strings = _Group(by_type["string"])
        self.order = self._numbers.names + self._booleans.names + self._strings.names
        self._categories = [
            None if column.categories is None else frozenset(column.categories) | {None}
            for column in self._strings.columns
        ]
        self._known = frozenset(self.order)
        columns = self._numbers.columns + self._booleans.columns + self._strings.columns
        self.decode_struct = _decoder(columns)
        self._written = _written(columns)
        self.tensors = TensorReader(signature, self.order)
        self.layouts = Layouts(signature)

    def decode(self, features: bytes) -> Values:
        """Return the row in JSON, or raise ValueError if it does not fit the signature's types."""
        return msgspec.structs.astuple(self.decode_struct(features))

    def values(self, row: Row) -> Values:
        """Return a row that has no fault."""
        return tuple(map(row.get, self.order))

    def as_read(self, row: Row) -> bytes:
        """Return a row as it stands in answers: all columns of the signature, and no other."""
        return orjson.dumps({column.name: row.get(column.name) for column in self.signature.columns})

    def written(self, rows: Iterable[Values]) -> list[bytes]:
        """Return rows that were no JSON objects as they stand in answers."""
        if self._written is None:
            return [orjson.dumps(dict(zip(self.order, values, strict=True))) for values in rows]
        return list(map(_encode, starmap(self._written, rows)))

    def completed(self, features: bytes) -> bytes:
        """Return a row in JSON with null for the columns that are not in it."""
        return self.as_read(orjson.loads(features))

    def may_repeat(self, features: bytes) -> bool:
        """Return whether a row in JSON may name a column twice: then its bytes are not to be repeated."""
        width = len(self.order)
        return features.count(b":") > width and len(_KEY_ENDS.findall(features)) > width

    def unknown(self, row: Row) -> set[str]:
        """Return the names in a row that the signature does not have."""
        return row.keys() - self._known

    def read(self, rows: Sequence[Values]) -> ReadRows:
        """Return `rows`, at least one, as columns."""
        reading = _Reading(list(zip(*rows, strict=True)), np.zeros(len(rows), dtype=np.bool_))
        self._read_numbers(reading)
        self._read_booleans(reading)
        self._read_strings(reading)
        columns = {column.name: reading.columns[column.name] for column in self.signature.columns}
        return ReadRows(columns, np.flatnonzero(reading.suspect).tolist(), reading.incomplete, reading.unseen)

    def _read_numbers(self, reading: _Reading) -> None:
        group = self._numbers
        if not group.columns:
            return
        matrix, has_missing = reading.matrix(group, begin=0)
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
        matrix, has_missing = reading.matrix(group, begin=len(self._numbers.columns))
        if has_missing:
            missing = (np.isnan(matrix) & group.required).any(axis=0)
            np.logical_or(reading.suspect, missing, out=reading.suspect)
        reading.columns.update(zip(group.names, matrix, strict=True))

    def _read_strings(self, reading: _Reading) -> None:
        group, suspect = self._strings, reading.suspect
        first = len(self.order) - len(group.columns)
        for values, column, categories in zip(
            reading.values[first:], group.columns, self._categories, strict=True
        ):
            distinct = set(values)
            if UNSET in distinct:
                values = reading.without_unset(values, None)  # noqa: PLW2901
                distinct = set(values)
            array = np.empty(len(values), dtype=object)
            array[:] = values
            reading.columns[column.name] = array
            if not column.nullable and None in distinct:
                suspect |= np.fromiter((value is None for value in values), np.bool_, len(values))
            if categories is not None and not categories.issuperset(distinct):
                strange = np.fromiter((value not in categories for value in values), np.bool_, len(values))
                if column.closed:
                    suspect |= strange
                reading.unseen[column.name] = strange


@dataclass(slots=True)
class _Reading:
    """Rows being read: what was found so far."""

    values: list[Values]
    """By column."""
    suspect: NDArray[np.bool_]
    columns: Columns = field(default_factory=dict)
    unseen: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    incomplete: set[int] = field(default_factory=set)

    def matrix(self, group: _Group, *, begin: int) -> tuple[NDArray[np.float64], bool]:
        """Return the columns of `group`, which begin there, as (columns, rows), and whether any is NaN."""
        columns, rows = self.values[begin : begin + len(group.columns)], len(self.suspect)
        try:
            flat = np.fromiter(chain.from_iterable(columns), np.float64, len(columns) * rows)
            has_missing = bool(np.isnan(flat).any())  # null
        except TypeError:  # nothing
            has_missing = True
            numbers = [self.without_unset(values, np.nan) for values in columns]
            flat = np.fromiter(chain.from_iterable(numbers), np.float64, len(columns) * rows)
        return flat.reshape(len(columns), rows), has_missing

    def without_unset(self, values: Values, missing: object) -> Values:
        """Return a column with `missing` for what is; note the rows that said nothing of it."""
        if UNSET in values:
            self.incomplete.update(at for at, value in enumerate(values) if value is UNSET)
        return tuple([missing if value is None or value is UNSET else value for value in values])


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


def _written(columns: Sequence[Column]) -> type[msgspec.Struct] | None:
    """Return the type that writes rows as JSON objects; None if there can be none."""
    names = {f"c{at}": column.name for at, column in enumerate(columns)}
    try:
        return msgspec.defstruct("Row", [(field, object) for field in names], rename=names, gc=False)
    except ValueError:  # as below
        return None


def _decoder(columns: Sequence[Column]) -> Callable[[bytes], msgspec.Struct]:
    """Return the parser of one row, which refuses what does not have the columns' types."""
    fields: list[Any] = []
    for at, column in enumerate(columns):
        wanted = _TYPES[column.dtype]
        if column.nullable:
            fields.append((f"c{at}", wanted | None | UnsetType, UNSET))
        else:
            fields.append((f"c{at}", wanted))
    names = {f"c{at}": column.name for at, column in enumerate(columns)}
    try:
        struct = msgspec.defstruct(
            "Row", fields, rename=names, kw_only=True, forbid_unknown_fields=True, gc=False
        )
    except ValueError:  # a name that JSON must escape: such rows are read slowly

        def refuse(features: bytes) -> msgspec.Struct:
            raise ValueError("no type can be made of these columns")

        return refuse
    return msgspec.json.Decoder(struct).decode
