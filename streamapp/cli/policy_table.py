"""The drift policy of a bundle as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.table import Table
from rich.text import Text

from streamapp.drift.explain_policy import SMALLEST, AspectPolicy, Choice, SubjectPolicy
from streamapp.errors import shown

__all__ = ["policy_table"]

_SHOWN = ("location", "length", "levels", "hour", "dependence", "correlation", "missing")
"""Aspects of which it is said what the smallest window can show."""


def policy_table(policy: Sequence[SubjectPolicy]) -> Table:
    """Return a row per column, for correlations and per output; readable from 100 characters on."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("drift of", overflow="fold", max_width=22)
    table.add_column("kind", overflow="fold", max_width=12)
    table.add_column("tested, from ROWS on", ratio=4)
    table.add_column(f"{SMALLEST} rows show", ratio=2)
    table.add_column("floor", justify="right", no_wrap=True)
    table.add_column("budget", justify="right", no_wrap=True)
    table.add_column("|z|", justify="right", no_wrap=True)
    table.add_column("why", ratio=5)
    for each in policy:
        table.add_row(
            Text(shown(each.name)),
            Text(each.kind),
            Text(_tested(each)),
            Text(_shown(each)),
            f"{each.floor:g}",
            f"{100 * each.share:.2g} %" if each.share < 0.1 else f"{100 * each.share:.1f} %",
            _limits(each),
            Text(shown("; ".join([each.why, *map(_choice, each.choices)]))),
        )
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
