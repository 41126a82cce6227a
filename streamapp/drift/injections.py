"""Drifts of known size, put into rows: what a self-test looks for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

import numpy as np

from streamapp.drift.changes import (
    LEAVING,
    MISSING,
    UNSEEN,
    at_another_day,
    at_another_hour,
    garbled,
    leaving,
    longer,
    lost,
    offset,
    present,
    replaced,
    shifted,
    surprised,
    unreadable,
)
from streamapp.profile import ColumnKind, ColumnProfile, Columns, Profile
from streamapp.profile.shares import WEEKDAYS
from streamapp.profile.times import HOURS, SLOTS, TimeCoder

__all__ = ["Injection", "injections"]

Outputs = np.ndarray | None
_Named = tuple[str, Callable[..., np.ndarray]]
"""A change of values, and what it is for people."""
Change = Callable[[Columns, Outputs, np.random.Generator], tuple[Columns, Outputs]]
"""Returns rows (n,) with their outputs, changed; what it is given stays as it is."""

SHIFTS = (0.25, 0.5, 1.0)
SCALE = 1.5
PAIRS = 3
"""Of the most correlated pairs so many are broken."""
_RELATED = 0.2
_OUTPUTS = 0.5
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Injection:
    """One drift.

    Attributes
    ----------
    subject
        The column, ``A~B`` for a pair, or ``outputs``.
    drift
        What becomes of it, for people.
    column
        The column that is changed; None for outputs.
    change
        Makes drifted rows of others.
    """

    subject: str
    drift: str
    column: str | None
    change: Change


def injections(
    profile: Profile,
    columns: Columns,
    outputs: Outputs = None,
    *,
    names: Collection[str],
    never_missing: Collection[str] = (),
    closed: Collection[str] = (),
) -> list[Injection]:
    """Return the drifts that each column can have, then broken correlations and an offset of the outputs.

    Parameters
    ----------
    profile
        Decides by the kind of a column what can become of it; its correlations are those of `columns`.
    columns
        All rows, (n,) each: moved values are drawn from them, so that a column keeps its support.
    outputs
        What the model said, (n,) or (n, k); None: its outputs are left alone.
    names
        Columns to drift.
    never_missing
        Columns in which nothing is missing that the model accepts.
    closed
        Columns without unseen values.

    Notes
    -----
    Numbers move up by .25, .5 and 1 sd and spread by 1.5 in normal scores (:func:`~.changes.shifted`). Of
    names 10 % of all rows leave the most frequent level, and 5 % get a value never seen. Texts grow longer by
    .25, .5 and 1 sd, and 5 % are wrongly encoded. 10 % of times move to the rarest hour, and to the rarest
    day, if these are watched; 5 % of those that are strings cannot be read. 5 % more are missing; of each of
    the three most correlated pairs (|r| of .2 or more) one column is drawn from other rows; outputs move by
    half a sd.
    """
    found: list[Injection] = []
    for column in profile.columns:
        if column.name in names:
            found += _of_column(column, columns[column.name], column.name not in closed)
            if column.name not in never_missing:
                lose = partial(_changed, name=column.name, change=lost)
                found.append(Injection(column.name, f"{_percent(MISSING)} more missing", column.name, lose))
    found += _of_pairs(profile, columns, names)
    if outputs is not None and profile.outputs is not None and len(present(outputs)):
        found.append(_of_outputs(outputs))
    return found


def _of_column(column: ColumnProfile, values: np.ndarray, is_open: bool) -> list[Injection]:
    """Return the drifts of values that are there."""
    there = present(values)
    if not len(there) or column.kind is ColumnKind.ID_LIKE:
        return []
    if column.kind.is_numeric:
        changes = _of_numbers(column, there)
    elif column.kind is ColumnKind.TEXT:
        changes = _of_texts(there)
    elif column.kind is ColumnKind.DATETIME:
        changes = _of_times(column, there, is_open)
    else:
        changes = _of_names(column, values, there, is_open)
    return [
        Injection(column.name, drift, column.name, partial(_changed, name=column.name, change=change))
        for drift, change in changes
    ]


def _of_numbers(column: ColumnProfile, there: np.ndarray) -> list[_Named]:
    pool = np.sort(there)
    changes: list[_Named] = [(f"up by {by:g} sd", partial(shifted, pool=pool, by=by)) for by in SHIFTS]
    if column.kind is not ColumnKind.BOOLEAN:
        changes.append((f"spread times {SCALE:g}", partial(shifted, pool=pool, scale=SCALE)))
    return changes


def _of_texts(there: np.ndarray) -> list[_Named]:
    pool: list[str] = sorted(there.tolist(), key=len)
    varies = len(pool[0]) < len(pool[-1])
    changes: list[_Named] = [
        (f"longer by {by:g} sd", partial(longer, pool=pool, by=by)) for by in SHIFTS if varies
    ]
    return [*changes, (f"{_percent(UNSEEN)} wrongly encoded", garbled)]


def _of_times(column: ColumnProfile, there: np.ndarray, is_open: bool) -> list[_Named]:
    """Return what is watched of times: to the rarest hour, to the rarest day, to what is no time."""
    slots = np.array(TimeCoder(column.name, 0).codes(there))
    week = np.bincount(slots, minlength=SLOTS)[:SLOTS].reshape(-1, HOURS)
    watched = () if column.times is None else column.times.watched
    changes: list[_Named] = []
    if "hour" in watched:
        hour = int(week.sum(axis=0).argmin())
        changes.append((f"{_percent(LEAVING)} at {hour} h", partial(at_another_hour, hour=hour)))
    if "weekday" in watched:
        day = int(week.sum(axis=1).argmin())
        changes.append((f"{_percent(LEAVING)} on {WEEKDAYS[day]}", partial(at_another_day, weekday=day)))
    if is_open and there.dtype == object:
        changes.append((f"{_percent(UNSEEN)} unreadable", unreadable))
    return changes


def _of_names(column: ColumnProfile, values: np.ndarray, there: np.ndarray, is_open: bool) -> list[_Named]:
    changes: list[_Named] = []
    if column.kind is not ColumnKind.CONSTANT and (leave := leaving(values, there)) is not None:
        changes.append((f"{_percent(LEAVING)} leave the top level", leave))
    if is_open:
        changes.append((f"{_percent(UNSEEN)} unseen values", surprised))
    return changes


def _of_pairs(profile: Profile, columns: Columns, names: Collection[str]) -> list[Injection]:
    pairs, own = profile.pairs, [column.name for column in profile.columns]
    strength = np.abs(pairs.correlation)
    found: list[Injection] = []
    for k in np.argsort(-strength, kind="stable").tolist():
        first, second = own[pairs.first[k]], own[pairs.second[k]]
        if len(found) == PAIRS or strength[k] < _RELATED:
            break
        if first in names and second in names:
            change = partial(_changed, name=first, change=partial(replaced, pool=columns[first]))
            drift = f"correlation of {pairs.correlation[k]:.2f} lost"
            found.append(Injection(f"{first}~{second}", drift, first, change))
    return found


def _of_outputs(outputs: np.ndarray) -> Injection:
    if outputs.ndim == 2:
        odds = np.log(np.maximum(outputs, _LEAST)) - np.log(np.maximum(1 - outputs, _LEAST))
        which = int(odds.std(axis=0).argmax())
        by = _OUTPUTS * (float(odds[:, which].std()) or 1.0)
        move = partial(offset, which=which, by=by)
        return Injection("outputs", f"log-odds up by {_OUTPUTS:g} sd", None, partial(_answered, change=move))
    there = present(outputs)
    if outputs.dtype == object:
        leave = leaving(outputs, there)
        change: Callable[..., np.ndarray]
        change = surprised if leave is None else leave
        drift = (
            f"{_percent(UNSEEN)} of a new class"
            if leave is None
            else f"{_percent(LEAVING)} leave the top class"
        )
        return Injection("outputs", drift, None, partial(_answered, change=change))
    up = partial(shifted, pool=np.sort(there), by=_OUTPUTS)
    return Injection("outputs", f"up by {_OUTPUTS:g} sd", None, partial(_answered, change=up))


def _changed(
    columns: Columns,
    outputs: Outputs,
    rng: np.random.Generator,
    *,
    name: str,
    change: Callable[..., np.ndarray],
) -> tuple[Columns, Outputs]:
    return columns | {name: change(columns[name], rng=rng)}, outputs


def _answered(
    columns: Columns, outputs: Outputs, rng: np.random.Generator, *, change: Callable[..., np.ndarray]
) -> tuple[Columns, Outputs]:
    return columns, None if outputs is None else change(outputs, rng=rng)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
