"""What checks share: the deployment as far as it is known, and the lines that are said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from streamapp.connection import Connection
from streamapp.messages import Record
from streamapp.models import Bundle
from streamapp.runtime.client import Models
from streamapp.settings import Settings

__all__ = ["Case", "Line", "Status"]

Status = Literal["ok", "warn", "FAIL"]


@dataclass(frozen=True, slots=True)
class Line:
    """What a check says.

    Attributes
    ----------
    status
        ``FAIL`` if requests are not answered as they should be, or soon will not be.
    message
        What was found and, unless it is ok, what to do.
    check
        Who says it.
    mistake
        Which one it is, a key of ``MISTAKES``; empty if it is ok.
    figures
        What was measured, for programs: JSON-able values by name.
    """

    status: Status
    message: str
    check: str = ""
    mistake: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Case:
    """A deployment under examination. Checks fill in what they find, for those that come after them.

    Attributes
    ----------
    settings
        Of whoever asks; roles elsewhere may have others.
    answers
        Whether the broker has answered.
    partitions
        Topics of the cluster, and how many partitions each has.
    models
        What stands in ``models``.
    bundle
        The champion's, verified; its model is not loaded.
    newest
        Of the records of ``predictions``; None if they were not read.
    """

    settings: Settings
    answers: bool = False
    partitions: dict[str, int] = field(default_factory=dict)
    models: Models = field(default_factory=Models)
    bundle: Bundle | None = None
    newest: list[Record] | None = None

    @property
    def name(self) -> str:
        """Name of the deployment."""
        return self.settings.name

    @property
    def connection(self) -> Connection:
        """How the cluster is reached."""
        return self.settings.connection

    def existing(self, *topics: str) -> list[str]:
        """Return those of `topics`, full names, that there are: asking Kafka for others may create them."""
        return [topic for topic in topics if topic in self.partitions]
