"""Where and when the events of a round lie."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from streamapp.messages import Window
from streamapp.profile import Summary

__all__ = ["Pane", "Span", "join_spans"]


@dataclass(frozen=True, slots=True)
class Span:
    """Event times, number of events, and offsets per partition."""

    from_ms: int
    to_ms: int
    events: int
    partitions: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Partition to [first offset, next offset)."""

    def window(self) -> Window:
        """Return the span as it stands in an alert."""
        parts = {str(partition): self.partitions[partition] for partition in sorted(self.partitions)}
        return Window(from_=self.from_ms, to=self.to_ms, events=self.events, partitions=parts)

    def to_list(self) -> list[Any]:
        """Return the span as a JSON-able list."""
        parts = [[partition, *offsets] for partition, offsets in self.partitions.items()]
        return [self.from_ms, self.to_ms, self.events, parts]

    @classmethod
    def from_list(cls, state: list[Any]) -> Self:
        """Return the span of :meth:`to_list`."""
        from_ms, to_ms, events, parts = state
        return cls(from_ms, to_ms, events, {partition: (first, next_) for partition, first, next_ in parts})


@dataclass(frozen=True, slots=True)
class Pane:
    """A run of events of one partition."""

    partition: int
    span: Span
    summary: Summary
    season: np.ndarray | None = None
    """What its hours add to a vector, if the time of each row is known; else that follows from the span."""


def join_spans(spans: Iterable[Span]) -> Span:
    """Return the span of all of `spans` together; there must be one.

    Examples
    --------
    >>> join_spans([Span(5, 9, 64, {0: (0, 64)}), Span(1, 6, 70, {0: (64, 100), 1: (0, 34)})])
    Span(from_ms=1, to_ms=9, events=134, partitions={0: (0, 100), 1: (0, 34)})
    """
    listed = list(spans)
    partitions: dict[int, tuple[int, int]] = {}
    for span in listed:
        for partition, (first, next_) in span.partitions.items():
            had = partitions.get(partition, (first, next_))
            partitions[partition] = (min(had[0], first), max(had[1], next_))
    return Span(
        min(span.from_ms for span in listed),
        max(span.to_ms for span in listed),
        sum(span.events for span in listed),
        partitions,
    )
