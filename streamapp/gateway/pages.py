"""The OpenAPI description, and a page for people made of it, which loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

__all__ = ["body_of", "describe_api", "docs_page"]

_REF = "#/components/schemas/{model}"

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}"
    "h2{margin:2rem 0 .3rem;font-size:1.1rem}code{background:#8882;padding:.1rem .3rem}"
    "td{padding:.1rem .8rem .1rem 0;vertical-align:top}:root{color-scheme:light dark}"
)


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return what says in a route's description that its body is a `model`, which the route reads itself."""
    schema = {"$ref": _REF.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def describe_api(api: FastAPI, bodies: list[type[BaseModel]]) -> dict[str, Any]:
    """Return the OpenAPI description of `api`, with the types of bodies that its routes read themselves."""
    found = get_openapi(
        title=api.title,
        version=api.version,
        summary=api.summary,
        description=api.description,
        routes=api.routes,
    )
    _, schemas = models_json_schema([(body, "validation") for body in bodies], ref_template=_REF)
    types = found["components"]["schemas"]
    types.update(schemas["$defs"])
    # FastAPI's own check of parameters: all of them are text, which any text is.
    for name in ("HTTPValidationError", "ValidationError"):
        types.pop(name, None)
    for operations in found["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    return found


def docs_page(described: dict[str, Any]) -> str:
    """Return the description as a page of HTML."""
    info = described["info"]
    lines = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style>",
        f"<h1>{escape(info['title'])}</h1><p>{escape(info['description'])}",
        '<p>For programs: <a href="/openapi.json">/openapi.json</a>',
    ]
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            lines += _operation(method, path, operation)
    for name, schema in sorted(described["components"]["schemas"].items()):
        lines += _type(name, schema)
    return "\n".join([*lines, "</html>"])


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<h2><code>{method.upper()} {escape(path)}</code> {escape(operation['summary'])}</h2>"
    if "description" in operation:
        yield f"<p>{escape(operation['description'])}"
    if "requestBody" in operation:
        yield f"<p>Body: {_link(operation['requestBody'])}"
    yield "<table>"
    for status, response in sorted(operation["responses"].items()):
        yield f"<tr><td>{status}<td>{escape(response['description'])}<td>{_link(response)}"
    yield "</table>"


def _type(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f'<h2 id="{escape(name)}"><code>{escape(name)}</code></h2>'
    yield f"<p>{escape(schema.get('description', ''))}"
    yield "<table>"
    for field, about in schema.get("properties", {}).items():
        needed = "" if field in schema.get("required", ()) else "may be absent"
        yield f"<tr><td><code>{escape(field)}</code><td>{escape(about.get('description', ''))}<td>{needed}"
    yield "</table>"


def _link(described: dict[str, Any]) -> str:
    """Return a link to the type of a body, or nothing."""
    schema = described.get("content", {}).get("application/json", {}).get("schema", {})
    name = escape(str(schema.get("$ref", "")).rpartition("/")[2])
    return f'<a href="#{name}"><code>{name}</code></a>' if name else ""
