"""The tensors of a V2 request as rows, read value by value and with words for what is wrong.

The hot path (:mod:`streamapp.serving.tensor_rows`) comes here with what it does not take.

References
----------
Open Inference Protocol (https://github.com/kserve/open-inference-protocol), "Tensor Data": row-major, flat or
nested, as many values as the shape says. Binary tensors belong to an extension for HTTP.
"""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from streamapp.messages import RejectionCode
from streamapp.models.column import Row
from streamapp.serving.faults import Misfit, quote, type_name

if TYPE_CHECKING:
    from streamapp.models.signature import Signature

__all__ = ["FLOATS", "INTEGERS", "read_tensors"]

FLOATS = ("FP16", "FP32", "FP64")
"""JSON numbers are doubles, whichever of these a tensor says."""

INTEGERS = {f"INT{bits}": (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) for bits in (8, 16, 32, 64)} | {
    f"UINT{bits}": (0, (1 << bits) - 1) for bits in (8, 16, 32, 64)
}
"""Datatype to its least and greatest number."""

_HOLDS = (
    dict.fromkeys(FLOATS, ("numbers", (int, float)))
    | dict.fromkeys(INTEGERS, ("whole numbers", (int, float)))
    | {"BOOL": ("true and false", (bool,)), "BYTES": ("strings", (str,))}
)
"""Datatype to what it holds, in words and as types."""


class _Tensor(NamedTuple):
    name: str
    shape: list[int]
    values: list[Any]

    @property
    def rows(self) -> int:
        return self.shape[0]

    @property
    def is_column(self) -> bool:
        return self.shape[1:] in ([], [1])


def read_tensors(inputs: Any, signature: Signature) -> list[Row]:
    """Return the rows in ``inputs``, not judged by the signature yet.

    Parameters
    ----------
    inputs
        A tensor [n] or [n, 1] per column, named as it; or a single one [n, columns] of any name, with the
        columns in the order of the signature.
    signature
        What the model takes.

    Raises
    ------
    Misfit
        If the tensors are not so, or hold what their datatypes do not.
    """
    if not isinstance(inputs, list) or not all(isinstance(each, dict) for each in inputs):
        raise Misfit(RejectionCode.WRONG_TYPE, f"inputs is {type_name(inputs)}: send an array of tensors")
    if not inputs:
        raise Misfit(RejectionCode.BAD_SHAPE, "inputs is empty: send a tensor per column")
    # What is personal is told by column, and a tensor may hold all of them.
    tensors = [_read_tensor(given, quotes=not signature.is_private) for given in inputs]
    names, first = [column.name for column in signature.columns], tensors[0]
    if len(tensors) == 1 and (first.is_column if len(names) == 1 else first.shape[1:] == [len(names)]):
        by_row = zip(*[iter(first.values)] * len(names), strict=True)
    else:
        _check_columns(tensors, names)
        names = [tensor.name for tensor in tensors]
        by_row = zip(*(tensor.values for tensor in tensors), strict=True)
    return [dict(zip(names, row, strict=True)) for row in by_row]


def _refuse_binary(tensor: str, given: dict[str, Any]) -> None:
    """Raise Misfit if a tensor's values are somewhere else.

    Who would like to have binary outputs gets JSON: clients that ask for them by default read both.
    """
    parameters = given.get("parameters")
    if isinstance(parameters, dict) and "binary_data_size" in parameters:
        what = (
            f"tensor {tensor} has binary_data_size: there are no binary tensors here, send its data as JSON"
        )
        raise Misfit(RejectionCode.BAD_SHAPE, what)


def _check_columns(tensors: list[_Tensor], names: list[str]) -> None:
    """Raise Misfit unless the tensors are columns of as many rows, each there once."""
    seen: dict[str, int] = {}
    for tensor in tensors:
        if not tensor.is_column or (len(tensors) == 1 and tensor.name not in names):
            _refuse_shape(
                tensor.name,
                f"has shape {tensor.shape}: send [rows] or [rows, 1], named as a column, "
                f"or a single tensor [rows, {len(names)}] with all columns in the order of the signature",
            )
        if tensor.name in seen:
            _refuse_shape(tensor.name, "stands twice in inputs: send each column once")
        seen[tensor.name] = tensor.rows
        if tensor.rows != tensors[0].rows:
            others = f"{quote(tensors[0].name)} has {tensors[0].rows}"
            _refuse_shape(tensor.name, f"has {tensor.rows} rows and {others}: send as many of each column")


def _read_tensor(given: dict[str, Any], *, quotes: bool) -> _Tensor:
    name, shape, datatype, data = (given.get(part) for part in ("name", "shape", "datatype", "data"))
    if not isinstance(name, str):
        raise Misfit(RejectionCode.WRONG_TYPE, f"a tensor's name is {quote(name)}: send a string")
    _refuse_binary(quote(name), given)
    if not isinstance(shape, list) or not 0 < len(shape) <= 2 or not all(map(_is_size, shape)):
        _refuse_shape(
            name, "has a shape that is not one or two whole numbers above 0: send rows, then columns"
        )
    if not isinstance(datatype, str) or datatype not in _HOLDS:
        what = f"tensor {quote(name)} has datatype {quote(datatype)}: send one of {', '.join(_HOLDS)}"
        raise Misfit(RejectionCode.WRONG_TYPE, what, feature=name)
    values = _flat(data, shape)
    if values is None:
        count = f"an array of {len(data)}" if isinstance(data, list) else type_name(data)
        wanted = f"{math.prod(shape)} values row by row, flat or nested as its shape"
        _refuse_shape(name, f"has shape {shape} and its data is {count}: send {wanted}")
    for at, value in enumerate(values):
        if value is not None:
            row = at * shape[0] // len(values) if shape[0] > 1 else None
            _check_value(name, value, datatype, row, quotes=quotes)
    return _Tensor(name, shape, values)


def _is_size(size: object) -> bool:
    return type(size) is int and 0 < size < 1 << 31


def _flat(data: object, shape: list[int]) -> list[Any] | None:
    """Return the values of a tensor, row-major; None if `data` has not its shape."""
    if not isinstance(data, list):
        return None
    if data and isinstance(data[0], list):
        if len(data) != shape[0]:
            return None
        for size in shape[1:]:
            if not all(isinstance(each, list) and len(each) == size for each in data):
                return None
            data = list(chain.from_iterable(data))
    is_flat = not any(isinstance(value, list) for value in data)
    return data if is_flat and len(data) == math.prod(shape) else None


def _check_value(name: str, value: object, datatype: str, row: int | None, *, quotes: bool) -> None:
    """Raise Misfit unless a value is one that its datatype holds."""
    words, types = _HOLDS[datatype]
    fits = type(value) in types
    shown = quote(value) if quotes else "a value that is not shown, as it may be personal"
    if fits and datatype in INTEGERS:
        assert isinstance(value, int | float)
        low, high = INTEGERS[datatype]
        is_whole = not math.isfinite(value) or value == math.floor(value)
        if is_whole and not low <= value <= high:
            what = f"holds {shown}, and {datatype} goes from {low} to {high}: send a number within"
            raise Misfit(RejectionCode.OUT_OF_RANGE, f"tensor {quote(name)} {what}", feature=name, row=row)
        fits = is_whole
    if not fits:
        type_ = f", {type_name(value)}" if isinstance(value, str | bool | int | float) else ""
        what = f"holds {shown}{type_}, and is {datatype}: send {words}, or another datatype"
        raise Misfit(RejectionCode.WRONG_TYPE, f"tensor {quote(name)} {what}", feature=name, row=row)


def _refuse_shape(name: str, what: str) -> NoReturn:
    raise Misfit(RejectionCode.BAD_SHAPE, f"tensor {quote(name)} {what}", feature=name)
