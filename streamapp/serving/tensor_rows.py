"""V2 requests to rows without a loop over their values: what the hot path is for that dialect.

As with native rows, types made from the signature read the usual requests. Three forms are usual: a tensor
per column, with one row or with several, and one tensor with all columns. What is not as they say raises
ValueError and is read again, value by value and with words, by :mod:`streamapp.serving.tensors`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import msgspec

from streamapp.serving.dialects import ALL_OUTPUTS, V2, Asked
from streamapp.serving.faults import INT64
from streamapp.serving.tensor_types import (
    DATATYPES,
    AnyTensor,
    Data,
    Output,
    any_values,
    decoder,
    one_value,
)
from streamapp.serving.tensors import FLOATS, INTEGERS

if TYPE_CHECKING:
    from streamapp.models.column import Values
    from streamapp.models.signature import Column, Signature

__all__ = ["TensorBody", "TensorReader"]

_MOST_ORDERS = 64

_DOUBLES = {float}
_MEMBERS: dict[str, frozenset[type]] = {
    **dict.fromkeys(FLOATS, frozenset({float, int, type(None)})),
    **dict.fromkeys(INTEGERS, frozenset({int, type(None)})),
    "BOOL": frozenset({bool, type(None)}),
    "BYTES": frozenset({str, type(None)}),
}

_shape, _data = map(attrgetter, ("shape", "data"))


class TensorBody(NamedTuple):
    """What a V2 request says."""

    id: str | int | None
    rows: list[Values]
    """One at least."""
    asked: Asked


class TensorReader:
    """Reads V2 requests by a signature; made once per model.

    Parameters
    ----------
    signature
        What the model takes.
    order
        Names of its columns in the order of the values of a row.

    Examples
    --------
    >>> import numpy as np
    >>> from streamapp.models.signature import Signature
    >>> X = {"temp": np.array([0.5, 1.5]), "wind": np.array([3.5, 4.5])}
    >>> reader = TensorReader(Signature.infer(X, np.ones(2)), ("temp", "wind"))
    >>> tensor = b'{"name": "x", "shape": [2, 2], "datatype": "FP64", "data": [1, 2, 3, 4]}'
    >>> reader.read(b'{"inputs": [%b]}' % tensor, max_rows=10).rows
    [(1, 2), (3, 4)]
    """

    def __init__(self, signature: Signature, order: Sequence[str]) -> None:
        self._signature = signature
        self._order = tuple(order)
        self._one_row = [1, len(self._order)]
        self._in_order = list(range(len(self._order)))
        self._orders: dict[tuple[type, ...], list[int]] = {}
        self._optional = {column.name for column in signature.columns if column.nullable}
        self._names: dict[type, str] = {}
        self._decode_one = decoder(self._tensors(one_value))
        self._decode_columns = decoder(self._tensors(any_values))
        self._decode_all = decoder(AnyTensor)
        names = [column.name for column in signature.columns]
        places = [names.index(name) for name in self._order]
        self._permute = None if places == sorted(places) else itemgetter(*places)
        self._common = set.intersection(*(set(DATATYPES[column.dtype]) for column in signature.columns))
        self._forms = [self._read_one, self._read_columns, self._read_all]

    def read(self, value: bytes, *, max_rows: int) -> TensorBody:
        """Return what a request says.

        Parameters
        ----------
        value
            Of the record.
        max_rows
            Most rows that a request may have.

        Raises
        ------
        ValueError
            If it is to be read value by value.
        """
        for read in self._forms:
            try:
                found = read(value)
            except ValueError:
                continue
            if len(found.rows) > max_rows:
                raise ValueError("too many rows")
            if read is not self._forms[0]:  # the next is likely to have the same form
                self._forms.remove(read)
                self._forms.insert(0, read)
            return found
        raise ValueError("in no usual form")

    def _read_one(self, value: bytes) -> TensorBody:
        body = self._decode_one(value)
        inputs = body.inputs
        types = tuple(map(type, inputs))
        order = self._orders.get(types) or self._order_of(types)
        values = tuple(chain.from_iterable(map(_data, inputs)))
        if order is not self._in_order:
            values = tuple([values[at] if at >= 0 else None for at in order])
        return TensorBody(body.id, [values], self._asked(body))

    def _read_columns(self, value: bytes) -> TensorBody:
        body = self._decode_columns(value)
        inputs = body.inputs
        types = tuple(map(type, inputs))
        order = self._orders.get(types) or self._order_of(types)
        shapes, data = list(map(_shape, inputs)), list(map(_data, inputs))
        n = self._rows_in(shapes[0], 1)
        if shapes.count(shapes[0]) != len(shapes) or set(map(len, data)) != {n}:
            raise ValueError("a tensor has another number of rows")
        for tensor in inputs:
            _check(tensor.data, tensor.datatype)
        columns = [data[at] if at >= 0 else [None] * n for at in order]
        return TensorBody(body.id, list(zip(*columns, strict=True)), self._asked(body))

    def _read_all(self, value: bytes) -> TensorBody:
        body = self._decode_all(value)
        (tensor,) = body.inputs
        if tensor.datatype not in self._common:
            raise ValueError("not all columns can be sent so")
        data, width = tensor.data, len(self._order)
        n = 1 if tensor.shape == self._one_row else self._rows_in(tensor.shape, width)
        if len(data) != n * width:
            raise ValueError("another number of values")
        _check(data, tensor.datatype)
        rows: list[Values] = [tuple(data)] if n == 1 else list(zip(*[iter(data)] * width, strict=True))
        if self._permute is not None:
            rows = list(map(self._permute, rows))
        return TensorBody(body.id, rows, self._asked(body))

    def _tensors(self, fields_of: Callable[[Column], list[tuple[str, Any]]]) -> Any:
        """Return a type for each column's tensor, told from the others by its name."""
        tensors: list[Any] = []
        for column in self._signature.columns:
            tensors.append(
                msgspec.defstruct("Tensor", fields_of(column), tag_field="name", tag=column.name, gc=False)
            )
            self._names[tensors[-1]] = column.name
        return Union[tuple(tensors)]  # noqa: UP007  # of any number

    def _rows_in(self, shape: list[int], width: int) -> int:
        """Return how many rows a tensor with `width` columns has."""
        if shape[1:] != [width] and (width > 1 or len(shape) != 1):
            raise ValueError("another shape")
        if shape[0] < 1:
            raise ValueError("no rows")
        return shape[0]

    def _order_of(self, types: tuple[type, ...]) -> list[int]:
        """Return the position of each column's tensor among these, -1 for one that is missing."""
        place = {self._names[tensor]: at for at, tensor in enumerate(types)}
        if len(place) < len(types) or not self._optional.issuperset(set(self._order) - place.keys()):
            raise ValueError("a column is missing, or stands twice")
        if len(self._orders) >= _MOST_ORDERS:
            self._orders.clear()
        order = [place.get(name, -1) for name in self._order]
        self._orders[types] = order = self._in_order if order == self._in_order else order
        return order

    def _asked(self, body: Any) -> Asked:
        outputs: list[Output] | None = body.outputs
        if not outputs:
            return V2
        names = {output.name for output in outputs}
        if self._signature.classes is None and "probabilities" in names:
            raise ValueError("the model has none")
        return Asked("v2", tuple(name for name in ALL_OUTPUTS if name in names))


def _check(values: Data, datatype: str) -> None:
    """Raise ValueError if a tensor may hold what its datatype does not."""
    held = set(map(type, values))
    if held == _DOUBLES and datatype in FLOATS:
        return
    if not held <= _MEMBERS[datatype]:
        raise ValueError("a value of another type")
    if int in held:
        low, high = INTEGERS.get(datatype, INT64)
        numbers: list[Any] = (
            [value for value in values if value is not None] if type(None) in held else values
        )
        if min(numbers) < low or max(numbers) > high:
            raise ValueError("a number out of range")
