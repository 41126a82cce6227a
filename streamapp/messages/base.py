"""What all wire messages share: JSON in UTF-8, times as RFC 3339, errors that name the field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError, WithJsonSchema

from streamapp.errors import MessageError

__all__ = ["Message", "Time", "format_time", "parse_time"]


def parse_time(value: object) -> int:
    """Return milliseconds since the epoch of an RFC 3339 time with offset, or of such a number itself.

    Raises
    ------
    ValueError
        If it is neither; a time without an offset from UTC is ambiguous and refused.

    Examples
    --------
    >>> parse_time("2011-05-02T08:00:00.004Z")
    1304323200004
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no time; write RFC 3339, e.g. 2011-05-02T08:00:00Z")  # noqa: TRY004
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is no RFC 3339 time, e.g. 2011-05-02T08:00:00Z") from None
    if time.tzinfo is None:
        raise ValueError(f"{value!r} has no offset from UTC; append Z or +00:00")
    return round((time - _EPOCH).total_seconds() * 1000)


def format_time(time_ms: int) -> str:
    """Return `time_ms`, milliseconds since the epoch, as RFC 3339 in UTC.

    Examples
    --------
    >>> format_time(1304323200000), format_time(1304323200004)
    ('2011-05-02T08:00:00Z', '2011-05-02T08:00:00.004Z')
    """
    seconds, ms = divmod(time_ms, 1000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{ms:03d}Z" if ms else f"{text}Z"


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Time = Annotated[
    int,
    BeforeValidator(parse_time),
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""Milliseconds since the epoch in Python, RFC 3339 on the wire."""


class Message(BaseModel):
    """A wire message: frozen, tolerant of fields it does not know, strict about those it does."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, protected_namespaces=())

    ce_type: ClassVar[str] = ""
    """CloudEvents type; empty for what users write and for table state."""

    def encode(self) -> bytes:
        """Return the message as UTF-8 JSON."""
        return orjson.dumps(self.model_dump(mode="json", by_alias=True), option=orjson.OPT_SERIALIZE_NUMPY)

    @classmethod
    def decode(cls, value: bytes | None) -> Self:
        """Return the message in `value`.

        Raises
        ------
        MessageError
            Code ``not-json``, ``not-an-object`` or ``wrong-type``, with the field at fault.
        """
        return cls.parse(load_object(value))

    @classmethod
    def parse(cls, fields: dict[str, Any]) -> Self:
        """Return the message made of `fields`; errors as in :meth:`decode`."""
        try:
            return cls.model_validate(fields)
        except ValidationError as exc:
            first = exc.errors(include_url=False, include_context=False)[0]
            where = ".".join(map(str, first["loc"])) or cls.__name__.lower()
            raise MessageError("wrong-type", f"{where}: {first['msg']}", feature=where) from exc


def load_object(value: bytes | None) -> dict[str, Any]:
    """Return the JSON object in `value`, or raise MessageError ``not-json`` or ``not-an-object``."""
    if value is None:
        raise MessageError("not-json", "the record has no value; send a JSON object")
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError as exc:
        raise MessageError("not-json", f"not UTF-8 JSON: {exc}") from exc
    if not isinstance(fields, dict):
        raise MessageError("not-an-object", f"a JSON {type(fields).__name__} where an object must stand")
    return fields
