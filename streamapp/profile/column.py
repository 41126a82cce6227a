"""One column of the reference: its kind, its bins, and how many reference rows lie in each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self
from zlib import crc32

import numpy as np

from streamapp.profile.kinds import ColumnKind
from streamapp.profile.times import TimeProfile

__all__ = ["BINS", "GROUPS", "LEVEL_ROWS", "MAX_LEVELS", "TAIL", "ColumnProfile", "level_hash"]

BINS = 32
"""Quantile bins of a numeric column."""
TAIL = 0.005
"""Share of reference rows in each tail bin."""
MAX_LEVELS = 50
LEVEL_ROWS = 20
"""A level has its own bin from this many reference rows on: rarer ones cannot be judged alone."""
GROUPS = 32
"""Groups of the levels of a high-cardinality column that have no bin of their own."""

_NUMBER_BINS = 2
"""Of id-like numbers: those there, and those missing."""
_APART = (ColumnKind.TEXT, ColumnKind.DATETIME, ColumnKind.MIXTURE)
"""Kinds whose bins are neither levels nor intervals of a column of numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class ColumnProfile:
    """A column's bins, frozen on the reference.

    Bins of numbers, with edges e: below e[0] (the smallest reference value), [e[0], e[1]), …, from e[-1]
    (just above the largest) on, missing. Bins of names: each of `levels`, other, unseen, missing; of
    high-cardinality ones other and unseen are 32 groups each, by the hash of the level. Bins of texts, with
    edges of their length: below e[0], …, from e[-1] on, each with all classes of characters
    (``text.CHARACTERS``); missing. Bins of times: the 168 hours of a week, unreadable, missing.

    `counts` places each reference row as if it were new to the others: the only smallest value counts as
    below range, a level that occurs once as unseen (the leave-one-out estimate of Good and Turing), because
    that is how often fresh rows of the same stream go there.
    """

    name: str
    kind: ColumnKind
    edges: np.ndarray = field(repr=False)
    """(b,) float64, increasing: of numbers, or of the length of texts; empty for names."""
    levels: tuple[str, ...]
    seen: np.ndarray = field(repr=False)
    """(s,) uint32, increasing: hashes of the reference's levels that have no bin of their own."""
    knows_unseen: bool
    """Whether a level outside `levels` and `seen` is really new (there may have been too many to note)."""
    counts: np.ndarray = field(repr=False)
    """(bins,) int64, reference rows per bin."""
    times: TimeProfile | None = None
    """Of a column of times."""
    chosen: ColumnKind | None = None
    """The kind that was asked for, if it was not decided by the values."""
    is_personal: bool = False
    """Whether its values are personal: answers lack them, and alerts do not name its levels."""

    @property
    def is_names(self) -> bool:
        """Whether the bins are names (levels)."""
        return self.kind not in _APART and len(self.edges) == 0 and self.groups > 0

    @property
    def groups(self) -> int:
        """Of names, how many groups the rare ones are in, and the unseen ones as well."""
        return (len(self.counts) - len(self.levels) - 1) // 2

    @property
    def is_numbers(self) -> bool:
        """Whether the bins are intervals of numbers."""
        return not self.is_names and self.kind not in _APART

    @property
    def rows(self) -> int:
        """Reference rows that have a value."""
        return int(self.counts[:-1].sum())

    @property
    def why(self) -> str:
        """Say for people what is watched here, and why."""
        if self.chosen is None:
            return self._watched
        reason = "" if self.chosen is self.kind else f" as {self.chosen}, but the reference has no value"
        return f"{self._watched} (chosen{reason})"

    @property
    def _watched(self) -> str:
        if self.kind is ColumnKind.ID_LIKE:
            return f"{self._told_by}only missing values are watched"
        if self.kind is ColumnKind.CONSTANT:
            return "one value in the reference: other values and missing ones are watched"
        if self.times is not None:
            return self.times.why
        if self.kind is ColumnKind.TEXT:
            return "how long they are, which characters they are made of, missing"
        if not self.is_names:
            tails = ", tails, range" if self.kind is ColumnKind.CONTINUOUS else ", range"
            shape = "share of ones" if self.kind is ColumnKind.BOOLEAN else "location, scale, shape"
            return f"{len(self.edges) - 1} bins: {shape}{tails}, missing, correlations"
        rest = "share of other and of unseen values" if self.knows_unseen else "share of other values"
        if self.groups > 1:
            rest += f", {self.groups} groups of these by hash"
        return f"{len(self.levels)} levels with {LEVEL_ROWS} reference rows or more, {rest}, missing"

    @property
    def _told_by(self) -> str:
        """Say for people what makes a column id-like."""
        if self.chosen is not None:
            return ""
        if len(self.counts) > _NUMBER_BINS:
            return "a new value in nearly every row: "
        return "numbers that advance with the rows or hardly ever come twice, as serials and times: "

    def with_counts(self, counts: np.ndarray) -> ColumnProfile:
        """Return the same bins with other reference counts."""
        return replace(self, counts=counts.astype(np.int64))

    def to_dict(self) -> dict[str, Any]:
        """Return the column as JSON-able fields."""
        fields: dict[str, Any] = {
            "name": self.name,
            "kind": str(self.kind),
            "edges": self.edges.tolist(),
            "levels": list(self.levels),
            "seen": self.seen.tolist(),
            "knows_unseen": self.knows_unseen,
            "counts": self.counts.tolist(),
        }
        if self.times is not None:
            fields["times"] = self.times.to_dict()
        if self.chosen is not None:
            fields["chosen"] = str(self.chosen)
        if self.is_personal:
            fields["personal"] = True
        return fields

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
            times=TimeProfile.from_dict(fields["times"]) if "times" in fields else None,
            chosen=ColumnKind(fields["chosen"]) if "chosen" in fields else None,
            is_personal=fields.get("personal", False),
        )


def level_hash(level: str) -> int:
    """Return a 32-bit hash of a level: rare values may be personal, so profiles keep no text of them."""
    return crc32(level.encode("utf-8", "surrogatepass"))
