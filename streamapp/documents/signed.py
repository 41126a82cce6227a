"""Message schemas of one deployment: the columns and classes of its champion instead of anything at all."""

from __future__ import annotations

from collections.abc import Mapping

from streamapp.documents.deployment import Deployment
from streamapp.messages import MESSAGES, Prediction, Request
from streamapp.messages.schemas import Schema
from streamapp.models import Signature
from streamapp.models.column import Column, Dtype

__all__ = ["features_schema", "signed_schemas"]

_TYPES: dict[Dtype, Schema] = {
    "float": {"type": "number", "format": "double"},
    "integer": {"type": "integer", "format": "int64"},
    "boolean": {"type": "boolean"},
    "string": {"type": "string"},
}

_SHOWN = 10
"""Levels that are shown of an open column; of a closed one it is all."""


def signed_schemas(schemas: Mapping[str, Schema], deployment: Deployment) -> dict[str, Schema]:
    """Return `schemas` with what the champion's signature knows: inputs of requests, outputs of answers.

    Those that change are schemas of their own, with an ``$id`` that names the deployment. Answers of other
    versions need not fit them.
    """
    return {name: _signed(name, schema, deployment) for name, schema in schemas.items()}


def _signed(name: str, schema: Schema, deployment: Deployment) -> Schema:
    bundle = deployment.bundle
    known: dict[str, Schema | None]
    if issubclass(MESSAGES[name], Request):
        known = {"features": features_schema(bundle.signature)}
    elif issubclass(MESSAGES[name], Prediction):
        known = _outputs(bundle.signature, has_probabilities=bundle.golden.probabilities is not None)
    else:
        return schema
    properties = {key: known.get(key, part) for key, part in schema["properties"].items()}
    return schema | {
        "$id": f"urn:streamapp:{deployment.settings.name}:{name}:v1",
        "properties": {key: part for key, part in properties.items() if part is not None},
    }


def features_schema(signature: Signature) -> Schema:
    """Return the JSON Schema of a row that the model of `signature` answers.

    Examples
    --------
    >>> from streamapp.models import Signature
    >>> columns = (Column("temp", "float", bounds=(None, 1.0)), Column("wind", "integer", nullable=True))
    >>> schema = features_schema(Signature(columns, "regression"))
    >>> schema["required"], schema["properties"]["temp"]
    (['temp'], {'type': 'number', 'format': 'double', 'maximum': 1.0})
    >>> schema["properties"]["wind"]["type"]
    ['integer', 'null']
    """
    return {
        "description": "Column to value. One that may be null may be left out; unknown columns are ignored.",
        "type": "object",
        "properties": {column.name: _column(column) for column in signature.columns},
        "required": [column.name for column in signature.columns if not column.nullable],
    }


def _column(column: Column) -> Schema:
    schema: Schema = _about(column) | _TYPES[column.dtype]
    if column.nullable:
        schema["type"] = [schema["type"], "null"]
    levels = None if column.personal else column.categories
    if column.closed and levels is not None:
        schema["enum"] = [*levels, *([None] if column.nullable else [])]
    elif levels:
        schema["examples"] = list(levels[:_SHOWN])
    low, high = column.bounds or (None, None)
    bounds = {"minimum": low, "maximum": high}
    return schema | {keyword: bound for keyword, bound in bounds.items() if bound is not None}


def _about(column: Column) -> Schema:
    """Return what the reference shows and the schema cannot say: it is no rule."""
    if column.personal is not None:
        shown = "leave it out" if column.personal == "drop" else "have a keyed hash in its place"
        return {"description": f"Personal: answers {shown}."}
    if column.categories is not None:
        if column.closed:
            return {}
        count = len(column.categories)
        levels = "1 level" if count == 1 else f"{count:,} levels"
        return {"description": f"The reference has {levels}; others are accepted and counted."}
    if column.range is None:
        return {}
    low, high = column.range
    return {"description": f"From {low:g} to {high:g} in the reference."}


def _outputs(signature: Signature, *, has_probabilities: bool) -> dict[str, Schema | None]:
    """Return what answers hold of a model's output; None for what they do not."""
    about: Schema = {"description": f"The {signature.target}."} if signature.target else {}
    if signature.classes is None:
        return {"prediction": about | {"type": "number"}, "probabilities": None}
    names = [str(label) for label in signature.classes]  # keys in JSON are strings, whatever the classes are
    probabilities = {
        "description": "By class.",
        "type": "object",
        "properties": {name: {"type": "number", "minimum": 0, "maximum": 1} for name in names},
        "required": names,
    }
    return {
        "prediction": about | {"enum": list(signature.classes)},
        "probabilities": probabilities if has_probabilities else None,
    }
