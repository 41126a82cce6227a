"""What is let in: by size, by time, by token, from where."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from streamapp.errors import ConfigError, MessageError
from streamapp.settings import Settings

__all__ = ["check_bind", "is_authorized", "read_body", "read_token"]

Receive = Callable[[], Awaitable[Any]]


async def read_body(receive: Receive, headers: Mapping[str, str], *, limit: int) -> bytes:
    """Return a request's body.

    Parameters
    ----------
    receive
        The next event of the request (ASGI).
    headers
        Its headers, names in lower case.
    limit
        Most bytes; what says that it is longer is not read, what turns out to be is not read to its end.

    Raises
    ------
    MessageError
        ``too-large``; ``incomplete`` if the client has gone.
    """
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(f"{int(declared):,} bytes are", limit)
    parts, size, goes_on = [], 0, True
    while goes_on:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise MessageError("incomplete", "the body ended before it was complete")
        parts.append(event.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large("the body is", limit)
        goes_on = event.get("more_body", False)
    return b"".join(parts)


def _too_large(what: str, limit: int) -> MessageError:
    return MessageError(
        "too-large", f"{what} more than {limit:,}: send fewer rows at once (STREAMAPP_MAX_REQUEST_BYTES)"
    )


def is_authorized(token: str | None, authorization: str) -> bool:
    """Return whether the header `authorization` brings `token`; None asks for none.

    Examples
    --------
    >>> is_authorized("s3cret", "Bearer s3cret"), is_authorized("s3cret", "Bearer guess")
    (True, False)
    """
    if token is None:
        return True
    scheme, _, given = authorization.partition(" ")
    # Compared in a time that does not tell how much of it is right.
    same = hmac.compare_digest(given.strip().encode(), token.encode())
    return same and scheme.lower() == "bearer"


def read_token(settings: Settings) -> str | None:
    """Return the token that requests have to bring, from the environment or a file; None if there is none.

    Raises
    ------
    ConfigError
        If it is empty, has spaces, or its file cannot be read.
    """
    if settings.gateway_token is not None:
        source, token = "STREAMAPP_GATEWAY_TOKEN", settings.gateway_token.get_secret_value()
    elif settings.gateway_token_file is not None:
        source = f"token file {settings.gateway_token_file}"
        try:
            token = settings.gateway_token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            reason = getattr(exc, "strerror", None) or "it is no text"
            raise ConfigError(f"{source} cannot be read: {reason}") from None
    else:
        return None
    if not token or not token.isascii() or any(char.isspace() for char in token):
        raise ConfigError(
            f"{source} must be one word of ASCII characters, for example of: openssl rand -hex 32"
        )
    return token


def check_bind(bind: str, token: str | None) -> None:
    """Refuse to listen for other machines without a token.

    Raises
    ------
    ConfigError
        Naming both remedies.
    """
    try:
        is_local = bind == "localhost" or ipaddress.ip_address(bind).is_loopback
    except ValueError:
        is_local = False
    if token is None and not is_local:
        raise ConfigError(
            f"--bind {bind} lets other machines in: set STREAMAPP_GATEWAY_TOKEN or --token-file FILE, "
            "or listen on 127.0.0.1"
        )
