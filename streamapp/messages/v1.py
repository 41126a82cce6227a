"""Requests and predictions in the protocol of TensorFlow Serving and KServe V1."""

from __future__ import annotations

from pydantic import Field, StrictInt, StrictStr

from streamapp.messages.base import Message, Time
from streamapp.messages.prediction import Label, ModelRef, Prediction, RequestRef
from streamapp.messages.request import FeatureValue

__all__ = ["PredictionV1", "RequestV1"]


class RequestV1(Message):
    """Rows to be answered, in the V1 dialect."""

    id: StrictStr | StrictInt | None = Field(
        default=None, description="As of a native request: absent, the header ce_id, else PARTITION-OFFSET."
    )
    instances: list[dict[str, FeatureValue] | list[FeatureValue] | FeatureValue] = Field(
        description="A row each: an object of column and value, or the values in the order of the signature, "
        "or one value where the model has one column."
    )


class PredictionV1(Message):
    """The answer to a request in the V1 dialect, in the order of its rows."""

    ce_type = Prediction.ce_type

    id: str
    predictions: list[Label]
    probabilities: list[dict[str, float]] | None = Field(
        default=None, description="By class; absent for regressors."
    )
    model: ModelRef
    features: list[dict[str, FeatureValue]] | None = Field(
        default=None, description="The rows as they were read."
    )
    request: RequestRef
    predicted_at: Time = Field(description="Wall clock.")
