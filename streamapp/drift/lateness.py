"""The alert that answers come late: raised by a rule, not by a test."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from streamapp.messages import Alert, Distribution, ModelRef, caused_id

__all__ = ["Lateness"]

_SUBJECT = "requests"
_STEP_MS = 1_000
_WINDOW_MS = 60_000
_MOST_LATE = 0.01
_LEAST_LATE = 10
_CLEAR_MS = 300_000


class Lateness:
    """Says when more than one request in a hundred of the last minute was answered late, and when no more.

    Late are those that waited for their answer longer than a limit, by what their panes say. Fewer than ten
    are an accident. The alert resolves when it has not been so for five minutes. Times are those at which
    panes were written: who reads them again says the same.

    Parameters
    ----------
    deployment
        Its name.
    limit_s
        The limit in seconds, for the alert's text; None: nothing is late.

    Examples
    --------
    >>> lateness = Lateness("bikes", 0.5)
    >>> pane = Distribution(version="v1", partition=0, first_offset=0, next_offset=64, events=64, late=9,
    ...                     from_=0, to=0)
    >>> lateness.hear(pane, 1_000)
    >>> lateness.hear(pane, 2_000).summary
    '18 of the 128 requests answered in the last minute waited longer than 0.5 s for it'
    """

    def __init__(self, deployment: str, limit_s: float | None) -> None:
        self._deployment, self._limit_s = deployment, limit_s
        self._steps: deque[list[int]] = deque()  # a second, requests, late ones: at most a minute of them
        self._breached_ms = 0
        self.alert: Alert | None = None
        """The open alert."""

    def hear(self, pane: Distribution, at_ms: int) -> Alert | None:
        """Count a pane that was written at `at_ms`; return the alert if that opens or resolves it."""
        requests, late = self._count(at_ms // _STEP_MS, pane)
        is_breached = self._limit_s is not None and late >= max(_LEAST_LATE, _MOST_LATE * requests)
        if is_breached:
            self._breached_ms = max(at_ms, self._breached_ms)
            if self.alert is None:
                self.alert = self._open(pane, requests, late, at_ms)
                return self.alert
        elif self.alert is not None and at_ms - self._breached_ms >= _CLEAR_MS:
            alert, self.alert = self.alert, None
            in_time = "requests have been answered in time for five minutes"
            return alert.resolved("cleared", at_ms=at_ms, summary=in_time)
        return None

    def _count(self, step: int, pane: Distribution) -> tuple[int, int]:
        """Return the requests of the last minute, and the late ones, with `pane`."""
        steps = self._steps
        if steps and step <= steps[-1][0]:  # brokers' clocks differ a little
            steps[-1][1] += pane.events
            steps[-1][2] += pane.late
        else:
            steps.append([step, pane.events, pane.late])
        while steps[0][0] <= steps[-1][0] - _WINDOW_MS // _STEP_MS:
            steps.popleft()
        return sum(each[1] for each in steps), sum(each[2] for each in steps)

    def _open(self, pane: Distribution, requests: int, late: int, at_ms: int) -> Alert:
        return Alert(
            id=caused_id(self._deployment, "latency", pane.version, pane.partition, pane.first_offset),
            state="opened",
            kind="latency",
            subject=_SUBJECT,
            model=ModelRef(name=self._deployment, version=pane.version),
            summary=f"{late:,} of the {requests:,} requests answered in the last minute waited longer than "
            f"{self._limit_s:g} s for it",
            from_clock=True,
            opened_at=at_ms,
            updated_at=at_ms,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "steps": list(self._steps),
            "breached": self._breached_ms,
            "alert": None if self.alert is None else self.alert.model_dump(mode="json", by_alias=True),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over the state of :meth:`to_dict`."""
        self._steps = deque(list(step) for step in state["steps"])
        self._breached_ms = state["breached"]
        self.alert = None if state["alert"] is None else Alert.parse(state["alert"])
