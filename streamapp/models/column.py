"""One input column of a model, and the shape in which rows travel through the pure packages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from streamapp.messages import Label
from streamapp.profile.columns import Columns

__all__ = [
    "Array",
    "Column",
    "Columns",
    "Dtype",
    "Row",
    "Rows",
    "Treatment",
    "Values",
    "as_label",
    "is_missing",
]

Dtype = Literal["float", "integer", "boolean", "string"]

Treatment = Literal["drop", "hash"]
"""What becomes of a personal column in all that is written: it is left out, or a keyed hash stands there."""

Array = npt.NDArray[Any]

Row = dict[str, Any]
"""A row as it stands in requests and answers: column to value, None or absent for missing."""

Rows = list[Row]

Values = tuple[Any, ...]
"""A row in the order of its reader: None where null was sent, ``msgspec.UNSET`` where nothing was."""


@dataclass(frozen=True, slots=True)
class Column:
    """An input column.

    Attributes
    ----------
    name
        As in requests.
    dtype
        What values are on the wire: ``float``, ``integer``, ``boolean`` or ``string``.
    nullable
        Whether a value may be missing.
    categories
        The levels known from the reference, sorted, or in the order of the frame's category dtype. None for
        numbers, and for strings with so many levels that they may be identifiers.
    closed
        Whether other levels are refused.
    bounds
        Lowest and highest accepted number, either may be None. Never taken from the data.
    range
        Lowest and highest number in the reference: information, not a bound.
    categorical_dtype
        Whether the training frame had pandas' category dtype; then the estimator gets it again.
    object_missing
        ``nan`` or ``none`` if the training frame held missing values so in an object column, else None.
    personal
        What becomes of its values in all that is written, if they are personal.
    """

    name: str
    dtype: Dtype
    nullable: bool = False
    categories: tuple[Label, ...] | None = None
    closed: bool = False
    bounds: tuple[float | None, float | None] | None = None
    range: tuple[float, float] | None = None
    categorical_dtype: bool = False
    object_missing: Literal["nan", "none"] | None = None
    personal: Treatment | None = None

    @property
    def is_categorical(self) -> bool:
        """Whether values are levels without an order: strings, and any column of category dtype."""
        return self.dtype == "string" or self.categorical_dtype

    def to_dict(self) -> dict[str, Any]:
        """Return the column as JSON-able fields; of columns that are not personal, nothing says so."""
        fields = {field: getattr(self, field) for field in self.__slots__}
        if self.personal is None:
            del fields["personal"]
        return fields

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Return the column of :meth:`to_dict`'s fields, as they come back from JSON."""
        tuples = {
            key: tuple(fields[key]) for key in ("categories", "bounds", "range") if fields[key] is not None
        }
        return cls(**(fields | tuples))


def is_missing(values: Array) -> npt.NDArray[np.bool_]:
    """Return where `values` (n,), as they travel, are missing.

    Examples
    --------
    >>> is_missing(np.array([1.0, np.nan])).tolist(), is_missing(np.array(["a", None])).tolist()
    ([False, True], [False, True])
    """
    if values.dtype == object:
        return np.asarray(values == _NONE, dtype=np.bool_)
    return np.isnan(values)


_NONE = np.array(None, dtype=object)


def as_label(value: Any) -> Label:
    """Return `value` as the Python bool, int, float or str that it is, or raise TypeError.

    Examples
    --------
    >>> as_label(np.int64(3)), as_label(np.str_("busy"))
    (3, 'busy')
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{value!r} is no label: labels are strings, numbers or booleans")
