"""From the values of a reference column to its kind and its bins."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from streamapp.profile.column import BINS, LEVEL_ROWS, MAX_LEVELS, TAIL, ColumnProfile, level_hash
from streamapp.profile.columns import level_text
from streamapp.profile.kinds import ColumnKind

__all__ = ["fit_column"]

MAX_SEEN = 10_000
ID_ROWS = 100
ID_SHARE = 0.9


def fit_column(name: str, values: np.ndarray, *, categorical: bool, ordered: bool) -> ColumnProfile:
    """Decide the kind of a column and cut its bins.

    Parameters
    ----------
    name
        Of the column.
    values
        (n,) float64 with NaN, or objects (str or None).
    categorical
        Take numbers as names.
    ordered
        Whether rows stand in the order in which they came; only then can a serial number be told.
    """
    if values.dtype == object or categorical:
        return _fit_names(name, values.tolist())
    return _fit_numbers(name, values, ordered=ordered)


def _fit_numbers(name: str, values: np.ndarray, *, ordered: bool) -> ColumnProfile:
    present = values[~np.isnan(values)]
    finite = present[np.isfinite(present)]
    levels, ties = np.unique(finite, return_counts=True)
    n, distinct = len(finite), len(levels)
    if (
        ordered
        and n >= ID_ROWS
        and distinct == n
        and (np.all(np.diff(finite) > 0) or np.all(np.diff(finite) < 0))
    ):
        kind, edges = ColumnKind.ID_LIKE, np.empty(0)
    elif distinct <= 1:
        kind, edges = ColumnKind.CONSTANT, levels
    elif distinct == 2 and levels[0] == 0 and levels[1] == 1:
        kind, edges = ColumnKind.BOOLEAN, levels
    elif distinct <= BINS:
        kind, edges = ColumnKind.DISCRETE, levels
    else:
        kind = ColumnKind.DISCRETE if ties.max() * BINS > n else ColumnKind.CONTINUOUS
        at = np.sort(np.concatenate([np.arange(BINS) / BINS, [TAIL, 1 - TAIL]]))
        edges = np.unique(np.sort(finite)[(at * n).astype(np.int64)])
    if len(edges):
        edges = np.append(edges, np.nextafter(levels[-1], np.inf))
    counts = np.bincount(np.searchsorted(edges, present, side="right"), minlength=len(edges) + 1)
    if kind in (ColumnKind.CONTINUOUS, ColumnKind.DISCRETE):
        for end, bin_, beyond in ((0, 1, 0), (-1, -2, -1)):
            if ties[end] == 1:
                counts[bin_] -= 1
                counts[beyond] += 1
    counts = np.append(counts, len(values) - len(present)).astype(np.int64)
    return ColumnProfile(name, kind, edges, (), np.empty(0, np.uint32), False, counts)


def _fit_names(name: str, values: list[Any]) -> ColumnProfile:
    names = [level_text(v) for v in values if v is not None and v == v]  # noqa: PLR0124  # NaN is missing
    tally = Counter(names)
    ranked = sorted(tally.items(), key=lambda item: (-item[1], item[0]))
    is_id = len(names) >= ID_ROWS and len(tally) >= ID_SHARE * len(names)
    own = [] if is_id else [item for item in ranked[:MAX_LEVELS] if item[1] >= LEVEL_ROWS]
    if len(tally) == 1:
        own = ranked
    rest = [] if is_id else ranked[len(own) :]
    others = len(names) - sum(count for _, count in own)
    singles = sum(count == 1 for _, count in rest)
    knows = not is_id and len(rest) <= MAX_SEEN
    if is_id:
        kind = ColumnKind.ID_LIKE
    elif len(tally) <= 1:
        kind = ColumnKind.CONSTANT
    elif len(tally) > MAX_LEVELS and 2 * others > len(names):
        kind = ColumnKind.HIGH_CARDINALITY
    else:
        kind = ColumnKind.CATEGORICAL
    unseen = singles if knows else 0
    seen = np.unique(np.array([level_hash(level) for level, _ in rest] if knows else [], dtype=np.uint32))
    counts = [count for _, count in own] + [others - unseen, unseen, len(values) - len(names)]
    return ColumnProfile(
        name,
        kind,
        np.empty(0),
        tuple(level for level, _ in own),
        seen,
        knows,
        np.array(counts, dtype=np.int64),
    )
