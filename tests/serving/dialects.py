"""Rows as requests in each dialect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

DATATYPES = {
    "temp": "FP64",
    "humidity": "FP32",
    "hour": "INT64",
    "holiday": "BOOL",
    "weather": "BYTES",
    "station": "BYTES",
    "pressure": "FP64",
}
"""Of the columns of the bundle of these tests."""


def as_doubles(features: bytes) -> dict[str, Any]:
    """A row of an answer: 1 and 1.0 are the same number to a column of floats."""
    row: dict[str, Any] = orjson.loads(features)
    return {name: float(value) if type(value) is int else value for name, value in row.items()}


def native(row: dict[str, Any], **more: Any) -> bytes:
    """A request in the native dialect."""
    return orjson.dumps({"id": "r-17", "features": row, **more})


def tensors(rows: Sequence[dict[str, Any]], datatypes: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """A tensor per column."""
    return [
        {"name": name, "shape": [len(rows)], "datatype": datatype, "data": [row[name] for row in rows]}
        for name, datatype in (datatypes or DATATYPES).items()
    ]


def v2(inputs: Any, **more: Any) -> bytes:
    """A request in V2."""
    return orjson.dumps({"id": "r-17", "inputs": inputs, **more})


def v1(instances: Any, **more: Any) -> bytes:
    """A request in V1."""
    return orjson.dumps({"id": "r-17", "instances": instances, **more})
