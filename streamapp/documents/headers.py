"""JSON Schemas of Kafka headers: CloudEvents 1.0 in binary mode, and why a record is a dead letter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streamapp.messages import OMITTED_BYTES, SHA256
from streamapp.messages.schemas import Schema

__all__ = ["dead_letter_headers", "event_headers_schema", "user_headers"]

_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "format": "date-time"}

_TRACE: dict[str, Schema] = {
    "traceparent": _TEXT | {"description": "W3C trace context; that of a request is carried to its answer."},
    "tracestate": _TEXT,
}


def event_headers_schema(ce_type: str, *, deployment: str | None, is_answer: bool = False) -> Schema:
    """Return the schema of the headers of what streamapp writes.

    Parameters
    ----------
    ce_type
        CloudEvents type.
    deployment
        Its name; None for any.
    is_answer
        Whether it carries the trace context of a request.
    """
    source = _TEXT | (
        {"pattern": "^/streamapp/.+$"} if deployment is None else {"const": f"/streamapp/{deployment}"}
    )
    required: dict[str, Schema] = {
        "ce_specversion": _TEXT | {"const": "1.0"},
        "ce_id": _TEXT | {"description": "The same for a repeat, which a reader leaves out."},
        "ce_source": source,
        "ce_type": _TEXT | {"const": ce_type},
        "ce_time": _TIME | {"description": "Event time."},
        "content-type": _TEXT | {"const": "application/json"},
    }
    return _object(required | (_TRACE if is_answer else {}), required)


def user_headers(*, is_request: bool) -> Schema:
    """Return the schema of the headers that are read of what users write; none is needed.

    Parameters
    ----------
    is_request
        Whether it is answered: an id and a trace context go into the answer.
    """
    time = {"ce_time": _TIME | {"description": "Event time; absent: the record's timestamp."}}
    if not is_request:
        return _object(time, ())
    return _object({"ce_id": _TEXT | {"description": "The id, if the value has none."}} | time | _TRACE, ())


def dead_letter_headers() -> Schema:
    """Return the schema of the headers that a dead letter has beside the original ones."""
    why = {
        "error-code": _TEXT | {"description": "Stable."},
        "error-message": _TEXT | {"description": "What was wrong, and what would be right."},
        "source-topic": _TEXT,
        "source-partition": _TEXT | {"pattern": "^[0-9]+$"},
        "source-offset": _TEXT | {"pattern": "^[0-9]+$"},
        "source-timestamp": _TIME,
    }
    required = {f"streamapp-{name}": schema for name, schema in why.items()}
    omitted = {
        OMITTED_BYTES: _TEXT
        | {"pattern": "^[0-9]+$", "description": "Length of a value that did not fit, or may be personal."},
        SHA256: _TEXT | {"pattern": "^[0-9a-f]{64}$", "description": "Hash of one that did not fit."},
    }
    return _object(required | omitted, required)


def _object(properties: Mapping[str, Schema], required: Iterable[str]) -> Schema:
    schema: Schema = {"type": "object", "properties": dict(properties)}
    return schema | ({"required": list(required)} if required else {})
