"""What is let in by size."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from streamapp.errors import MessageError

__all__ = ["read_body"]

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
