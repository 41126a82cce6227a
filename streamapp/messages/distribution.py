"""The summary of one closed pane: what drift alarms come from."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from streamapp.messages.base import Message, Time

__all__ = ["NO_VERSION", "Distribution"]

NO_VERSION = "none"
"""Stands for the version while there is no model."""


class Distribution(Message):
    """Counts and sums over the requests of one run of offsets, all answered by one version."""

    version: str
    partition: int
    first_offset: int
    next_offset: int
    events: int = Field(ge=0, description="Answered requests with offsets in [first_offset, next_offset).")
    rejected: int = Field(default=0, ge=0, description="How many of them were rejected.")
    late: int = Field(default=0, ge=0, description="How many waited for their answer longer than they may.")
    rows: int = Field(default=0, ge=0, description="Rows predicted; a request can hold several.")
    from_: Time = Field(alias="from", description="Earliest event time.")
    to: Time = Field(description="Latest event time.")
    summary: dict[str, Any] | None = Field(
        default=None,
        description="The mergeable summary against the version's profile; absent without a model.",
    )

    @property
    def key(self) -> bytes:
        """The record key: ``VERSION/PARTITION/FIRST_OFFSET``."""
        return f"{self.version}/{self.partition}/{self.first_offset}".encode()
