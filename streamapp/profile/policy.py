"""How drift of a column is judged where the defaults do not fit: what was chosen."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from streamapp.errors import ConfigError
from streamapp.profile.measures import ASPECTS

__all__ = [
    "ColumnPolicy",
    "DriftPolicy",
    "override",
    "read_policy",
    "write_policy",
]

MAX_FLOOR = 10.0
MAX_WEIGHT = 100.0


@dataclass(frozen=True, slots=True)
class ColumnPolicy:
    """What was chosen for a column, a pair of columns or an output; None where nothing was.

    Attributes
    ----------
    watch
        Whether its drift raises alerts, alone or in a pair (default: yes). It is summed up all the same, and
        stays a part of the random sums of very many columns.
    floor
        Effect size below which a change is no drift: sd of means, Cohen's h of shares, q of correlations
        (default .1). Above 0, at most 10.
    weight
        Its share of its group's false alarm budget, relative to the others of the group (default 1). Above 0,
        at most 100.
    aspects
        The only ones that are judged, named as in alerts (default: all that its kind has).

    Raises
    ------
    ConfigError
        If a value lies outside its bounds, or an aspect is none.
    """

    watch: bool | None = None
    floor: float | None = None
    weight: float | None = None
    aspects: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if self.watch is not None and not isinstance(self.watch, bool):
            raise ConfigError(f"watch is {self.watch!r}; it must be true or false")
        _check_number("floor", self.floor, MAX_FLOOR, "watch=false is for what is never to alarm")
        _check_number("weight", self.weight, MAX_WEIGHT, "weights are relative: give the others less")
        if self.aspects is not None:
            _check_aspects(self.aspects)

    @property
    def is_watched(self) -> bool:
        """Whether its drift raises alerts."""
        return self.watch is not False

    def judges(self, aspect: str) -> bool:
        """Return whether drift of `aspect` raises alerts."""
        return self.is_watched and (self.aspects is None or aspect in self.aspects)

    def over(self, other: ColumnPolicy) -> ColumnPolicy:
        """Return the choices of both; where both have one, this one's."""
        return ColumnPolicy(**(other.chosen | self.chosen))

    @property
    def chosen(self) -> dict[str, Any]:
        """The options that were chosen, to their values."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        return {option: value for option, value in own.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return what was chosen, JSON-able."""
        return {
            option: sorted(value) if isinstance(value, frozenset) else value
            for option, value in self.chosen.items()
        }

    @classmethod
    def from_dict(cls, options: Mapping[str, Any]) -> Self:
        """Return the choices of :meth:`to_dict`.

        Raises
        ------
        ConfigError
            If an option or a value is none.
        """
        names = [each.name for each in fields(cls)]
        if unknown := [option for option in options if option not in names]:
            raise ConfigError(f"there is no option {unknown[0]!r}; options are {', '.join(names)}")
        aspects = options.get("aspects")
        if isinstance(aspects, str) or not isinstance(aspects, Collection | None):
            raise ConfigError(f"aspects is {aspects!r}; it must be a list of names")
        return cls(**{**options, "aspects": None if aspects is None else frozenset(aspects)})


DriftPolicy = Mapping[str, ColumnPolicy]
"""Choices by the name of a column, of a pair as in alerts (``A~B``) or of an output (``prediction``)."""


def read_policy(given: Mapping[str, ColumnPolicy | Mapping[str, Any]] | None) -> dict[str, ColumnPolicy]:
    """Return choices that are given as a table of columns and their options.

    Raises
    ------
    ConfigError
        If an option or a value is none.

    Examples
    --------
    >>> read_policy({"temp": {"floor": 0.3}})["temp"].chosen
    {'floor': 0.3}
    """
    policy = {}
    for name, options in (given or {}).items():
        if not isinstance(options, ColumnPolicy | Mapping):
            raise ConfigError(f"drift of {name!r} is {options!r}; it must be options and their values")
        try:
            policy[name] = options if isinstance(options, ColumnPolicy) else ColumnPolicy.from_dict(options)
        except ConfigError as exc:
            raise ConfigError(f"drift of {name!r}: {exc}") from None
    return {name: own for name, own in policy.items() if own.chosen}


def write_policy(policy: DriftPolicy) -> dict[str, dict[str, Any]]:
    """Return what :func:`read_policy` reads, JSON-able."""
    return {name: own.to_dict() for name, own in policy.items()}


def override(policy: DriftPolicy, by: DriftPolicy) -> dict[str, ColumnPolicy]:
    """Return the choices of both, option by option; where both have one, that of `by`."""
    none = ColumnPolicy()
    return {name: by.get(name, none).over(policy.get(name, none)) for name in {**policy, **by}}


def _check_number(option: str, value: object, most: float, remedy: str) -> None:
    if value is None:
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not 0 < value <= most:  # type: ignore[operator,arg-type]
        raise ConfigError(f"{option} is {value!r}; it must be above 0 and at most {most:g}: {remedy}")


def _check_aspects(aspects: frozenset[str]) -> None:
    if not aspects:
        raise ConfigError("aspects is empty; name one, or watch=false for none")
    if unknown := sorted(map(str, aspects - frozenset(ASPECTS))):
        raise ConfigError(f"there is no aspect {unknown[0]!r}; aspects are {', '.join(ASPECTS)}")
