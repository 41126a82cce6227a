"""Why there is no answer, as HTTP has it: a status for each stable code."""

from __future__ import annotations

from typing import Any

import orjson

from streamapp.errors import AnswerTimeoutError, MessageError, StreamappError
from streamapp.gateway.exchange import Answer

__all__ = ["STATUS", "of_error", "of_rejection"]

STATUS: dict[str, int] = {
    "not-json": 400,
    "not-an-object": 400,
    "missing-feature": 400,
    "wrong-type": 400,
    "out-of-range": 400,
    "unknown-category": 400,
    "bad-shape": 400,
    "incomplete": 408,
    "unauthorized": 401,
    "too-large": 413,
    "busy": 429,
    "model-failed": 500,
    "no-model": 503,
    "broker": 503,
    "store": 503,
    "timeout": 504,
}
"""Code to status: those of rejections, and the gateway's own. Others are the server's fault, 500."""


def of_error(exc: StreamappError, *, id: str | None = None) -> tuple[int, dict[str, Any]]:
    """Return status and body for an error.

    Examples
    --------
    >>> of_error(MessageError("wrong-type", "temp: 'warm' is no number", feature="temp"), id="r-17")[0]
    400
    """
    feature = exc.feature if isinstance(exc, MessageError) else None
    position = exc.position if isinstance(exc, AnswerTimeoutError) else None
    return STATUS.get(exc.code, 500), _body(str(exc), exc.code, id=id, feature=feature, position=position)


def of_rejection(answer: Answer) -> tuple[int, dict[str, Any]]:
    """Return status and body for a rejection.

    Examples
    --------
    >>> error = {"code": "no-model", "message": "none yet"}
    >>> said = {"id": "r-17", "error": error, "request": {"partition": 0, "offset": 7}}
    >>> status, body = of_rejection(Answer(orjson.dumps(said), is_rejection=True))
    >>> status, body["error"], body["parameters"]
    (503, 'none yet', {'partition': 0, 'offset': 7})
    """
    said = orjson.loads(answer.value)
    error, request = said["error"], said["request"]
    code = error["code"]
    body = _body(
        error["message"],
        code,
        id=said["id"],
        feature=error.get("feature"),
        row=error.get("row"),
        position=(request["partition"], request["offset"]),
    )
    return STATUS.get(code, 500), body


def _body(
    error: str, code: str, *, position: tuple[int, int] | None = None, **more: str | int | None
) -> dict[str, Any]:
    body: dict[str, Any] = {"error": error, "code": code}
    body |= {name: value for name, value in more.items() if value is not None}
    if position is not None:
        body["parameters"] = {"partition": position[0], "offset": position[1]}
    return body
