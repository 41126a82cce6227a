"""The drift policy of a bundle as a table for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from rich.table import Table
from rich.text import Text

from streamapp.drift.explain_policy import SMALLEST, AspectPolicy, Choice, SubjectPolicy
from streamapp.errors import shown

__all__ = ["policy_tables"]

_ONE_TABLE = 120
_LONGEST = 4_000

_SHOWN = ("location", "length", "levels", "hour", "dependence", "correlation", "missing")
"""Aspects of which it is said what the smallest window can show."""

_Column = tuple[str, dict[str, Any], Callable[[SubjectPolicy], str]]
"""A heading, how rich lays it out, and what stands below."""


def policy_tables(policy: Sequence[SubjectPolicy], *, width: int) -> list[Table]:
    """Return a row per column, for correlations and per output.

    Parameters
    ----------
    policy
        Of a bundle.
    width
        Of the terminal: from 120 characters on it is one table, else two of the same rows.
    """
    if width >= _ONE_TABLE:
        return [_table(policy, [*_WHAT, *_HOW, *_NUMBERS, *_WHY])]
    return [_table(policy, [*_WHAT, *_NUMBERS, *_WHY]), _table(policy, [*_WHAT[:1], *_HOW])]


def _table(policy: Sequence[SubjectPolicy], columns: Sequence[_Column]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title, options, _ in columns:
        table.add_column(title, **options)
    for each in policy:
        table.add_row(*(Text(shown(cell(each), _LONGEST)) for _, _, cell in columns))
    return table


def _tested(subject: SubjectPolicy) -> str:
    judged = [aspect for aspect in subject.aspects if aspect.judged]
    if not judged:
        return "nothing"
    return "; ".join(
        f"{', '.join(map(_name, own))} {rows}" for rows, own in groupby(judged, key=lambda each: each.rows)
    )


def _name(aspect: AspectPolicy) -> str:
    return (
        aspect.aspect
        if aspect.components == 1
        else f"{aspect.judged:,} {_PLURAL.get(aspect.aspect, aspect.aspect)}"
    )


_PLURAL = {
    "correlation": "correlations",
    "hour": "hours",
    "weekday": "weekdays",
    "rare": "groups of rare values",
}


def _shown(subject: SubjectPolicy) -> str:
    parts = []
    for aspect in subject.aspects:
        if aspect.aspect not in _SHOWN:
            continue
        if aspect.least_effect is not None:
            parts.append(f"{aspect.aspect} {aspect.least_effect:.2g}")
        elif aspect.least_rows is not None:
            parts.append(f"{aspect.aspect} in {aspect.least_rows}")
    return ", ".join(parts)


def _limits(subject: SubjectPolicy) -> str:
    if subject.thresholds is None:
        return "-"
    low, high = (f"{limit:.1f}" for limit in subject.thresholds)
    return low if low == high else f"{low}-{high}"


def _choice(choice: Choice) -> str:
    value = str(choice.value).lower() if isinstance(choice.value, bool) else choice.value
    text = (
        ", ".join(value) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else value
    )
    return f"{choice.option}={text} by {choice.by}"


def _budget(subject: SubjectPolicy) -> str:
    return f"{100 * subject.share:.2g} %" if subject.share < 0.1 else f"{100 * subject.share:.1f} %"


def _why(subject: SubjectPolicy) -> str:
    return "; ".join([subject.why, *map(_choice, subject.choices)])


_RIGHT = {"justify": "right", "no_wrap": True}
_WHAT: list[_Column] = [
    ("drift of", {"overflow": "fold", "max_width": 22}, lambda each: each.name),
    ("kind", {"no_wrap": True}, lambda each: each.kind),
]
_HOW: list[_Column] = [
    ("tested, from ROWS on", {"ratio": 4}, _tested),
    (f"{SMALLEST} rows show", {"ratio": 2}, _shown),
]
_NUMBERS: list[_Column] = [
    ("floor", _RIGHT, lambda each: f"{each.floor:g}"),
    ("budget", _RIGHT, _budget),
    ("|z|", _RIGHT, _limits),
]
_WHY: list[_Column] = [("why", {"ratio": 5}, _why)]
