"""The deployments that pages show: each is followed from its first page on, and folded once for all pages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from streamapp.dashboard.state import DeploymentState
from streamapp.dashboard.view import View

__all__ = ["Board", "Boards", "Follow"]

Follow = Callable[[DeploymentState], Coroutine[Any, Any, None]]
"""Hands records to a state, for ever."""

_FRESH_S = 0.5


class Board:
    """One deployment: its state, and the last view of it.

    Parameters
    ----------
    state
        What is known.
    now_ms
        The wall clock.
    """

    def __init__(self, state: DeploymentState, now_ms: Callable[[], int] | None = None) -> None:
        self.state = state
        self._now_ms = now_ms or (lambda: time.time_ns() // 1_000_000)
        self._view: View | None = None
        self._seen_at = 0.0

    @property
    def now_ms(self) -> int:
        """The wall clock."""
        return self._now_ms()

    def view(self) -> View:
        """Return the page as it is now; pages that ask at the same time share it."""
        if self._view is None or time.monotonic() - self._seen_at > _FRESH_S:
            self._view, self._seen_at = self.state.view(self.now_ms), time.monotonic()
        return self._view


class Boards:
    """Those of a cluster.

    Parameters
    ----------
    names
        Of the deployments; at least one.
    follow
        How one of them is followed.

    Attributes
    ----------
    failed
        Set by what has ended the following of one of them, though nothing may.
    """

    def __init__(self, names: Sequence[str], follow: Follow) -> None:
        self.names = tuple(names)
        self._follow = follow
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._boards: dict[str, Board] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def get(self, name: str) -> Board:
        """Return the board of a deployment, which is followed from now on."""
        if name not in self._boards:
            state = DeploymentState(name)
            self._boards[name] = Board(state)
            task = asyncio.create_task(self._follow(state))
            task.add_done_callback(self._note_end)
            self._tasks.append(task)
        return self._boards[name]

    def _note_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (failure := task.exception()) is not None and not self.failed.done():
            self.failed.set_exception(failure)

    async def close(self) -> None:
        """Follow none of them any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
