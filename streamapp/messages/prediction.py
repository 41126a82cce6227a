"""What streamapp answers: a prediction, or a rejection with a stable code."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from streamapp.messages.base import Message, Time
from streamapp.messages.request import FeatureValue

__all__ = ["Label", "ModelRef", "Prediction", "Rejection", "RejectionCode", "RejectionError", "RequestRef"]

Label = bool | int | float | str
"""A class, or the number that a regressor answers."""


class RejectionCode(StrEnum):
    """Why a request was not predicted. Codes are stable."""

    NOT_JSON = "not-json"
    NOT_AN_OBJECT = "not-an-object"
    MISSING_FEATURE = "missing-feature"
    WRONG_TYPE = "wrong-type"
    OUT_OF_RANGE = "out-of-range"
    UNKNOWN_CATEGORY = "unknown-category"
    TOO_LARGE = "too-large"
    BAD_SHAPE = "bad-shape"
    MODEL_FAILED = "model-failed"
    NO_MODEL = "no-model"


class ModelRef(Message):
    """Which model answered."""

    name: str
    version: str


class RequestRef(Message):
    """Where the request lies."""

    topic: str
    partition: int
    offset: int
    timestamp: Time = Field(description="The request record's timestamp.")


class Prediction(Message):
    """The answer to one request in the native dialect."""

    ce_type = "streamapp.prediction.v1"

    id: str
    model: ModelRef
    prediction: Label | None
    probabilities: dict[str, float] | None = Field(
        default=None, description="By class; absent for regressors."
    )
    features: dict[str, FeatureValue] | None = Field(
        default=None,
        description="The input as it was read; personal columns are absent, or keyed hashes of hex digits.",
    )
    request: RequestRef
    predicted_at: Time = Field(description="Wall clock.")


class RejectionError(Message):
    """What was wrong."""

    code: RejectionCode
    message: str = Field(description="What was wrong, and what would be right.")
    feature: str | None = None
    row: int | None = Field(
        default=None, ge=0, description="Of a request with several rows: which is at fault, from 0 on."
    )


class Rejection(Message):
    """The answer to a request that cannot be predicted, whatever its dialect."""

    ce_type = "streamapp.rejection.v1"

    id: str
    model: ModelRef | None = None
    error: RejectionError
    request: RequestRef
    predicted_at: Time = Field(description="Wall clock.")
