"""Drifts of known size, put into rows: what a self-test looks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import ndtr, ndtri

from streamapp.profile import ColumnKind, ColumnProfile, Columns, Profile

__all__ = ["Injection", "injections", "shifted"]

Outputs = np.ndarray | None
Change = Callable[[Columns, Outputs, np.random.Generator], tuple[Columns, Outputs]]
"""Returns rows (n,) with their outputs, changed; what it is given stays as it is."""

SHIFTS = (0.25, 0.5, 1.0)
SCALE = 1.5
LEAVING, UNSEEN, MISSING = 0.10, 0.05, 0.05
PAIRS = 3
"""Of the most correlated pairs so many are broken."""
_RELATED = 0.2
_OUTPUTS = 0.5
_NUMBER, _LEVEL = 2.0**40 + 1, "a value never seen before"
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
    Numbers move up by .25, .5 and 1 sd and spread by 1.5 in normal scores (:func:`shifted`); 10 % of all rows
    leave the most frequent level; 5 % get a value never seen; 5 % more are missing; of each of the three most
    correlated pairs (|r| of .2 or more) one column is drawn from other rows; outputs move by half a sd.
    """
    found: list[Injection] = []
    for column in profile.columns:
        if column.name in names:
            found += _of_column(column, columns[column.name], column.name not in closed)
            if column.name not in never_missing:
                lose = partial(_changed, name=column.name, change=_lose)
                found.append(Injection(column.name, f"{_percent(MISSING)} more missing", column.name, lose))
    found += _of_pairs(profile, columns, names)
    if outputs is not None and profile.outputs is not None and len(_present(outputs)):
        found.append(_of_outputs(outputs))
    return found


def shifted(
    values: np.ndarray, pool: np.ndarray, rng: np.random.Generator, *, by: float = 0.0, scale: float = 1.0
) -> np.ndarray:
    """Move numbers in units of normal scores: of rank u to that of rank Φ(scale Φ⁻¹(u) + by).

    The support stays, and whatever the distribution, the same `by` is as hard to see.

    Parameters
    ----------
    values
        (n,) float64; NaN stays.
    pool
        (m,) what they were drawn from, sorted, without NaN; m ≥ 1.
    rng
        Gives equal values different ranks.
    by, scale
        In standard deviations of the normal scores.

    Examples
    --------
    >>> pool = np.arange(1000.0)
    >>> shifted(np.array([100.0, 500.0, np.nan]), pool, np.random.default_rng(0), by=1.0)
    array([390., 841.,  nan])
    """
    low, high = np.searchsorted(pool, values, "left"), np.searchsorted(pool, values, "right")
    ranks = (low + rng.random(len(values)) * (high - low)) / len(pool)
    scores = ndtri(np.clip(ranks, _LEAST, 1 - _LEAST))
    place = (ndtr(scale * scores + by) * len(pool)).astype(np.intp)
    return np.where(np.isnan(values), np.nan, pool[np.minimum(place, len(pool) - 1)])


def _of_column(column: ColumnProfile, values: np.ndarray, is_open: bool) -> list[Injection]:
    """Return the drifts of values that are there."""
    present = _present(values)
    if not len(present) or column.kind is ColumnKind.ID_LIKE:
        return []
    changes: list[tuple[str, Callable[..., np.ndarray]]] = []
    if column.kind.is_numeric:
        pool = np.sort(present)
        changes += [(f"up by {by:g} sd", partial(shifted, pool=pool, by=by)) for by in SHIFTS]
        if column.kind is not ColumnKind.BOOLEAN:
            changes.append((f"spread times {SCALE:g}", partial(shifted, pool=pool, scale=SCALE)))
    elif column.kind is not ColumnKind.CONSTANT and (leave := _leaving(values, present)) is not None:
        changes.append((f"{_percent(LEAVING)} leave the top level", leave))
    if is_open and not column.kind.is_numeric:
        changes.append((f"{_percent(UNSEEN)} unseen values", _surprise))
    return [
        Injection(column.name, drift, column.name, partial(_changed, name=column.name, change=change))
        for drift, change in changes
    ]


def _of_pairs(profile: Profile, columns: Columns, names: Collection[str]) -> list[Injection]:
    pairs, own = profile.pairs, [column.name for column in profile.columns]
    strength = np.abs(pairs.correlation)
    found: list[Injection] = []
    for k in np.argsort(-strength, kind="stable").tolist():
        first, second = own[pairs.first[k]], own[pairs.second[k]]
        if len(found) == PAIRS or strength[k] < _RELATED:
            break
        if first in names and second in names:
            change = partial(_changed, name=first, change=partial(_replaced, pool=columns[first]))
            drift = f"correlation of {pairs.correlation[k]:.2f} lost"
            found.append(Injection(f"{first}~{second}", drift, first, change))
    return found


def _of_outputs(outputs: np.ndarray) -> Injection:
    if outputs.ndim == 2:
        odds = np.log(np.maximum(outputs, _LEAST)) - np.log(np.maximum(1 - outputs, _LEAST))
        which = int(odds.std(axis=0).argmax())
        by = _OUTPUTS * (float(odds[:, which].std()) or 1.0)
        offset = partial(_offset, which=which, by=by)
        return Injection(
            "outputs", f"log-odds up by {_OUTPUTS:g} sd", None, partial(_answered, change=offset)
        )
    present = _present(outputs)
    if outputs.dtype == object:
        leave = _leaving(outputs, present)
        change: Callable[..., np.ndarray]
        change = _surprise if leave is None else leave
        drift = (
            f"{_percent(UNSEEN)} of a new class"
            if leave is None
            else f"{_percent(LEAVING)} leave the top class"
        )
        return Injection("outputs", drift, None, partial(_answered, change=change))
    move = partial(shifted, pool=np.sort(present), by=_OUTPUTS)
    return Injection("outputs", f"up by {_OUTPUTS:g} sd", None, partial(_answered, change=move))


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


def _lose(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    lost = values.copy()
    lost[rng.random(len(values)) < MISSING] = None if values.dtype == object else np.nan
    return lost


def _surprise(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    surprised = values.copy()
    surprised[rng.random(len(values)) < UNSEEN] = _LEVEL if values.dtype == object else _NUMBER
    return surprised


def _leaving(values: np.ndarray, present: np.ndarray) -> Callable[..., np.ndarray] | None:
    """Return what makes a tenth of all rows leave the top level; None if there are too few, or no other."""
    top, count = Counter(present.tolist()).most_common(1)[0]
    others = present[present != top]
    chance = LEAVING * len(values) / count
    return None if chance > 1 or not len(others) else partial(_leave, top=top, others=others, chance=chance)


def _leave(
    values: np.ndarray, rng: np.random.Generator, *, top: object, others: np.ndarray, chance: float
) -> np.ndarray:
    left = values.copy()
    leaves = (values == top) & (rng.random(len(values)) < chance)
    left[leaves] = others[rng.integers(len(others), size=int(leaves.sum()))]
    return left


def _replaced(values: np.ndarray, rng: np.random.Generator, *, pool: np.ndarray) -> np.ndarray:
    return pool[rng.integers(len(pool), size=len(values))]


def _offset(probabilities: np.ndarray, *, which: int, by: float, **_random: object) -> np.ndarray:
    moved = np.maximum(probabilities, _LEAST)
    moved[:, which] *= np.exp(by)
    return np.asarray(moved / moved.sum(axis=1, keepdims=True))


def _present(values: np.ndarray) -> np.ndarray:
    if values.ndim == 2:  # probabilities, which are all there
        return values
    if values.dtype == object:
        is_there = np.array([value is not None for value in values.tolist()], dtype=bool)
    else:
        is_there = ~np.isnan(values)
    return np.asarray(values[is_there])


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
