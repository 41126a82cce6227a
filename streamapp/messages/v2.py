"""Requests and predictions in the Open Inference Protocol, version 2, as JSON.

References
----------
Open Inference Protocol (https://github.com/kserve/open-inference-protocol), "Inference Request JSON Object"
and "Inference Response JSON Object".
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, StrictInt, StrictStr

from streamapp.messages.base import Message, Time
from streamapp.messages.prediction import Label, Prediction
from streamapp.messages.request import FeatureValue

__all__ = ["OutputName", "PredictionV2", "RequestV2"]

Datatype = Literal[
    "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64",
    "FP16", "FP32", "FP64", "BYTES",
]  # fmt: skip
OutputName = Literal["prediction", "probabilities"]


class InputTensor(Message):
    """One column of the rows, or all of them."""

    name: str = Field(description="Of a column; any, if it is the only tensor and holds all columns.")
    shape: list[int] = Field(
        description="[rows] or [rows, 1]; of all columns [rows, columns], in the order of the signature."
    )
    datatype: Datatype
    data: list[FeatureValue | list[FeatureValue]] = Field(
        description="Row by row, flat or nested as its shape; null is a missing value. BYTES are strings."
    )


class AskedOutput(Message):
    """An output that is asked for."""

    name: OutputName


class RequestV2(Message):
    """Rows to be answered, in the dialect of the Open Inference Protocol V2."""

    id: StrictStr | StrictInt | None = Field(
        default=None, description="As of a native request: absent, the header ce_id, else PARTITION-OFFSET."
    )
    inputs: list[InputTensor] = Field(
        description="A tensor per column, or one with all columns. Unknown columns are ignored and counted."
    )
    outputs: list[AskedOutput] | None = Field(default=None, description="Absent: all.")


class OutputTensor(Message):
    """What the model says to all rows."""

    name: OutputName
    shape: list[int] = Field(description="[rows], of probabilities [rows, classes].")
    datatype: Datatype
    data: list[Label] = Field(description="Row by row, flat.")


class AnswerParameters(Message):
    """What the protocol has no field for."""

    topic: str = Field(description="Of the request.")
    partition: int
    offset: int
    timestamp: Time = Field(description="The request record's timestamp.")
    predicted_at: Time = Field(description="Wall clock.")
    classes: list[Label] | None = Field(
        default=None, description="In the order of the probabilities; absent for regressors."
    )
    features: list[dict[str, FeatureValue]] | None = Field(
        default=None, description="The rows as they were read."
    )
    prediction: list[Label] | None = Field(
        default=None, description="By row, if the request did not ask for that output."
    )


class PredictionV2(Message):
    """The answer to a request in the dialect of the Open Inference Protocol V2."""

    ce_type = Prediction.ce_type

    id: str
    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    parameters: AnswerParameters
