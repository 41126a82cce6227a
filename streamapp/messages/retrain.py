"""Reasons to train a new model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamapp.messages.base import Message

__all__ = ["OffsetRange", "Retrain", "RetrainReason"]

RetrainReason = Literal["accuracy", "input", "target", "age", "schedule", "user"]


class OffsetRange(Message):
    """A run of records of one partition."""

    topic: str
    partition: int
    start: int
    end: int = Field(description="Exclusive.")


class Retrain(Message):
    """A reason to train a new model, and on what."""

    ce_type = "streamapp.retrain.v1"

    id: str
    reason: RetrainReason
    caused_by: str | None = Field(default=None, description="The alert's id, if one is the reason.")
    data: list[OffsetRange] | None = Field(default=None, description="Absent: the policy chooses.")
    since: int | None = Field(
        default=None,
        description="Offset in labelled at which what changed began, if that is known: what is older is of "
        "another world.",
    )
