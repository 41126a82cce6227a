"""What is replied to each request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

import orjson
from fastapi import HTTPException, Request, Response

from streamapp import __version__
from streamapp.errors import MessageError, StreamappError
from streamapp.gateway.bodies import native_id, v2_id
from streamapp.gateway.exchange import Exchange
from streamapp.gateway.limits import read_body
from streamapp.gateway.problems import of_error, of_rejection
from streamapp.gateway.v2 import ModelMetadata, describe
from streamapp.messages import Feedback, Header, Model
from streamapp.models import Bundle
from streamapp.runtime.client import Models
from streamapp.settings import Settings

__all__ = ["Backend", "Routes", "problem"]

_RETRY_AFTER_S = {429: "1", 503: "5"}

_TRACE = ("traceparent", "tracestate")
_TRACE_BYTES = 512


class Backend(Protocol):
    """What the routes need of a deployment."""

    @property
    def exchange(self) -> Exchange:
        """Asks it."""

    @property
    def models(self) -> Models:
        """Its versions, and the champion."""

    async def check(self) -> None:
        """Raise BrokerError if Kafka does not answer."""


class Routes:
    """One method for each kind of request.

    Parameters
    ----------
    backend
        The deployment, connected.
    settings
        Its name and bounds.
    """

    def __init__(self, backend: Backend, settings: Settings) -> None:
        self._backend = backend
        self._settings = settings
        self._described: ModelMetadata | None = None

    async def named(self, name: str) -> None:
        """Raise 404 unless the path names the deployment."""
        if name != self._settings.name:
            raise HTTPException(404, f"there is no model {name!r} here, but {self._settings.name}")

    async def versioned(self, name: str, version: str) -> None:
        """Raise 404 unless the path names the deployment and its champion."""
        await self.named(name)
        champion = self._champion().version
        if version != champion:
            raise HTTPException(
                404, f"version {version!r} does not serve: leave it out, or ask for the champion, {champion}"
            )

    async def server(self) -> Response:
        """Say what this is."""
        return _json({"name": "streamapp", "version": __version__, "extensions": []})

    async def live(self) -> Response:
        """Say that the process works."""
        return _json({"live": True})

    async def ready(self) -> Response:
        """Say whether requests would be put on Kafka, for a model."""
        self._champion()
        await self._backend.check()
        return _json({"ready": True})

    async def model(self) -> Response:
        """Say what the champion takes and gives."""
        champion = self._champion()
        if self._described is None or self._described.versions != [champion.version]:
            bundle = await asyncio.to_thread(Bundle.inspect, champion.bundle, sha256=champion.sha256)
            self._described = describe(self._settings.name, champion, bundle.signature)
        return _json(self._described.model_dump())

    async def infer(self, request: Request) -> Response:
        """Ask, in V2."""
        body = await self._body(request)
        return await self._ask(request, body, id=v2_id(body))

    async def predict(self, request: Request) -> Response:
        """Ask as on Kafka."""
        body = await self._body(request)
        return await self._ask(request, body, id=native_id(body))

    async def feedback(self, request: Request) -> Response:
        """Tell what was right."""
        body = await self._body(request)
        feedback = Feedback.decode(body)
        partition = feedback.request.partition if feedback.request else None
        position = await self._backend.exchange.tell(body, id=str(feedback.id), partition=partition)
        return _json(position._asdict(), status=202)

    def _champion(self) -> Model:
        champion = self._backend.models.serving
        if champion is None:
            name = self._settings.name
            raise MessageError("no-model", f"{name} has no champion yet: streamapp deploy {name} BUNDLE")
        return champion

    async def _body(self, request: Request) -> bytes:
        try:
            async with asyncio.timeout(self._settings.gateway_timeout_s):
                limit = self._settings.max_request_bytes
                return await read_body(request.receive, request.headers, limit=limit)
        except TimeoutError:
            raise MessageError("incomplete", "the body did not come in time") from None

    async def _ask(self, request: Request, body: bytes, *, id: str | None) -> Response:
        try:
            answer = await self._backend.exchange.ask(body, id=id, headers=_trace(request.headers))
        except StreamappError as exc:
            return problem(*of_error(exc, id=id))
        if answer.is_rejection:
            return problem(*of_rejection(answer))
        return Response(answer.value, media_type="application/json")


def problem(status: int, body: dict[str, Any]) -> Response:
    """Return a reply that is no success."""
    headers = {"retry-after": _RETRY_AFTER_S[status]} if status in _RETRY_AFTER_S else {}
    if status == 413:
        headers["connection"] = "close"  # the rest of the body has not been read
    return _json(body, status=status, headers=headers)


def _json(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def _trace(headers: Mapping[str, str]) -> list[Header]:
    """Return the trace context (W3C) among HTTP's headers, as headers of a record."""
    found = [(name, headers[name].encode("latin-1")) for name in _TRACE if name in headers]
    return [(name, value) for name, value in found if len(value) <= _TRACE_BYTES]
