"""V2 requests with one row and a tensor per column, read as native ones in other words.

A client says the same of its tensors with every request: names, shapes, datatypes, even the spaces between.
These bytes are learned from a request that was read with care. Where they come again, only id and values are
taken from between them, and put into a native row. The parser of native rows judges the values then, and
answers repeat the row as it is. That takes half the time of parsing each tensor.

Whatever a value is, it cannot change its neighbours: with one thing too many the row is no JSON, or has a
name too many, which is looked at in native rows, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import orjson

from streamapp.serving.answer_headers import literal
from streamapp.serving.dialects import Asked
from streamapp.serving.tensor_rows import TensorBody
from streamapp.serving.tensors import FLOATS

if TYPE_CHECKING:
    from streamapp.models.signature import Signature

__all__ = ["Layouts"]

_MOST = 4
_MOST_WAIT = 1 << 12

_ID = re.compile(rb'"id"\s*:\s*"([^"\\\x00-\x1f]*)"')
_DATA = re.compile(rb'"data"\s*:\s*\[([^][]*)\]')
_ID_VALUE, _DATA_VALUE = rb'([^"\\\x00-\x1f]*)', rb"([^][]*)"

_SAFE = {None: (), "float": FLOATS, "integer": (*FLOATS, "INT64"), "boolean": ("BOOL",), "string": ("BYTES",)}
"""Datatypes that ask no more of a value than its column does."""


class _Layout(NamedTuple):
    pattern: re.Pattern[bytes]
    template: bytes
    """Of the row, with a place for each value."""
    id_at: int
    """Which of the pattern's groups is the id: the first or the last."""
    asked: Asked

    @classmethod
    def of(cls, value: bytes, asked: Asked, signature: Signature) -> Self | None:
        """Return the layout of a request that could be read; None if its bytes do not tell it."""
        inputs: list[dict[str, Any]] = orjson.loads(value)["inputs"]
        dtypes = {column.name: column.dtype for column in signature.columns}
        row = dict.fromkeys(dtypes) | {tensor["name"]: tensor["data"][0] for tensor in inputs}
        ids, data = ([each.span(1) for each in hole.finditer(value)] for hole in (_ID, _DATA))
        is_safe = all(tensor["datatype"] in _SAFE[dtypes.get(tensor["name"])] for tensor in inputs)
        if not is_safe or len(ids) != 1 or len(data) != len(inputs):
            return None
        pattern, begin, holes = b"", 0, sorted(ids + data)
        for hole in holes:
            pattern += re.escape(value[begin : hole[0]]) + (_ID_VALUE if hole in ids else _DATA_VALUE)
            begin = hole[1]
        pattern += re.escape(value[begin:])
        sent = [tensor["name"] for tensor in inputs]
        fields = [literal(orjson.dumps(name)) + b":%b" for name in sent]
        fields += [literal(orjson.dumps(name)) + b":null" for name in row.keys() - sent]
        id_at = 0 if holes[0] in ids else -1
        layout = cls(re.compile(pattern), b"{" + b",".join(fields) + b"}", id_at, asked)
        return layout if layout._says(value, row) else None

    def _says(self, value: bytes, row: dict[str, Any]) -> bool:
        """Return whether a request of this layout says `row`: a bracket in a text may have misled."""
        found = self.read(value)
        try:
            return found is not None and orjson.loads(found[1]) == row
        except orjson.JSONDecodeError:
            return False

    def read(self, value: bytes) -> tuple[str, bytes, Asked] | None:
        found = self.pattern.fullmatch(value)
        if found is None:
            return None
        groups = found.groups()
        return (
            groups[self.id_at].decode(),
            self.template % (groups[:-1] if self.id_at else groups[1:]),
            self.asked,
        )


class Layouts:
    """The layouts that were seen lately, of requests to a model with this signature."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._known: list[_Layout] = []
        self._missed, self._wait = 0, 1

    def read(self, value: bytes) -> tuple[str, bytes, Asked] | None:
        """Return id, row and dialect of a request; None if its layout is not known.

        The row is JSON if the values are, and nobody has judged them.

        Raises
        ------
        ValueError
            If the id is no text.
        """
        for at, layout in enumerate(self._known):
            found = layout.read(value)
            if found is not None:
                if at:
                    self._known.insert(0, self._known.pop(at))
                return found
        return None

    def learn(self, value: bytes, body: TensorBody) -> None:
        """Take note of a request that had to be read with care, and said `body`.

        To learn a layout takes as long as to read some ten requests: where each has another one, it is soon
        tried seldom.
        """
        self._missed += 1
        if self._missed < self._wait or len(body.rows) > 1:
            return
        self._missed, self._wait = 0, min(self._wait * 2, _MOST_WAIT)
        layout = _Layout.of(value, body.asked, self._signature)
        if layout is not None:
            self._known = [layout, *self._known[: _MOST - 1]]
