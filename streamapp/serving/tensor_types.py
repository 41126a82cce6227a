"""Types that read the usual V2 requests, made from a signature; the parser refuses all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from streamapp.messages import OutputName
from streamapp.serving.tensors import FLOATS, INTEGERS

if TYPE_CHECKING:
    from streamapp.models.signature import Column

__all__ = ["DATATYPES", "AnyTensor", "Data", "Output", "any_values", "decoder", "one_value"]

_NUMBERS = (*FLOATS, *INTEGERS)
DATATYPES = {"float": _NUMBERS, "integer": _NUMBERS, "boolean": ("BOOL",), "string": ("BYTES",)}
"""What a column may be sent as."""

_INT32 = Annotated[int, msgspec.Meta(ge=INTEGERS["INT32"][0], le=INTEGERS["INT32"][1])]
_ONE: dict[str, tuple[Any, Any]] = {
    "float": (FLOATS, float),
    "integer": (("INT32", "INT64"), _INT32),
    "boolean": (("BOOL",), bool),
    "string": (("BYTES",), str),
}
"""How the value of one row is usually sent; the parser itself refuses others."""

_ONE_ROW = Annotated[list[Literal[1]], msgspec.Meta(min_length=1, max_length=2)]
Data = list[float | int | bool | str | None]


_NONE = msgspec.Raw()


class Output(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """An output that is asked for; as of a tensor, its own parameters are none of the usual."""

    name: OutputName


class AnyTensor(msgspec.Struct, gc=False):
    """A tensor of any name: all columns at once."""

    name: str
    shape: list[int]
    datatype: str
    data: Data


def one_value(column: Column) -> list[tuple[str, Any]]:
    """Return the fields of the tensor of a column in a request with one row."""
    datatypes, value = _ONE[column.dtype]
    one: Any = value | None if column.nullable else value
    return [("shape", _ONE_ROW), ("datatype", Literal[datatypes]), ("data", tuple.__class_getitem__(one))]


def any_values(column: Column) -> list[tuple[str, Any]]:
    """Return the fields of the tensor of a column in a request with any number of rows."""
    return [("shape", list[int]), ("datatype", Literal[DATATYPES[column.dtype]]), ("data", Data)]


def decoder(tensor: Any) -> Any:
    """Return the parser of requests whose tensors are of this type."""
    request = msgspec.defstruct(
        "Request",
        [
            ("inputs", list[tensor]),
            ("id", str | int | None, None),
            ("outputs", list[Output] | None, None),
            ("parameters", msgspec.Raw, _NONE),
        ],
        gc=False,
        forbid_unknown_fields=True,
    )
    return msgspec.json.Decoder(request).decode
