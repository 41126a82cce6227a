"""``/health``, ``/ready``, ``/metrics`` and more of a role, in threads: they answer when it is stuck."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from streamapp.errors import ConfigError
from streamapp.runtime.health import Health
from streamapp.runtime.metrics import Metrics

__all__ = ["WebServer"]

_OK, _UNAVAILABLE = "200 OK", "503 Service Unavailable"

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        logging.getLogger(__name__).debug(format, *args)


class WebServer:
    """Serves the three pages, and those of the role, until the process ends.

    Parameters
    ----------
    bind, port
        Where to listen.
    health, metrics
        What is shown.
    pages
        JSON by path, as it is at the time of the request.

    Raises
    ------
    ConfigError
        If the port is taken, or `bind` is no address of this machine.
    """

    def __init__(
        self,
        bind: str,
        port: int,
        health: Health,
        metrics: Metrics,
        pages: Mapping[str, bytes] | None = None,
    ) -> None:
        self._health = health
        self._pages = {} if pages is None else pages
        metrics.follow(health)
        self._metrics = make_wsgi_app(metrics.registry)
        try:
            self._server = make_server(bind, port, self._answer, _Server, _Quiet)
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                raise ConfigError(
                    f"web port {port} on {bind} is taken, perhaps by another role: choose one with --web-port"
                ) from None
            raise ConfigError(f"web port {port} on {bind} cannot be opened: {exc.strerror or exc}") from exc

    def start(self) -> None:
        """Answer from now on."""
        threading.Thread(target=self._server.serve_forever, name="web", daemon=True).start()

    def _answer(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if (page := self._pages.get(path)) is not None:
            start_response(_OK, [("Content-Type", "application/json")])
            return [page]
        match path:
            case "/metrics":
                return self._metrics(environ, start_response)  # type: ignore[no-any-return]
            case "/health":
                fault = self._health.fault()
                status, text = (_OK, "ok") if fault is None else (_UNAVAILABLE, fault)
            case "/ready":
                is_ready, text = self._health.readiness()
                status = _OK if is_ready else _UNAVAILABLE
            case _:
                others = "".join(f"{path}, " for path in sorted(self._pages))
                status, text = "404 Not Found", f"there are {others}/health, /ready and /metrics"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{text}\n".encode()]
