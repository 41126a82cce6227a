"""Which dead letters are to be sent again, and what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

from streamapp.messages import Record

__all__ = ["Redriven", "Selection", "Skipped"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters.

    Attributes
    ----------
    codes
        Why they could not be processed; empty: all.
    since_ms, until_ms
        When they were written to ``dead-letters``: not before the one, and before the other.
    """

    codes: Collection[str] = ()
    since_ms: int | None = None
    until_ms: int | None = None

    def has_time(self, letter: Record) -> bool:
        """Return whether `letter` was written in that time."""
        early = self.since_ms is not None and letter.timestamp < self.since_ms
        late = self.until_ms is not None and letter.timestamp >= self.until_ms
        return not early and not late


@dataclass(frozen=True, slots=True)
class Skipped:
    """A dead letter that cannot be sent again.

    Attributes
    ----------
    offset
        In ``dead-letters``.
    reason
        ``broken``, ``source-gone``, ``source-changed``, ``no-partition`` or ``too-large``.
    message
        For people.
    """

    offset: int
    reason: str
    message: str


@dataclass(slots=True)
class Redriven:
    """What has been done so far.

    Attributes
    ----------
    sent
        Letters by code.
    before
        How many selected letters had been sent before.
    others
        Letters of that time with other codes than those selected, by code.
    skipped
        Those that cannot be sent.
    """

    sent: Counter[str] = field(default_factory=Counter)
    before: int = 0
    others: Counter[str] = field(default_factory=Counter)
    skipped: list[Skipped] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        skipped = [asdict(one) for one in self.skipped]
        return {"sent": self.sent, "before": self.before, "others": self.others, "skipped": skipped}
