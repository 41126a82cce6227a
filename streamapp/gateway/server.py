"""The gateway as a process: listen, serve, and end without leaving a request unanswered."""

from __future__ import annotations

import asyncio
import math
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import uvicorn
import uvloop

from streamapp.errors import ConfigError
from streamapp.gateway.api import create_api
from streamapp.gateway.kafka import connect
from streamapp.gateway.limits import check_bind, read_token
from streamapp.runtime.logs import LogStyle, set_up_logging
from streamapp.settings import Settings

__all__ = ["run"]


_OTHERS = 100
"""Idle connections and probes, beside those of requests that wait."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would raise them again at the end, and the status would not be 0."""
        yield


def run(settings: Settings, *, say: Callable[[str], Any]) -> None:
    """Serve the deployment of `settings` until SIGINT or SIGTERM.

    Then nothing new is taken, and what is in flight is waited for, as long as requests may take.

    Parameters
    ----------
    settings
        Of the deployment.
    say
        Told where it listens, once it does.

    Raises
    ------
    ConfigError
        If the address cannot be listened on, or lets others in without a token.
    BrokerError
        If no broker answers, or there is no such deployment.
    """
    token = read_token(settings)
    check_bind(settings.gateway_bind, token)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, _listen(settings) as listening:
        runner.run(_serve(settings, token, listening, say))


def _listen(settings: Settings) -> socket.socket:
    bind, port = settings.gateway_bind, settings.gateway_port
    try:
        return socket.create_server((bind, port), family=socket.AF_INET6 if ":" in bind else socket.AF_INET)
    except OSError as exc:
        raise ConfigError(
            f"cannot listen on {bind} port {port}: {exc.strerror or exc}; choose with --bind and --port"
        ) from None


async def _serve(
    settings: Settings, token: str | None, listening: socket.socket, say: Callable[[str], Any]
) -> None:
    async with connect(settings) as connection:
        instance = f"{socket.gethostname()}-gateway-{settings.gateway_port}"
        set_up_logging(replace(LogStyle.of(settings), role="gateway", instance=instance))
        config = uvicorn.Config(
            create_api(connection, settings, token=token),
            access_log=False,
            http="h11",  # unlike the faster httptools, it bounds the head of a request
            lifespan="off",
            # Of connections and requests together: what slow clients hold open is bounded, too.
            limit_concurrency=2 * settings.gateway_in_flight + _OTHERS,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=math.ceil(settings.gateway_timeout_s) + 1,
        )
        server = _Server(config)

        def stop() -> None:
            server.force_exit = server.should_exit  # the second time there is no waiting
            server.should_exit = True

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        host, port = listening.getsockname()[:2]
        at = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        say(f"{settings.name} answers at {at}/predict and {at}/v2; {at}/docs tells more. Ctrl-C ends it.")
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        await asyncio.wait({serving, connection.reading}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
        if connection.reading.done():
            connection.reading.result()  # raises what ended it
