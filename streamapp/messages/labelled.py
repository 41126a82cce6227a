"""A request, its prediction and its label in one row: accuracy and training data."""

from __future__ import annotations

from pydantic import Field

from streamapp.messages.base import Time
from streamapp.messages.prediction import Label, Prediction

__all__ = ["Labelled"]


class Labelled(Prediction):
    """A prediction with its label. The record's ``ce_time`` is the request's event time."""

    ce_type = "streamapp.labelled.v1"

    row: int | None = Field(
        default=None, ge=0, description="Of a request with several rows: which this is, from 0 on."
    )
    label: Label
    source: str
    labelled_at: Time
    revision: int = Field(
        ge=0, description="0 for the first label of this answer, 1 for its first correction, …"
    )
    review_probability: float | None = Field(
        default=None, gt=0, le=1, description="With which it was drawn for review; absent if it was not."
    )
    review_dropped: int | None = Field(
        default=None, ge=0, description="As `dropped` of its record in `review`: above 0, the cap has chosen."
    )
