"""JSON Schemas of the wire messages, generated from their types: what ``schemas/`` holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from streamapp.messages import MESSAGES

__all__ = ["DIALECT", "Schema", "message_schemas", "schema_documents", "schema_of"]

Schema = dict[str, Any]
"""A JSON Schema."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# Fixed, so that the text depends on the types alone and not on the order a library happens to write.
_ORDER = ("$schema", "$id", "$ref", "title", "description", "type", "format", "properties", "required")
_LAST = "$defs"


def schema_of(name: str) -> Schema:
    """Return the JSON Schema of the message type `name`, a key of ``MESSAGES``.

    Examples
    --------
    >>> schema = schema_of("champion")
    >>> schema["$id"], schema["required"]
    ('urn:streamapp:champion:v1', ['version', 'at'])
    """
    schema = MESSAGES[name].model_json_schema(by_alias=True, mode="validation")
    tidied: Schema = _tidy(schema | {"$schema": DIALECT, "$id": f"urn:streamapp:{name}:v1"})
    return tidied


def message_schemas() -> dict[str, Schema]:
    """Return the JSON Schema of every message type, by name."""
    return {name: schema_of(name) for name in sorted(MESSAGES)}


def schema_documents(schemas: Mapping[str, Schema] | None = None) -> dict[str, str]:
    """Return file name to text of every schema, for example ``prediction.v1.json``.

    Parameters
    ----------
    schemas
        By name of the message type; default: :func:`message_schemas`.
    """
    return {
        f"{name}.v1.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in (message_schemas() if schemas is None else schemas).items()
    }


def _tidy(schema: Any) -> Any:
    """Return `schema` with its keywords in a fixed order and its unions of plain types in short form."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {key: _tidy_keyword(key, schema[key]) for key in sorted(schema, key=_rank)}
    plain = _plain_types(tidied.get("anyOf"))
    if plain:
        del tidied["anyOf"]
        tidied = dict(sorted((tidied | {"type": plain}).items(), key=_rank_item))
    return tidied


def _tidy_keyword(key: str, value: Any) -> Any:
    if key == "properties":  # in the order of the type; a title that only repeats the name says nothing
        return {
            name: {inner: part for inner, part in _tidy(prop).items() if inner != "title"}
            for name, prop in value.items()
        }
    if key == "$defs":
        return {name: _tidy(value[name]) for name in sorted(value)}
    return value if key in {"default", "enum", "required", "examples"} else _tidy(value)


def _plain_types(union: Any) -> list[str] | None:
    """Return the types of a union that says nothing else, integers under numbers; else None."""
    if not isinstance(union, list) or not all(set(item) == {"type"} for item in union):
        return None
    types = [item["type"] for item in union]
    return [name for name in types if not (name == "integer" and "number" in types)]


def _rank(key: str) -> tuple[int, str]:
    if key == _LAST:
        return len(_ORDER) + 1, key
    return (_ORDER.index(key), "") if key in _ORDER else (len(_ORDER), key)


def _rank_item(item: tuple[str, Any]) -> tuple[int, str]:
    return _rank(item[0])
