"""Pages of made-up deployments, served without Kafka."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import uvicorn

from streamapp.dashboard.boards import Board, Boards
from streamapp.dashboard.guard import Guard
from streamapp.dashboard.page import create_app
from streamapp.dashboard.state import DeploymentState
from streamapp.runtime.listening import WebServer, address_of, listen
from tests.dashboard.scenes import Story

__all__ = ["StillBoards", "serving"]


class StillBoards(Boards):
    """Boards whose states are there already, and whose clocks stand still."""

    def __init__(self, stories: Mapping[str, Story]) -> None:
        super().__init__(tuple(stories), _nothing)
        self._boards = {name: _board(story) for name, story in stories.items()}


def _board(story: Story) -> Board:
    return Board(story.state, lambda: story.at_ms)


async def _nothing(state: DeploymentState) -> None:
    """Follow nothing: all is known."""


@contextmanager
def serving(boards: Boards, token: str | None = None, bind: str = "127.0.0.1") -> Iterator[str]:
    """Serve in a thread, and give the address."""
    with listen(bind, 0) as listening:
        config = uvicorn.Config(
            Guard(create_app(boards), token), log_config=None, timeout_graceful_shutdown=1
        )
        server = WebServer(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True)
        thread.start()
        try:
            yield address_of(listening)
        finally:
            server.should_exit = True
            thread.join(10)
