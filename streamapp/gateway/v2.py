"""The Open Inference Protocol (V2), as far as HTTP shows it: what a model is, and what is no success.

Inference itself is SCORE's: bodies go to it, and come from it, as they are.

References
----------
.. [1] KServe, "Open Inference Protocol", specification/protocol/inference_rest.md.
"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from streamapp.messages import Model
from streamapp.models import Signature

__all__ = [
    "ModelMetadata",
    "Problem",
    "TensorMetadata",
    "Written",
    "describe",
]

_DATATYPES = {"float": "FP64", "integer": "INT64", "boolean": "BOOL", "string": "BYTES"}


class _Body(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class TensorMetadata(_Body):
    """A tensor without its values."""

    name: str
    datatype: str
    shape: list[int] = Field(description="-1 is any number.")


class ModelMetadata(_Body):
    """The model that serves."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class Problem(_Body):
    """Why there is no answer: of every reply that is no success."""

    error: str = Field(description="What was wrong, and what would be right.")
    code: str = Field(description="Stable, for programs.")
    id: str | None = Field(default=None, description="Of the request, if it has one.")
    feature: str | None = Field(default=None, description="The column at fault, if one is.")
    row: int | None = Field(default=None, description="The row at fault, if there are several.")
    parameters: dict[str, int] | None = Field(
        default=None, description="Partition and offset of the request, if it is on Kafka."
    )


class Written(_Body):
    """Where feedback lies."""

    partition: int
    offset: int


def describe(name: str, model: Model, signature: Signature) -> ModelMetadata:
    """Return what V2 says of a model.

    Parameters
    ----------
    name
        Of the deployment.
    model
        Its record.
    signature
        From its bundle.
    """
    inputs = [
        TensorMetadata(name=column.name, datatype=_DATATYPES[column.dtype], shape=[-1])
        for column in signature.columns
    ]
    outputs = [TensorMetadata(name="prediction", datatype=_label_datatype(signature), shape=[-1])]
    if signature.classes is not None:
        shape = [-1, len(signature.classes)]
        outputs.append(TensorMetadata(name="probabilities", datatype="FP64", shape=shape))
    return ModelMetadata(
        name=name,
        versions=[model.version],
        platform=f"streamapp_{model.format}",
        inputs=inputs,
        outputs=outputs,
    )


def _label_datatype(signature: Signature) -> str:
    kinds = {np.array(label).dtype.kind for label in signature.classes or (0.0,)}
    return {"b": "BOOL", "i": "INT64", "f": "FP64"}.get("".join(sorted(kinds)), "BYTES")
