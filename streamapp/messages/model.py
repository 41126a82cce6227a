"""Versions of the model and the pointer to the one that serves."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamapp.messages.base import Message, Time
from streamapp.messages.retrain import OffsetRange

__all__ = ["CHAMPION_KEY", "Champion", "Model", "ModelState"]

CHAMPION_KEY = b"champion"
"""Key of the pointer; every other key in ``models`` is a version."""

ModelState = Literal["candidate", "challenger", "champion", "retired", "rejected"]


class Model(Message):
    """One version: its state, where its bundle lies, what it was trained on."""

    ce_type = "streamapp.model.v1"

    version: str
    state: ModelState
    bundle: str = Field(description="Absolute URL of the bundle.")
    sha256: str = Field(description="Of the bundle's manifest, which holds the hashes of all its files.")
    format: str
    trained_at: Time | None = None
    newest_training_data_at: Time | None = Field(
        default=None, description="When the newest label that it has learned from was given."
    )
    training_data: list[OffsetRange] = []
    scores: dict[str, float] = {}
    since: dict[str, int] = Field(
        default={}, description="First request offset of each partition that it answered in its latest reign."
    )
    caused_by: str | None = Field(
        default=None, description="The retrain event it was trained for, or the version it is a snapshot of."
    )
    personal: list[str] = Field(
        default=[], description="Columns whose values nothing that is written has, inputs or not."
    )
    withheld: list[str] = Field(
        default=[],
        description="Those of them that are inputs: answers lack them, so nothing can be learned from these.",
    )
    loss_scale: float | None = Field(
        default=None,
        gt=0,
        description="Error that counts as a loss of 1, told by labelled rows where the bundle has none.",
    )
    note: str | None = Field(default=None, description="Why it is in this state, for people.")


class Champion(Message):
    """The pointer that alone decides what is served."""

    ce_type = "streamapp.model.v1"

    version: str
    at: Time
