"""Segments: the groups of rows whose accuracy is watched apart, by the levels of chosen columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from streamapp.errors import SignatureError
from streamapp.models.column import Array, Column, Columns, Dtype

__all__ = ["MAX_LEVELS", "MISSING", "OTHER", "SegmentColumn", "Segments"]

MAX_LEVELS = 20
OTHER = "other"
"""All levels of a column beyond the most frequent ones."""
MISSING = "missing"


@dataclass(frozen=True, slots=True)
class SegmentColumn:
    """One column, what its values are on the wire, and its levels, the most frequent first, as text."""

    name: str
    dtype: Dtype
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Segments:
    """Columns by which rows are told apart.

    Attributes
    ----------
    columns
        In the order of their names; each splits all rows into its levels and ``other``.

    Examples
    --------
    >>> segments = Segments((SegmentColumn("hour", "integer", ("17", "8")),))
    >>> segments.of([{"hour": 8.0}, {"hour": 23}, {}, None])["hour"].tolist()
    ['8', 'other', 'other', 'other']
    """

    columns: tuple[SegmentColumn, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.columns)

    @classmethod
    def choose(cls, names: Collection[str], columns: Sequence[Column], reference: Columns) -> Self:
        """Return the segments by columns `names`: of each its twenty most frequent levels in the reference.

        Parameters
        ----------
        names
            Columns whose values are levels: strings, booleans or integers.
        columns
            Of the signature.
        reference
            Its rows, (n,) each.

        Raises
        ------
        SignatureError
            If a name is no input, or one of a column of floats or of a personal one.
        """
        known = {column.name: column for column in columns}
        for name in names:
            if name not in known:
                raise SignatureError(
                    f"segment column {name!r} is no input of the model; it has {', '.join(list(known)[:10])}"
                )
            if known[name].dtype == "float":
                raise SignatureError(
                    f"segment column {name!r} holds floats, which have no levels; "
                    "choose a column of strings, booleans or integers"
                )
            if known[name].personal is not None:
                raise SignatureError(
                    f"segment column {name!r} is personal, and alerts and pages name the levels of segments: "
                    "choose another column"
                )
        return cls(
            tuple(
                SegmentColumn(name, known[name].dtype, _levels(reference[name], known[name].dtype))
                for name in sorted(set(names))
            )
        )

    def of(self, rows: Sequence[dict[str, Any] | None]) -> dict[str, Array]:
        """Return the level of each of n rows of features, by column, (n,) objects each."""
        found = {}
        for column in self.columns:
            known = set(column.levels)
            names = [_name(None if row is None else row.get(column.name), column.dtype) for row in rows]
            found[column.name] = np.array([name if name in known else OTHER for name in names], dtype=object)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the segments as JSON-able fields."""
        return {
            column.name: {"dtype": column.dtype, "levels": list(column.levels)} for column in self.columns
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Return the segments of :meth:`to_dict`'s fields."""
        return cls(
            tuple(
                SegmentColumn(name, column["dtype"], tuple(column["levels"]))
                for name, column in fields.items()
            )
        )


def _levels(values: Array, dtype: Dtype) -> tuple[str, ...]:
    counts = Counter(_name(value, dtype) for value in values.tolist())
    frequent = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return tuple(name for name, _ in frequent if name != OTHER)[:MAX_LEVELS]


def _name(value: Any, dtype: Dtype) -> str:
    if value is None or value != value:  # noqa: PLR0124  # NaN
        return MISSING
    if dtype == "string":
        return str(value)
    return str(bool(value)).lower() if dtype == "boolean" else str(int(value))
