"""A web server in a loop of ours: it listens first, and ends at a signal with status 0."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
import uvloop

from streamapp.errors import ConfigError
from streamapp.runtime.access import Served, check_bind, read_token
from streamapp.settings import Settings

__all__ = ["WebServer", "address_of", "listen", "run_listening"]


class WebServer(uvicorn.Server):
    """uvicorn's server, stopped by SIGINT and SIGTERM; at the second one it waits for nothing."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would raise them again at the end, and the status would not be 0."""
        yield

    def stop_on_signals(self) -> None:
        """Be stopped by signals from now on. For the loop that it runs in."""

        def stop() -> None:
            self.force_exit = self.should_exit
            self.should_exit = True

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop)

    async def serve_beside(self, listening: socket.socket, other: asyncio.Future[Any]) -> None:
        """Serve until a signal, or until `other` ends, which it should not: then what ended it is raised."""
        serving = asyncio.create_task(self.serve(sockets=[listening]))
        await asyncio.wait({serving, other}, return_when=asyncio.FIRST_COMPLETED)
        self.should_exit = True
        await serving
        if other.done():
            other.result()


def run_listening(
    settings: Settings,
    server: Served,
    serve: Callable[[socket.socket, str | None], Coroutine[Any, Any, None]],
) -> None:
    """Listen where the settings of a server say, and run what serves there in a loop of its own.

    Parameters
    ----------
    settings
        Say where, and what token lets other machines in.
    server
        Whose settings.
    serve
        Called with the socket and the token, which is None where none is asked for.

    Raises
    ------
    ConfigError
        If the address cannot be listened on, or lets others in without a token.
    """
    token = read_token(settings, server)
    bind, port = getattr(settings, f"{server}_bind"), getattr(settings, f"{server}_port")
    check_bind(bind, token, server)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, listen(bind, port) as listening:
        runner.run(serve(listening, token))


def listen(bind: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises
    ------
    ConfigError
        If that cannot be.
    """
    try:
        return socket.create_server((bind, port), family=socket.AF_INET6 if ":" in bind else socket.AF_INET)
    except OSError as exc:
        raise ConfigError(
            f"cannot listen on {bind} port {port}: {exc.strerror or exc}; choose with --bind and --port"
        ) from None


def address_of(listening: socket.socket) -> str:
    """Return the URL of what listens there."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
