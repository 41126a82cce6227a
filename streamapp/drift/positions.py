"""Where each partition stands: which panes are repeats, and which begin another version's reign."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from streamapp.messages import NO_VERSION, Distribution

__all__ = ["REMEMBERED", "Place", "Positions"]

REMEMBERED = 64
"""Panes of a partition that are remembered: below them all lies no repeat, but a topic made anew."""


class Place(Enum):
    """Where a pane lies against those of its partition before it."""

    NEXT = "next"
    REPEAT = "repeat"
    """It was seen; a process that recovers publishes the newest closed pane again."""
    ANEW = "anew"
    """Its offsets lie below all that is remembered: the topic was deleted and made again."""


class Positions:
    """The newest panes of each partition.

    Notes
    -----
    A pane repeats if its ``next_offset`` was reached before. That would stall for ever if a topic is made
    anew, so the first offsets of the last 64 panes are remembered: a pane that ends below the oldest of them
    begins its partition anew. Where a topic is made anew that held fewer than 64 panes of a partition, the
    new panes up to the old end are taken for repeats; that is all that is lost.
    """

    def __init__(self) -> None:
        self._versions: dict[int, str] = {}
        self._reigns: dict[int, str] = {}
        self._begins: dict[int, int] = {}
        self._next: dict[int, int] = {}
        self._first: dict[int, list[int]] = {}

    def place(self, pane: Distribution) -> Place:
        """Return where a pane lies; :meth:`note` then notes that it was seen."""
        if pane.next_offset > self._next.get(pane.partition, -1):
            return Place.NEXT
        return Place.REPEAT if pane.next_offset > self._first[pane.partition][0] else Place.ANEW

    def begins_reign(self, pane: Distribution) -> bool:
        """Return whether the pane is the first that its version answered, in its partition, in this reign."""
        if pane.version == NO_VERSION:
            return False
        place = self.place(pane)
        is_first = self._reigns.get(pane.partition) != pane.version
        return place is Place.ANEW or (place is Place.NEXT and is_first)

    def note(self, pane: Distribution) -> Place:
        """Note that a pane was seen, and return where it lies."""
        place = self.place(pane)
        if place is Place.REPEAT:
            return place
        had = [] if place is Place.ANEW else self._first.get(pane.partition, [])
        self._first[pane.partition] = [*had, pane.first_offset][-REMEMBERED:]
        self._next[pane.partition] = pane.next_offset
        if pane.version != NO_VERSION:
            if place is Place.ANEW or self._reigns.get(pane.partition) != pane.version:
                self._begins[pane.partition] = pane.first_offset
            self._reigns[pane.partition] = pane.version
        return place

    def since(self, version: str) -> dict[int, int]:
        """Return where the reign of `version` began, of each partition in which it is the newest."""
        reigned = sorted(self._reigns.keys() & self._begins.keys())
        return {
            partition: self._begins[partition] for partition in reigned if self._reigns[partition] == version
        }

    def turns(self, partition: int, version: str) -> bool | None:
        """Note the version of a pane that counts; return whether it is another one, None if the first."""
        had = self._versions.get(partition)
        self._versions[partition] = version
        return None if had is None else had != version

    def to_dict(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "versions": list(self._versions.items()),
            "reigns": list(self._reigns.items()),
            "begins": list(self._begins.items()),
            "next": list(self._next.items()),
            "first": list(self._first.items()),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over the state of :meth:`to_dict`."""
        self._versions, self._reigns, self._next, self._first = (
            dict(state[name]) for name in ("versions", "reigns", "next", "first")
        )
        self._begins = dict(state.get("begins", ()))
