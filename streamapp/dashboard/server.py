"""The dashboard as a process: listen, follow, serve."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import uvicorn

from streamapp.dashboard.boards import Boards
from streamapp.dashboard.guard import Guard
from streamapp.dashboard.page import create_app
from streamapp.dashboard.reading import deployments, follow
from streamapp.errors import BrokerError
from streamapp.runtime.client import existing_topics
from streamapp.runtime.listening import WebServer, address_of, run_listening
from streamapp.runtime.logs import LogStyle, set_up_logging
from streamapp.settings import Settings

__all__ = ["run"]

log = logging.getLogger(__name__)


def run(settings: Settings, names: Sequence[str], *, say: Callable[[str], Any]) -> None:
    """Serve pages until SIGINT or SIGTERM.

    Parameters
    ----------
    settings
        How Kafka and bundles are reached, and where to listen.
    names
        Of the deployments; none: all that the cluster has, as they come and go.
    say
        Told where the page is, once it is; the log is, if that is to be JSON.

    Raises
    ------
    ConfigError
        If the address cannot be listened on, or lets others in without a token.
    BrokerError
        If no broker answers, or there is no such deployment.
    """
    run_listening(settings, "dashboard", partial(_serve, settings, names, say))


async def _serve(
    settings: Settings,
    names: Sequence[str],
    say: Callable[[str], Any],
    listening: socket.socket,
    token: str | None,
) -> None:
    found = await _existing(settings, names)
    set_up_logging(LogStyle.of_server(settings, "dashboard"))
    boards = Boards(
        found,
        lambda state: follow(settings.model_copy(update={"name": state.name}), state),
        None if names else partial(deployments, settings.connection),
    )
    config = uvicorn.Config(
        Guard(create_app(boards), token),
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=2,  # pages hold their connections open
    )
    server = WebServer(config)
    server.stop_on_signals()
    hint = "" if token is None else "?token=TOKEN"
    tell = log.info if settings.log_format == "json" else say
    tell(f"dashboard of {', '.join(found)} at {address_of(listening)}/{hint}; Ctrl-C ends it.")
    for name in names or found[:1]:  # the others when somebody looks at them
        boards.get(name)
    keeping = asyncio.create_task(boards.keep())
    try:
        await server.serve_beside(listening, keeping)
    finally:
        keeping.cancel()
        await boards.close()


async def _existing(settings: Settings, names: Sequence[str]) -> list[str]:
    """Return the names of the deployments to show, and raise BrokerError if one does not exist."""
    if not names:
        found = await deployments(settings.connection)
        if not found:
            raise BrokerError(
                f"there is no deployment on {settings.connection.bootstrap}: streamapp deploy NAME BUNDLE "
                "creates one"
            )
        return found
    topics = [settings.model_copy(update={"name": name}).topics.models for name in names]
    await existing_topics(settings.connection, topics)
    return list(dict.fromkeys(names))
