"""Where requests lie whose outputs were as ever: what those of an alarming window are held against.

Theory of operation. The rows just before an alarming window are no measure: a slow drift is in them already,
and an alert that lasts has drifted rows before each of its later windows. So what counts is what lies before
all windows of the scan while nothing drifts; that is where an alert leaves it until it is over. The rows of
the version that answered before are kept as long as the one in force has not as many: if the outputs drift
because another model answers, only they were answered otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from streamapp.drift.scan import WINDOWS
from streamapp.drift.span import Span, join_spans
from streamapp.messages import Alert, Window

__all__ = ["Quiet", "QuietRows", "newest_of"]

_ROWS = 4_000
_ENOUGH = 1_000
"""Fewer rows of the version in force do not take the place of those of the version before."""
_BLOCK = 512
"""Rounds are joined until they hold so many requests: the state has some 15 of them."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Requests that a version answered as ever."""

    version: str
    span: Span

    def to_list(self) -> list[Any]:
        """Return it as a JSON-able list."""
        return [self.version, self.span.to_list()]

    @classmethod
    def from_list(cls, state: list[Any] | None) -> Self | None:
        """Return what :meth:`to_list` gave; None if there was none."""
        return None if state is None else cls(state[0], Span.from_list(state[1]))


class QuietRows:
    """The latest quiet requests, about 4,000, of the version in force and of the one before it.

    Notes
    -----
    Which they are depends on the rounds alone: the same log has the same.
    """

    def __init__(self) -> None:
        self.own: Quiet | None = None
        """Of the version in force."""
        self.former: Quiet | None = None
        """Of the version before it, or of the latest one that had any; None once they are of no use."""
        self._version = ""
        self._run: list[Span] = []
        """The newest rounds of the version in force, in blocks, since something of the outputs drifted."""

    def begin(self, version: str) -> None:
        """Let `version` be in force from the next round on."""
        if not self._has_enough and _events(self._run) >= _ENOUGH:
            self.own = Quiet(self._version, join_spans(_newest(self._run, _ROWS)))
        self.former = self.own if self._has_enough else self.former or self.own
        self.own, self._version, self._run = None, version, []

    def hear(
        self, span: Span, said: Iterable[Alert], still_open: Iterable[Alert], since: Mapping[int, int]
    ) -> None:
        """Take a round with the alerts that changed, those that are open after it, and the reign's begin."""
        for alert in said:
            if alert.kind == "output" and alert.state == "opened" and alert.window is not None:
                self.settle(alert.window, since)
        self.add(span, drifts=any(alert.kind == "output" for alert in still_open))

    def add(self, span: Span, *, drifts: bool) -> None:
        """Take a round; `drifts` says whether an alert on outputs is open after it."""
        if drifts:
            self._run = []
            return
        if self._run and self._run[-1].events < _BLOCK:
            self._run[-1] = join_spans([self._run[-1], span])
        else:
            self._run.append(span)
        in_windows = len(_newest(self._run, WINDOWS[-1]))
        before = _newest(self._run[:-in_windows], _ROWS)
        self._run = before + self._run[-in_windows:]
        if _events(before) >= _ENOUGH:
            self.own, self.former = Quiet(self._version, join_spans(before)), None

    def settle(self, window: Window, since: Mapping[int, int]) -> None:
        """Let what lies just before the window of a new alert do, if nothing better is known.

        A long window may hold the rows that were taken for quiet ones.

        Parameters
        ----------
        window
            The alarming one.
        since
            First offset of the reign in each partition.
        """
        parts = _parts(window, _ROWS)
        if self._has_enough and not self._reaches_into(parts):
            return
        before = {
            partition: (min(max(since.get(partition, 0), first - part), first), first)
            for partition, (first, _, part) in parts.items()
        }
        events = sum(next_ - first for first, next_ in before.values())
        if events:
            self.own = Quiet(self._version, Span(window.from_, window.from_, events, before))

    def forget(self) -> None:
        """Forget all: the topic was made anew, and offsets before and after have nothing in common."""
        self.own, self.former, self._run = None, None, []

    @property
    def _has_enough(self) -> bool:
        return self.own is not None and self.own.span.events >= _ENOUGH

    def _reaches_into(self, parts: Mapping[int, tuple[int, int, int]]) -> bool:
        """Return whether the quiet rows end within a window, in any partition."""
        own = {} if self.own is None else self.own.span.partitions
        return any(own[at][1] > first for at, (first, _, _) in parts.items() if at in own)

    def to_dict(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "version": self._version,
            "own": None if self.own is None else self.own.to_list(),
            "former": None if self.former is None else self.former.to_list(),
            "run": [span.to_list() for span in self._run],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over the state of :meth:`to_dict`."""
        self._version = state["version"]
        self.own, self.former = Quiet.from_list(state["own"]), Quiet.from_list(state["former"])
        self._run = [Span.from_list(span) for span in state["run"]]


def newest_of(window: Window, requests: int = _ROWS) -> dict[int, tuple[int, int]]:
    """Return the offsets of about the newest `requests` of a window, of each partition its part of them.

    Examples
    --------
    >>> newest_of(Window(from_=0, to=9, events=90, partitions={"0": (0, 60), "1": (5, 35)}), 30)
    {0: (40, 60), 1: (25, 35)}
    """
    parts = _parts(window, requests)
    return {at: (max(first, next_ - part), next_) for at, (first, next_, part) in parts.items()}


def _parts(window: Window, requests: int) -> dict[int, tuple[int, int, int]]:
    """Return the offsets of a window by partition, and how many of `requests` each has if it has its part."""
    total = max(sum(next_ - first for first, next_ in window.partitions.values()), 1)
    return {
        int(partition): (first, next_, -(-requests * (next_ - first) // total))
        for partition, (first, next_) in window.partitions.items()
    }


def _events(spans: list[Span]) -> int:
    return sum(span.events for span in spans)


def _newest(spans: list[Span], events: int) -> list[Span]:
    """Return the last of `spans`, as few as hold so many events, or all."""
    held = 0
    for i in range(len(spans) - 1, -1, -1):
        held += spans[i].events
        if held >= events:
            return spans[i:]
    return spans
