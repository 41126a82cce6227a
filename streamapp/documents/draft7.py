"""Message schemas in the dialect of AsyncAPI documents: draft 7 of JSON Schema, definitions in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamapp.messages.schemas import Schema

__all__ = ["as_components"]

_DATA = frozenset({"const", "default", "enum", "examples", "required"})
_MAPS = frozenset({"properties", "patternProperties"})
_LEFT_OUT = frozenset({"$defs", "$id", "$schema"})


def as_components(schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return `schemas`, in draft 2020-12, and their definitions as ``components.schemas`` of a document.

    Raises
    ------
    ValueError
        If two schemas define different things by one name.

    Examples
    --------
    >>> pair = {"prefixItems": [{"type": "integer"}, {"$ref": "#/$defs/End"}]}
    >>> as_components({"span": pair | {"$defs": {"End": {"type": "integer"}}}})["span"]
    {'items': [{'type': 'integer'}, {'$ref': '#/components/schemas/End'}]}
    """
    found = {name: _convert(schema) for name, schema in schemas.items()}
    definitions: dict[str, Schema] = {}
    for schema in schemas.values():
        for name, part in schema.get("$defs", {}).items():
            converted = _convert(part)
            if (found | definitions).get(name, converted) != converted:
                raise ValueError(f"two message types define {name} in two ways: rename one")
            definitions[name] = converted
    return found | dict(sorted(definitions.items()))


def _convert(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_convert(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    is_tuple = "prefixItems" in schema
    converted: Schema = {}
    for key, value in schema.items():
        if key in _DATA:
            converted[key] = value
        elif key in _MAPS:
            converted[key] = {name: _convert(part) for name, part in value.items()}
        elif key == "$ref":
            converted[key] = value.replace("#/$defs/", "#/components/schemas/")
        elif key == "prefixItems":
            converted["items"] = _convert(value)
        elif key == "items" and is_tuple:
            converted["additionalItems"] = _convert(value)
        elif key not in _LEFT_OUT:
            converted[key] = _convert(value)
    return converted
