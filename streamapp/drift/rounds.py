"""Panes to rounds: samples of the whole stream, although with keyed traffic a partition is none."""

from __future__ import annotations

from collections import Counter

from streamapp.drift.span import Pane

__all__ = ["MAX_PANES", "MIN_EVENTS", "Rounds"]

MAX_PANES = 16
MIN_EVENTS = 64
FIRST_PANES = 4
"""The first round, with no round before it, has at least so many panes."""


class Rounds:
    """Gathers panes in log order.

    A round closes when every partition that was active in the round before has contributed, or after 16
    panes. The first one, when partitions are not known yet, closes when each that was seen has contributed
    twice, with 4 panes at least. No round closes with fewer than 64 events: panes of a slow stream are small.
    """

    def __init__(self, active: frozenset[int] = frozenset(), panes: list[Pane] | None = None) -> None:
        self.active = active
        self.panes: list[Pane] = panes or []

    def add(self, pane: Pane) -> list[Pane]:
        """Take a pane, and return the panes of the round that it closes, or none."""
        self.panes.append(pane)
        seen = frozenset(pane.partition for pane in self.panes)
        if not self._is_complete(seen) or sum(pane.span.events for pane in self.panes) < MIN_EVENTS:
            return []
        closed, self.panes, self.active = self.panes, [], seen
        return closed

    def _is_complete(self, seen: frozenset[int]) -> bool:
        if len(self.panes) >= MAX_PANES:
            return True
        if self.active:
            return self.active <= seen
        # A partition that comes again while another has not come twice: there may be more of them.
        counts = Counter(pane.partition for pane in self.panes)
        return len(self.panes) >= FIRST_PANES and min(counts.values()) >= 2
