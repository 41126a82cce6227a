"""Choices of how drift is judged, as people write them in options and settings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Any

from streamapp.errors import ConfigError
from streamapp.profile.policy import ColumnPolicy, read_policy

__all__ = ["parse_choices", "parse_policy"]

_CHOICE = re.compile(r"(.+):([^:=]+)=([^=]*)", re.DOTALL)
_FORM = "COLUMN:OPTION=VALUE, e.g. temp:floor=0.3, serial:watch=false or price:aspects=location,scale"


def parse_choices(texts: Iterable[str]) -> dict[str, ColumnPolicy]:
    """Return choices that are given as texts ``COLUMN:OPTION=VALUE``; of one option the last text counts.

    Raises
    ------
    ConfigError
        If a text has another form, or an option or a value is none.

    Examples
    --------
    >>> parse_choices(["temp:floor=0.3", "probability:busy:watch=false"])["probability:busy"].chosen
    {'watch': False}
    """
    given: dict[str, dict[str, Any]] = {}
    for text in texts:
        match = _CHOICE.fullmatch(text)
        if match is None:
            raise ConfigError(f"{text!r} is not {_FORM}")
        column, option, value = match.groups()
        given.setdefault(column, {})[option] = _value_of(text, option, value)
    return read_policy(given)


def parse_policy(text: str) -> dict[str, ColumnPolicy]:
    """Return the choices of a setting: texts as of :func:`parse_choices`, separated by spaces.

    One with a space in it stands in quotes, as in a shell.

    Examples
    --------
    >>> sorted(parse_policy("temp:floor=0.3 'wind speed:aspects=low tail,missing'"))
    ['temp', 'wind speed']
    """
    try:
        texts = shlex.split(text)
    except ValueError as exc:
        raise ConfigError(f"drift is {text!r}: {str(exc).lower()}; close the quotes") from None
    return parse_choices(texts)


def _value_of(text: str, option: str, value: str) -> Any:
    if option == "watch":
        return {"true": True, "false": False}.get(value.lower(), value)
    if option == "aspects":
        return [each.strip() for each in value.split(",")]
    if option not in ("floor", "weight"):
        return value
    try:
        return float(value)
    except ValueError:
        raise ConfigError(f"{text!r}: {value!r} is no number") from None
