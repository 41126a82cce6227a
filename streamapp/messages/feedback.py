"""What users write to ``feedback``: the label of an answered request."""

from __future__ import annotations

from pydantic import Field, StrictInt, StrictStr

from streamapp.messages.base import Message, Time
from streamapp.messages.prediction import Label

__all__ = ["Feedback", "FeedbackRequest"]


class FeedbackRequest(Message):
    """Where the request lies, if the sender knows."""

    partition: int
    offset: int


class Feedback(Message):
    """A label, late or early, from a system or a person."""

    id: StrictStr | StrictInt
    label: Label | list[Label] = Field(
        description="Of a request with several rows: a list with the label of each, in their order."
    )
    source: str = Field(default="system", description="'person:NAME' outranks systems.")
    at: Time | None = Field(
        default=None, description="When the label was given; absent: the record's timestamp."
    )
    request: FeedbackRequest | None = None
