"""What every request passes: it is counted and timed, and shows its token."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from streamapp.runtime.access import is_authorized

__all__ = ["OPEN", "GatewayMetrics", "Metered", "TokenRequired"]

OPEN = frozenset({"/v2/health/live", "/v2/health/ready", "/docs", "/openapi.json"})
"""Paths that ask for no token: probes, and what describes the others."""

_LATENCY_S = (.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60)  # fmt: skip

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class GatewayMetrics:
    """What is counted and measured of HTTP.

    Parameters
    ----------
    in_flight
        How many requests wait for Kafka now.
    """

    def __init__(self, in_flight: Callable[[], int]) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.requests = Counter(
            "streamapp_gateway_requests_total",
            "Requests by HTTP.",
            ["route", "status"],
            registry=registry,
        )
        self.latency = Histogram(
            "streamapp_gateway_latency_seconds",
            "From a request's head to the end of its reply.",
            ["route"],
            buckets=_LATENCY_S,
            registry=registry,
        )
        waiting = Gauge("streamapp_gateway_in_flight", "Requests that wait for Kafka.", registry=registry)
        waiting.set_function(lambda: float(in_flight()))
        self.timeouts = Counter(
            "streamapp_gateway_timeouts_total", "Requests without an answer in time.", registry=registry
        )


class Metered:
    """Counts and times each request, by the route that it took.

    Parameters
    ----------
    app
        What answers (ASGI).
    metrics
        Where it is counted.
    """

    def __init__(self, app: App, metrics: GatewayMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        began = time.perf_counter()

        async def noting(event: MutableMapping[str, Any]) -> None:
            nonlocal status
            if event["type"] == "http.response.start":
                status = event["status"]
            await send(event)

        try:
            await self._app(scope, receive, noting)
        finally:
            # The router has left its match in the scope. Paths and methods are without bound: no labels.
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(route, status).inc()
            self._metrics.latency.labels(route).observe(time.perf_counter() - began)
            if status == 504:
                self._metrics.timeouts.inc()


class TokenRequired:
    """Answers 401 unless a request brings the token, or its path is open to all.

    Parameters
    ----------
    app
        What answers (ASGI).
    token
        The token; None lets everything through.
    """

    def __init__(self, app: App, token: str | None) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] not in OPEN:
            given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
            if not is_authorized(self._token, given.decode("latin-1")):
                await _refuse(send)
                return
        await self._app(scope, receive, send)


async def _refuse(send: Send) -> None:
    text = "this gateway wants its token: send Authorization: Bearer TOKEN"
    body = orjson.dumps({"error": text, "code": "unauthorized"})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"www-authenticate", b"Bearer"),
    ]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": body})
