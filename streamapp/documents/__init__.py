"""Documents for those who write clients: JSON Schemas and an AsyncAPI document, generated from the code."""

from __future__ import annotations

from streamapp.documents.asyncapi import ASYNCAPI, asyncapi
from streamapp.documents.deployment import Deployment, read_deployment
from streamapp.documents.signed import signed_schemas
from streamapp.messages.schemas import message_schemas, schema_documents

__all__ = ["ASYNCAPI", "Deployment", "documents", "read_deployment"]


def documents(deployment: Deployment | None = None) -> dict[str, str]:
    """Return file name to text of every document.

    Parameters
    ----------
    deployment
        Whose topics and columns they name; None for what all deployments have in common.

    Examples
    --------
    >>> sorted(documents())[:2]
    ['alert.v1.json', 'asyncapi.yaml']
    """
    schemas = message_schemas()
    if deployment is not None:
        schemas = signed_schemas(schemas, deployment)
    return schema_documents(schemas) | {ASYNCAPI: asyncapi(schemas, deployment)}
