"""How many requests are answered, and how fast."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from streamapp.dashboard.view import Point, Traffic
from streamapp.messages import Distribution

__all__ = ["TrafficFold"]

_STEP_MS = 5_000
_KEPT = 24 * 3_600_000 // _STEP_MS
_WIDTHS_S = (5, 15, 60, 300, 960)
_POINTS = 90
_LAST_MS = 60_000
_SAMPLE = 1_000


class TrafficFold:
    """Counts of closed panes by the wall clock of their records, of the last day; a sample of latencies."""

    def __init__(self) -> None:
        self._steps: deque[tuple[int, int, int]] = deque(maxlen=_KEPT)
        self._latencies: deque[float] = deque(maxlen=_SAMPLE)
        self._last_ms: int | None = None

    def count(self, pane: Distribution, logged_ms: int) -> None:
        """Take a pane that was published at `logged_ms`."""
        step = logged_ms // _STEP_MS
        self._last_ms = max(logged_ms, self._last_ms or 0)
        if self._steps and self._steps[-1][0] >= step:
            at, events, rejected = self._steps.pop()
            self._steps.append((at, events + pane.events, rejected + pane.rejected))
        else:
            self._steps.append((step, pane.events, pane.rejected))

    def time(self, latencies_ms: Sequence[float]) -> None:
        """Take the latencies of some of the newest answers."""
        self._latencies.extend(latencies_ms)

    def view(self, now_ms: int) -> Traffic:
        """Return what is known at wall clock `now_ms`."""
        latency = None
        if self._latencies:
            p50, p99 = np.quantile(np.array(self._latencies), (0.5, 0.99)).tolist()
            latency = round(p50, 1), round(p99, 1)
        if not self._steps:
            return Traffic(latency_ms=latency)
        since = now_ms - _LAST_MS
        last = [step for step in self._steps if step[0] * _STEP_MS >= since - _STEP_MS]
        answered = sum(step[1] for step in last)
        # What has just begun has not had a minute yet.
        first_ms = max(self._steps[0][0] * _STEP_MS, since - _STEP_MS)
        seconds = max((now_ms - first_ms) / 1_000, _STEP_MS / 1_000)
        width_s, points = self._points(now_ms)
        return Traffic(
            per_s=round(answered / seconds, 2),
            rejected_share=sum(step[2] for step in last) / answered if answered else 0.0,
            latency_ms=latency,
            last_ms=self._last_ms,
            points=points,
            width_s=width_s,
        )

    def _points(self, now_ms: int) -> tuple[int, tuple[Point, ...]]:
        first = self._steps[0][0] * _STEP_MS
        whole_s = (now_ms - first) / 1_000
        width_s = next((w for w in _WIDTHS_S if whole_s <= w * _POINTS), _WIDTHS_S[-1])
        width_ms = width_s * 1_000
        # The stretch that goes on now is left out: it would look like a fall.
        end = now_ms // width_ms
        start = max(first // width_ms, end - _POINTS)
        sums = np.zeros((max(end - start, 0), 2))
        for step, events, rejected in self._steps:
            at = step * _STEP_MS // width_ms - start
            if 0 <= at < len(sums):
                sums[at] += events - rejected, rejected
        rates = np.round(sums / width_s, 2).tolist()
        return width_s, tuple(
            Point((start + i) * width_ms, answered, rejected) for i, (answered, rejected) in enumerate(rates)
        )
