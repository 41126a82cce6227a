"""What users write to ``requests``."""

from __future__ import annotations

from pydantic import Field, StrictInt, StrictStr

from streamapp.messages.base import Message

__all__ = ["FeatureValue", "Request"]

FeatureValue = bool | int | float | str | None


class Request(Message):
    """One row to be answered, in the native dialect."""

    id: StrictStr | StrictInt | None = Field(
        default=None,
        description="Any text, or an integer kept as its decimal text. "
        "Absent: the header ce_id, else PARTITION-OFFSET.",
    )
    features: dict[str, FeatureValue] = Field(
        description="Column to value; null or a missing key is a missing value. "
        "Unknown columns are ignored and counted."
    )
