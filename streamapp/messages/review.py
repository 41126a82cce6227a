"""Predictions that a person should look at."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamapp.messages.prediction import Prediction

__all__ = ["Review"]


class Review(Prediction):
    """A prediction drawn for review, with its sampling probability."""

    ce_type = "streamapp.review.v1"

    reason: Literal["random", "uncertain", "novel"]
    probability: float = Field(gt=0, le=1, description="With which it was drawn.")
    dropped: int = Field(
        default=0,
        ge=0,
        description="Draws of its partition that the cap per hour kept back on this day and the one before.",
    )
