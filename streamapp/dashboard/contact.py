"""Whether what is shown is up to date: what Kafka has said of its ends, and how far they were read."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Generic, Literal, TypeVar

from streamapp.dashboard.view import Contact

__all__ = ["LATELY_MS", "ContactFold"]

LATELY_MS = 10_000
"""How old the ends may be that were reached last: some looks are missed, a bundle is waited for."""

_P = TypeVar("_P", bound=Hashable)


class ContactFold(Generic[_P]):
    """Folds ends, positions and failures into a contact.

    Notes
    -----
    While records come, ends run ahead of whoever reads. So those of one look are aimed at until they are
    reached; the page is live if that happened lately. That Kafka answers is not enough: what is read slowly,
    or not at all, is not live.

    Examples
    --------
    >>> fold = ContactFold()
    >>> fold.answered({"models": 3}, now_ms=1_000)
    >>> fold.read({"models": 2}, now_ms=1_100).state, fold.read({"models": 3}, now_ms=1_200).state
    ('reading', 'live')
    >>> fold.contact(now_ms=12_000).state
    'reading'
    """

    def __init__(self) -> None:
        self._aim: tuple[Mapping[_P, int], int] | None = None
        self._reached_ms: int | None = None
        self._answered_ms: int | None = None
        self._trouble: tuple[Literal["gone", "failed"], str] | None = None

    def answered(self, ends: Mapping[_P, int], now_ms: int) -> None:
        """Take the ends of all that is read, as Kafka has just said them."""
        self._answered_ms, self._trouble = now_ms, None
        if self._aim is None:
            self._aim = dict(ends), now_ms

    def read(self, positions: Mapping[_P, int], now_ms: int) -> Contact:
        """Take how far was read, and return the contact."""
        if self._aim is not None:
            ends, at_ms = self._aim
            if all(positions.get(place, -1) >= end for place, end in ends.items()):
                self._aim, self._reached_ms = None, at_ms
        return self.contact(now_ms)

    def lost(self, reason: str) -> None:
        """Take that Kafka does not answer."""
        self._aim, self._trouble = None, ("gone", reason)

    def failed(self, reason: str) -> None:
        """Take that reading has ended, though Kafka may answer."""
        self._aim, self._trouble = None, ("failed", reason)

    def contact(self, now_ms: int) -> Contact:
        """Return the contact as it is now."""
        if self._trouble is not None:
            state, reason = self._trouble
            return Contact(state, self._answered_ms, reason)
        is_live = self._reached_ms is not None and now_ms - self._reached_ms <= LATELY_MS
        return Contact("live" if is_live else "reading", self._answered_ms)
