"""Why a request is rejected: one row judged value by value, exactly and with words.

The hot path looks at whole columns (:mod:`streamapp.serving.columns`) and only suspects; what it suspects is
judged here, so that there is one authority on what is right and wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from streamapp.messages import RejectionCode

if TYPE_CHECKING:
    from streamapp.models.signature import Column, Signature

__all__ = ["INT64", "Fault", "Misfit", "find_fault", "find_fault_in_rows", "quote", "type_name"]

INT64 = (-(2**63), 2**63 - 1)
UINT64_MAX = 2**64 - 1

_TYPES = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}
_WANTED = {"float": "a number", "integer": "a whole number", "boolean": "true or false", "string": "a string"}


class Fault(NamedTuple):
    """Why one request is rejected."""

    code: RejectionCode
    message: str
    feature: str | None = None
    row: int | None = None
    """Which row is at fault, of a request with several."""

    def in_row(self, row: int | None) -> Fault:
        """Return it said of a row; None, if the request has one only."""
        return self if row is None else self._replace(message=f"row {row}: {self.message}", row=row)


class Misfit(Exception):  # noqa: N818  # never leaves serving, where it ends the reading of one request
    """Raised where a request has not the shape that it must have; `fault` says how."""

    def __init__(
        self, code: RejectionCode, message: str, *, feature: str | None = None, row: int | None = None
    ) -> None:
        super().__init__(message)
        self.fault = Fault(code, message, feature).in_row(row)


def type_name(value: object) -> str:
    """Return what JSON calls the type of `value`, with its article."""
    return _TYPES.get(type(value), type(value).__name__)


def quote(value: object, *, limit: int = 60) -> str:
    """Return `value` as JSON writes it, cut to `limit` characters.

    Examples
    --------
    >>> quote("mist"), quote(float("nan")), quote("x" * 9, limit=6)
    ('"mist"', 'nan', '"xxxxx…')
    """
    if isinstance(value, str):
        text = orjson.dumps(value[:limit].encode(errors="replace").decode()).decode()
        if len(value) > limit:
            text = text[:-1]
    elif isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 4096:
        return f"a number of {value.bit_length()} bits"
    elif isinstance(value, dict | list):
        return type_name(value)
    elif isinstance(value, float) and not math.isfinite(value):
        return str(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        text = repr(value)
    else:
        text = orjson.dumps(value, default=str).decode()
    return text if len(text) <= limit else text[:limit] + "…"


def find_fault(features: Mapping[str, Any], signature: Signature) -> Fault | None:
    """Return the first fault of a row, in the order of the signature's columns, or None.

    Parameters
    ----------
    features
        Column to value, numbers as exact as they were written (integers of any size).
    signature
        What the model takes.
    """
    for column in signature.columns:
        fault = _column_fault(features.get(column.name), column)
        if fault is not None:
            return fault
    return None


def find_fault_in_rows(rows: Sequence[Mapping[str, Any]], signature: Signature) -> Fault | None:
    """Return the first fault of a request's rows, and which row it is in, or None."""
    for at, row in enumerate(rows):
        fault = find_fault(row, signature)
        if fault is not None:
            return fault.in_row(at if len(rows) > 1 else None)
    return None


def _column_fault(value: object, column: Column) -> Fault | None:
    name = column.name
    if value is None:
        if column.nullable:
            return None
        wanted = _WANTED[column.dtype]
        return Fault(
            RejectionCode.MISSING_FEATURE,
            f"{name} is missing, and was never missing in the model's reference rows: send {wanted}",
            name,
        )
    match column.dtype:
        case "string":
            return _string_fault(value, column)
        case "boolean":
            return None if type(value) is bool else _wrong_type(value, column)
        case _:
            return _number_fault(value, column)


def _shown(value: object, column: Column) -> str:
    return quote(value) if column.personal is None else "a value that is not shown, as it is personal"


def _wrong_type(value: object, column: Column) -> Fault:
    is_text = f", {type_name(value)}" if isinstance(value, str | bool | int | float) else ""
    return Fault(
        RejectionCode.WRONG_TYPE,
        f"{column.name} is {_shown(value, column)}{is_text}: send {_WANTED[column.dtype]}",
        column.name,
    )


def _string_fault(value: object, column: Column) -> Fault | None:
    if type(value) is not str:
        return _wrong_type(value, column)
    if column.closed and column.categories is not None and value not in column.categories:
        return Fault(
            RejectionCode.UNKNOWN_CATEGORY,
            f"{column.name} is {_shown(value, column)}, and only these are allowed: {_levels_text(column)}",
            column.name,
        )
    return None


def _levels_text(column: Column) -> str:
    levels = column.categories or ()
    if column.personal is not None:
        return f"the {len(levels)} levels of the reference"
    known = ", ".join(quote(level, limit=30) for level in levels[:10])
    return known + (f" and {len(levels) - 10} more" if len(levels) > 10 else "")


def _number_fault(value: object, column: Column) -> Fault | None:
    if type(value) is not int and type(value) is not float:
        return _wrong_type(value, column)
    whole = column.dtype == "integer"
    if isinstance(value, float) and not math.isfinite(value):
        return _out_of_range(value, column, "not finite; a missing value is null")
    if whole and value != math.floor(value):
        return _wrong_type(value, column)
    lowest, highest = INT64
    if not whole:
        highest = UINT64_MAX
    if (whole or isinstance(value, int)) and not lowest <= value <= highest:
        return _out_of_range(value, column, f"beyond 64 bits; whole numbers go from {lowest} to {highest}")
    low, high = column.bounds or (None, None)
    if (low is not None and value < low) or (high is not None and value > high):
        return _out_of_range(value, column, f"outside its bounds, {_bounds_text(low, high)}")
    return None


def _out_of_range(value: object, column: Column, why: str) -> Fault:
    return Fault(RejectionCode.OUT_OF_RANGE, f"{column.name} is {_shown(value, column)}, {why}", column.name)


def _bounds_text(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {high:g}"
    return f"at least {low:g}" if high is None else f"{low:g} to {high:g}"
