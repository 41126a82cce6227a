"""How many requests are answered, how fast, and how many wait."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from streamapp.dashboard.latencies import Counts, add_latency, no_latencies, quantiles
from streamapp.dashboard.view import Point, Traffic
from streamapp.drift.positions import Place, Positions
from streamapp.messages import Distribution

__all__ = ["TrafficFold"]

_WIDTHS_S = (5, 15, 60, 300, 960)
_POINTS = 90
_LAST_MS = 60_000
_WAITING_MS = 10_000
_LEVELS = (0.5, 0.99)


@dataclass(slots=True)
class _Stretch:
    events: int = 0
    rejected: int = 0
    latencies: Counts = field(default_factory=no_latencies)


class _Series:
    """What came in each stretch of one width, of the newest ones."""

    _NOTHING = _Stretch()

    def __init__(self, width_s: int) -> None:
        self.width_ms = 1_000 * width_s
        self._stretches: dict[int, _Stretch] = {}

    def at(self, time_ms: int) -> _Stretch:
        """Return the stretch of a time, to be added to."""
        step = time_ms // self.width_ms
        found = self._stretches.get(step)
        if found is None:
            found = self._stretches[step] = _Stretch()
            if len(self._stretches) > _POINTS + 1:  # the one that goes on now is not shown
                del self._stretches[min(self._stretches)]
        return found

    def between(self, start: int, end: int) -> list[_Stretch]:
        """Return the stretches from number `start` on and before `end`, those without anything, too."""
        return [self._stretches.get(step, self._NOTHING) for step in range(start, end)]


class TrafficFold:
    """Counts of closed panes by the wall clock of their records, of the last day; a sample of latencies.

    What comes is added to a stretch of each width at once, so that a view looks at ninety, and not at a day.
    """

    def __init__(self) -> None:
        self._series = [_Series(width_s) for width_s in _WIDTHS_S]
        self._positions = Positions()
        self._answered: dict[int, int] = {}
        self._partitions = 0
        self._waiting: deque[tuple[int, int]] = deque()
        self._first_ms: int | None = None
        self._last_ms: int | None = None

    def count(self, pane: Distribution, logged_ms: int) -> None:
        """Take a pane that was published at `logged_ms`; one that comes again is not counted again."""
        if self._positions.note(pane) is Place.REPEAT:
            return
        self._reach(pane.partition, pane.next_offset, logged_ms)
        self._first_ms = logged_ms if self._first_ms is None else min(self._first_ms, logged_ms)
        for series in self._series:
            stretch = series.at(logged_ms)
            stretch.events += pane.events
            stretch.rejected += pane.rejected

    def time(self, partition: int, offset: int, latency_ms: float, logged_ms: int) -> None:
        """Take one of the newest answers: where its request lies, how long it took, when it was written."""
        self._reach(partition, offset + 1, logged_ms)
        for series in self._series:
            add_latency(series.at(logged_ms).latencies, latency_ms)

    def wait(self, requests: Mapping[int, int], answers: Mapping[int, int], now_ms: int) -> None:
        """Take where each partition of ``requests`` and ``predictions`` ends at wall clock `now_ms`."""
        waiting, self._partitions = 0, len(requests)
        for partition, end in requests.items():
            # Where there are answers that were not seen, they may be those of all requests.
            unseen = end if answers.get(partition, 0) else 0
            waiting += max(end - self._answered.get(partition, unseen), 0)
        self._waiting.append((now_ms, waiting))
        while self._waiting[0][0] < now_ms - _WAITING_MS:
            self._waiting.popleft()

    def view(self, now_ms: int) -> Traffic:
        """Return what is known at wall clock `now_ms`."""
        steps = self._series[0]
        since_ms = now_ms - _LAST_MS - steps.width_ms
        begun = -(-since_ms // steps.width_ms)
        # Clocks of other machines may be ahead of this one.
        last = steps.between(begun, (now_ms + _LAST_MS) // steps.width_ms)
        answered = sum(stretch.events for stretch in last)
        # What has just begun has not had a minute yet.
        since_ms = max(since_ms, (self._first_ms or 0) // steps.width_ms * steps.width_ms)
        width_s, points = self._points(now_ms)
        return Traffic(
            per_s=round(answered / max((now_ms - since_ms) / 1_000, _WIDTHS_S[0]), 2),
            rejected_share=sum(stretch.rejected for stretch in last) / answered if answered else 0.0,
            latency_ms=_latencies([np.sum([stretch.latencies for stretch in last], axis=0)])[0],
            waiting=self._waiting_at(now_ms),
            partitions=self._partitions,
            last_ms=self._last_ms,
            points=points,
            width_s=width_s,
        )

    def _reach(self, partition: int, next_offset: int, logged_ms: int) -> None:
        self._answered[partition] = max(next_offset, self._answered.get(partition, 0))
        self._last_ms = max(logged_ms, self._last_ms or 0)

    def _waiting_at(self, now_ms: int) -> int | None:
        """Return how many requests wait: what was sent just now is on its way, and gone at another look."""
        return min((count for at_ms, count in self._waiting if at_ms >= now_ms - _WAITING_MS), default=None)

    def _points(self, now_ms: int) -> tuple[int, tuple[Point, ...]]:
        if self._first_ms is None:
            return 0, ()
        lasts_s = (now_ms - self._first_ms) / 1_000
        width_s, series = next(
            (found for found in zip(_WIDTHS_S, self._series, strict=True) if lasts_s <= found[0] * _POINTS),
            (_WIDTHS_S[-1], self._series[-1]),
        )
        # The stretch that goes on now is left out: it would look like a fall.
        end = now_ms // series.width_ms
        start = max(self._first_ms // series.width_ms, end - _POINTS)
        found = series.between(start, end)
        latencies = _latencies([stretch.latencies for stretch in found])
        return width_s, tuple(
            Point(
                (start + i) * series.width_ms,
                answered=round((stretch.events - stretch.rejected) / width_s, 2),
                rejected=round(stretch.rejected / width_s, 2),
                latency_ms=latency,
            )
            for i, (stretch, latency) in enumerate(zip(found, latencies, strict=True))
        )


def _latencies(counts: Sequence[Counts]) -> list[tuple[float, float] | None]:
    """Return median and 99th percentile of each; None where there are none."""
    if not counts:
        return []
    found = quantiles(np.stack(counts), _LEVELS).round(1).tolist()
    return [None if math.isnan(half) else (half, most) for half, most in found]
