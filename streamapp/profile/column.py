"""One column of the reference: its kind, its bins, and how many reference rows lie in each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Self
from zlib import crc32

import numpy as np

from streamapp.profile.columns import level_text
from streamapp.profile.kinds import ColumnKind

__all__ = ["BINS", "TAIL", "ColumnProfile", "fit_column", "level_hash"]

BINS = 32
"""Quantile bins of a numeric column."""
TAIL = 0.005
"""Share of reference rows in each tail bin."""
MAX_LEVELS = 50
LEVEL_ROWS = 20
"""A level has its own bin from this many reference rows on: rarer ones cannot be judged alone."""
MAX_SEEN = 10_000
ID_ROWS = 100
ID_SHARE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class ColumnProfile:
    """A column's bins, frozen on the reference.

    Bins of numbers, with edges e: below e[0] (the smallest reference value), [e[0], e[1]), …, from e[-1]
    (just above the largest) on, missing. Bins of names: each of `levels`, other, unseen, missing.

    `counts` places each reference row as if it were new to the others: the only smallest value counts as
    below range, a level that occurs once as unseen (the leave-one-out estimate of Good and Turing), because
    that is how often fresh rows of the same stream go there.
    """

    name: str
    kind: ColumnKind
    edges: np.ndarray
    """(b,) float64, increasing; empty for names."""
    levels: tuple[str, ...]
    seen: np.ndarray
    """(s,) uint32, increasing: hashes of the reference's levels that have no bin of their own."""
    knows_unseen: bool
    """Whether a level outside `levels` and `seen` is really new (there may have been too many to note)."""
    counts: np.ndarray
    """(bins,) int64, reference rows per bin."""

    @property
    def is_names(self) -> bool:
        """Whether the bins are names (levels) and not intervals of numbers."""
        return len(self.edges) == 0 and len(self.counts) == len(self.levels) + 3

    @property
    def rows(self) -> int:
        """Reference rows that have a value."""
        return int(self.counts[:-1].sum())

    @property
    def why(self) -> str:
        """Say for people what is watched here, and why."""
        if self.kind is ColumnKind.ID_LIKE:
            return "a new value in nearly every row: only missing values are watched"
        if self.kind is ColumnKind.CONSTANT:
            return "one value in the reference: other values and missing ones are watched"
        if not self.is_names:
            tails = ", tails, range" if self.kind is ColumnKind.CONTINUOUS else ", range"
            shape = "share of ones" if self.kind is ColumnKind.BOOLEAN else "location, scale, shape"
            return f"{len(self.edges) - 1} bins: {shape}{tails}, missing, correlations"
        rest = "share of other and of unseen values" if self.knows_unseen else "share of other values"
        return f"{len(self.levels)} levels with {LEVEL_ROWS} reference rows or more, {rest}, missing"

    def with_counts(self, counts: np.ndarray) -> ColumnProfile:
        """Return the same bins with other reference counts."""
        return ColumnProfile(
            self.name,
            self.kind,
            self.edges,
            self.levels,
            self.seen,
            self.knows_unseen,
            counts.astype(np.int64),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the column as JSON-able fields."""
        return {
            "name": self.name,
            "kind": str(self.kind),
            "edges": self.edges.tolist(),
            "levels": list(self.levels),
            "seen": self.seen.tolist(),
            "knows_unseen": self.knows_unseen,
            "counts": self.counts.tolist(),
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Return the column of :meth:`to_dict`."""
        return cls(
            name=fields["name"],
            kind=ColumnKind(fields["kind"]),
            edges=np.array(fields["edges"], dtype=np.float64),
            levels=tuple(fields["levels"]),
            seen=np.array(fields["seen"], dtype=np.uint32),
            knows_unseen=fields["knows_unseen"],
            counts=np.array(fields["counts"], dtype=np.int64),
        )


def level_hash(level: str) -> int:
    """Return a 32-bit hash of a level: rare values may be personal, so profiles keep no text of them."""
    return crc32(level.encode("utf-8", "surrogatepass"))


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
