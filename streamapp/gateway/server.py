"""The gateway as a process: listen, serve, and end without leaving a request unanswered."""

from __future__ import annotations

import logging
import math
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn

from streamapp.gateway.api import create_api
from streamapp.gateway.kafka import connect
from streamapp.runtime.listening import WebServer, address_of, run_listening
from streamapp.runtime.logs import LogStyle, set_up_logging
from streamapp.settings import Settings

__all__ = ["run"]

log = logging.getLogger(__name__)

_OTHERS = 100
"""Idle connections and probes, beside those of requests that wait."""


def run(settings: Settings, *, say: Callable[[str], Any]) -> None:
    """Serve the deployment of `settings` until SIGINT or SIGTERM.

    Then nothing new is taken, and what is in flight is waited for, as long as requests may take.

    Parameters
    ----------
    settings
        Of the deployment.
    say
        Told where it listens, once it does; the log is, if that is to be JSON.

    Raises
    ------
    ConfigError
        If the address cannot be listened on, or lets others in without a token.
    BrokerError
        If no broker answers, or there is no such deployment.
    """
    run_listening(settings, "gateway", partial(_serve, settings, say))


async def _serve(
    settings: Settings, say: Callable[[str], Any], listening: socket.socket, token: str | None
) -> None:
    async with connect(settings) as connection:
        set_up_logging(LogStyle.of_server(settings, "gateway"))
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
        server = WebServer(config)
        server.stop_on_signals()
        at = address_of(listening)
        tell = log.info if settings.log_format == "json" else say
        tell(f"{settings.name} answers at {at}/predict and {at}/v2; {at}/docs tells more. Ctrl-C ends it.")
        await server.serve_beside(listening, connection.reading)
