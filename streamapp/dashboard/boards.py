"""The deployments that pages show: each is followed while it is looked at, and folded once for all pages."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from streamapp.dashboard.state import DeploymentState
from streamapp.dashboard.verdicts import worst_of
from streamapp.dashboard.view import Tone, View
from streamapp.messages import format_time
from streamapp.runtime.log_fields import cause

__all__ = ["Board", "Boards", "Find", "Follow"]

Follow = Callable[[DeploymentState], Coroutine[Any, Any, None]]
"""Hands records to a state, for ever."""

Find = Callable[[], Awaitable[Sequence[str]]]
"""Returns the names of the deployments that there are."""

_FRESH_S = 0.5
_GLANCE_S = 10.0
_LOOK_EVERY_S = 60.0
_UNSEEN_S = 3_600.0
_UNREACHED_MS = 90_000
"""Longer than between two looks."""

log = logging.getLogger(__name__)


class Board:
    """One deployment: its state, and the last view of it.

    Parameters
    ----------
    state
        What is known.
    now_ms
        The wall clock.
    clock
        Seconds of a clock that nobody sets.
    """

    def __init__(
        self,
        state: DeploymentState,
        now_ms: Callable[[], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = state
        self._now_ms = now_ms or _now_ms
        self._clock = clock
        self._view: View | None = None
        self._made_at = 0.0
        self.seen_at = clock()
        """When somebody looked at it last."""

    @property
    def now_ms(self) -> int:
        """The wall clock."""
        return self._now_ms()

    def view(self) -> View:
        """Return the page as it is now; pages that ask at the same time share it."""
        self.seen_at = self._clock()
        return self._view_of_the_last(_FRESH_S)

    def tone(self) -> Tone:
        """Return the worst of what the page answers, some seconds old; nobody looks at it for that."""
        return worst_of(self._view_of_the_last(_GLANCE_S).answers)

    def _view_of_the_last(self, seconds: float) -> View:
        now = self._clock()
        if self._view is None or now - self._made_at > seconds:
            self._view, self._made_at = self.state.view(self.now_ms), now
        return self._view


class Boards:
    """Those of a cluster.

    Parameters
    ----------
    names
        Of the deployments; at least one.
    follow
        How one of them is followed.
    find
        Finds those that there are; None: it stays with `names`, and these are followed for good.
    now_ms, clock
        As of a :class:`Board`.

    Attributes
    ----------
    names
        As they were given, or found last.
    """

    def __init__(
        self,
        names: Sequence[str],
        follow: Follow,
        find: Find | None = None,
        *,
        now_ms: Callable[[], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.names = tuple(names)
        self._follow = follow
        self._find = find
        self._now_ms = now_ms or _now_ms
        self._clock = clock
        self._found_ms = self._now_ms()
        self._boards: dict[str, Board] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def get(self, name: str) -> Board:
        """Return the board of a deployment, which is followed from now on."""
        if name not in self._boards:
            state = DeploymentState(name)
            self._boards[name] = Board(state, self._now_ms, self._clock)
            self._tasks[name] = asyncio.create_task(self._follow(state))
        return self._boards[name]

    def tone(self, name: str) -> Tone:
        """Return the worst of what the page of a deployment answers; unknown of one that is not followed."""
        board = self._boards.get(name)
        return "unknown" if board is None else board.tone()

    def fault(self) -> str | None:
        """Return why the pages are of no use, None if Kafka was reached lately."""
        contacts = [board.state.contact.at_ms or 0 for board in self._boards.values()]
        reached_ms = max([self._found_ms, *contacts])
        if self._now_ms() - reached_ms <= _UNREACHED_MS:
            return None
        return f"Kafka was last reached at {format_time(reached_ms)}"

    async def keep(self) -> None:
        """Look for deployments, and let go those that nobody looks at, every minute for ever."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Do so once; where names were given there is nothing to be done."""
        if self._find is None:
            return
        unseen = [name for name, board in self._boards.items() if self._clock() - board.seen_at > _UNSEEN_S]
        await self._let_go(unseen)
        try:
            self.names = tuple(await self._find())
        except Exception as exc:  # the pages go on with those that are known
            log.warning("cannot look for deployments: %s", cause(exc))
        else:
            self._found_ms = self._now_ms()

    async def close(self) -> None:
        """Follow none of them any more."""
        await self._let_go(list(self._boards))

    async def _let_go(self, names: Sequence[str]) -> None:
        tasks = [self._tasks.pop(name) for name in names]
        for name, task in zip(names, tasks, strict=True):
            del self._boards[name]
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
