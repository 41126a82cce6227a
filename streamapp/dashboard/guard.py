"""Who may see the page: this machine's browser, or one that has shown the token."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi.requests import HTTPConnection
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from streamapp.runtime.access import is_authorized, is_local

__all__ = ["HEALTH", "Guard"]

HEALTH = "/health"
"""Anybody may see it: it says whether Kafka was reached, and nothing of what is there."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_COOKIE = "streamapp-dashboard"
_DAYS = 30 * 86_400
_HEADERS = (
    # The page is complete in itself: whatever somebody gets into it, nothing is asked for elsewhere.
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        b"style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'self'",
    ),
    (b"referrer-policy", b"no-referrer"),  # the address may hold the token
    (b"x-content-type-options", b"nosniff"),
)


class Guard:
    """Lets through what may see the page, and says in its replies that nothing else is needed for it.

    Parameters
    ----------
    app
        What answers (ASGI).
    token
        To be shown once as ``?token=TOKEN``; a cookie remembers it. None: only requests that name this
        machine are let in, so that no page of another site can lead a browser here under its own name.
    """

    def __init__(self, app: App, token: str | None) -> None:
        self._app = app
        self._token = token
        self._pass = "" if token is None else hashlib.sha256(b"dashboard " + token.encode()).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        reply = None if scope["path"] == HEALTH else self._check(HTTPConnection(scope))
        if reply is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "http":
            await reply(scope, receive, _with_headers(send))
        else:
            await receive()  # what asks to connect
            await send({"type": "websocket.close", "code": 1008})

    def _check(self, request: HTTPConnection) -> Response | None:
        """Return what is to be replied instead, if something is."""
        if self._token is None:
            if is_local(request.url.hostname or ""):
                return None
            return PlainTextResponse("this page is for this machine: open it as http://127.0.0.1\n", 403)
        if hmac.compare_digest(request.cookies.get(_COOKIE, "").encode(), self._pass.encode()):
            return None
        if is_authorized(self._token, request.headers.get("authorization", "")):
            return None
        if not hmac.compare_digest(request.query_params.get("token", "").encode(), self._token.encode()):
            return PlainTextResponse("this page wants its token: open it with ?token=TOKEN\n", 401)
        reply = RedirectResponse(request.url.path, status_code=303)  # away from the address and the history
        reply.set_cookie(
            _COOKIE,
            self._pass,
            max_age=_DAYS,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return reply


def _with_headers(send: Send) -> Send:
    async def sending(event: MutableMapping[str, Any]) -> None:
        if event["type"] == "http.response.start":
            event["headers"] = [*event.get("headers", ()), *_HEADERS]
        await send(event)

    return sending
