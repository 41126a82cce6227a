"""What all wire messages share: JSON in UTF-8, times as RFC 3339, errors that name the field."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Self

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError, WithJsonSchema

from streamapp.errors import MessageError

__all__ = [
    "FIRST_MS",
    "LAST_MS",
    "Message",
    "Time",
    "format_time",
    "load_object",
    "parse_time",
    "parse_written_time",
]

FIRST_MS = -62_135_596_800_000
"""0001-01-01T00:00:00Z: the first time that RFC 3339 can write."""

LAST_MS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z: the last one."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_ENDS = ("Z", *(f".{ms:03d}Z" for ms in range(1, 1000)))
"""How a time ends, by its milliseconds within the second."""

_ENDED_BY = {end: ms for ms, end in enumerate(_ENDS)}


def parse_time(value: object) -> int:
    """Return milliseconds since the epoch of an RFC 3339 time with offset, or of such a number itself.

    Raises
    ------
    ValueError
        If it is neither, or lies outside the years 1 to 9999; a time without an offset from UTC is ambiguous
        and refused.

    Examples
    --------
    >>> parse_time("2011-05-02T08:00:00.004Z")
    1304323200004
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return _bounded(value, value)
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no time; write RFC 3339, e.g. 2011-05-02T08:00:00Z")  # noqa: TRY004
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is no RFC 3339 time, e.g. 2011-05-02T08:00:00Z") from None
    if time.tzinfo is None:
        raise ValueError(f"{value!r} has no offset from UTC; append Z or +00:00")
    return _bounded(round((time - _EPOCH).total_seconds() * 1000), value)


@lru_cache(maxsize=1024)  # records of one batch share a few seconds
def _second_ms(text: str) -> int:
    return parse_time(text + "Z")


def parse_written_time(value: str) -> int:
    """Return what :func:`parse_time` does, faster if the time is written as :func:`format_time` writes it.

    Examples
    --------
    >>> parse_written_time("2011-05-02T08:00:00.004Z"), parse_written_time("2011-05-02T10:00:00+02:00")
    (1304323200004, 1304323200000)
    """
    ms = _ENDED_BY.get(value[19:])
    return parse_time(value) if ms is None else _second_ms(value[:19]) + ms


def _bounded(time_ms: int, value: object) -> int:
    if not FIRST_MS <= time_ms <= LAST_MS:
        raise ValueError(f"{value!r} lies outside the years 1 to 9999; write milliseconds or RFC 3339")
    return time_ms


def format_time(time_ms: int) -> str:
    """Return `time_ms`, milliseconds since the epoch, as RFC 3339 in UTC.

    Examples
    --------
    >>> format_time(1304323200000), format_time(1304323200004)
    ('2011-05-02T08:00:00Z', '2011-05-02T08:00:00.004Z')
    """
    seconds, ms = divmod(time_ms, 1000)
    return _second_text(seconds) + _ENDS[ms]


@lru_cache(maxsize=1024)  # records of one batch share a few seconds
def _second_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


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
            where, what = _explain(exc, fields)
            raise MessageError("wrong-type", f"{where}: {what}", feature=where) from exc


def _explain(exc: ValidationError, fields: dict[str, Any]) -> tuple[str, str]:
    """Return the field that is wrong, and what is wrong with it."""
    errors = exc.errors(include_url=False, include_context=False)
    where = errors[0]["loc"]
    if errors[0]["type"] == "missing":
        return ".".join(map(str, where)), "is missing"
    value: Any = fields
    depth = 0
    for part in where:  # of a union, the location goes on with the member that was tried
        inside = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        if part not in inside:
            break
        value = value[part]
        depth += 1
    name = ".".join(map(str, where[:depth]))
    if errors[0]["type"] == "value_error":
        return name, errors[0]["msg"].removeprefix("Value error, ")
    same = [error["loc"] for error in errors if error["loc"][:depth] == where[:depth]]
    # A list of several types is named with all of them; that it is a list is enough.
    tried = [str(location[depth]).partition("[")[0] for location in same if len(location) > depth]
    wanted = f"one of {', '.join(tried)} is wanted" if tried else errors[0]["msg"]
    shown = repr(value)
    return name, f"{shown if len(shown) <= 80 else shown[:79] + '…'} does not fit: {wanted}"


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
