"""What became of reasons to train, and why."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamapp.messages.base import Message, Time
from streamapp.messages.retrain import OffsetRange

__all__ = ["DecisionRecord", "Outcome", "TriedWindow"]

Outcome = Literal["trained", "failed", "dropped", "waiting"]


class TriedWindow(Message):
    """One candidate of a training."""

    window: str = Field(description="Which rows, for people.")
    rows: int = Field(description="How many it was fitted on before it was compared.")
    loss: float = Field(description="Mean loss on the newest rows, on which no candidate was fitted.")


class DecisionRecord(Message):
    """A decision about retrain events: to train, not to, or not yet."""

    ce_type = "streamapp.decision.v1"

    id: str
    at: Time = Field(description="Stream time: when the newest label that was known had been given.")
    about: str = Field(default="retrain", description="What was decided on: retrain.")
    events: list[str] = Field(description="Ids of the retrain events.")
    outcome: Outcome
    reason: str = Field(description="Why, for people.")
    caused_by: str | None = Field(default=None, description="The alert's id, if one is behind the event.")
    data: list[OffsetRange] = []
    candidates: list[TriedWindow] = []
    version: str | None = Field(default=None, description="What was trained.")
