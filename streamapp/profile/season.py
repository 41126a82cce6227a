"""The daily cycle of the reference: which columns have one, and their counts by part of the day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self, TypeGuard

import numpy as np

from streamapp.profile.column import ColumnProfile

__all__ = ["DAY_MS", "Season", "is_cyclic"]

DAY_MS = 86_400_000
_STEP_MS = 900_000
_NAMED = 8


@dataclass(frozen=True, eq=False)
class Season:
    """Counts of the reference rows by part of the day, UTC.

    Notes
    -----
    What is expected at a moment lies on the line between the means of the two nearest parts: on stairs, rows
    early in an hour would differ from the hour's mean. Parts with too few rows are passed
    over.

    Cycles longer than a day, holidays, and the hour by which daylight saving moves a day are no part of it.
    Times are event times: requests that are sent again later need those of then.

    References
    ----------
    .. [1] O. Cobb, A. Van Looveren, "Context-aware drift detection", ICML 2022.
    """

    parts: int
    """Equal parts of the day; 0 if the reference is compared as a whole."""
    columns: tuple[str, ...]
    """Those with a cycle."""
    bins: tuple[int, ...]
    """How many bins each of them has."""
    counts: np.ndarray = field(repr=False)
    """(parts, sum of bins) int64, in units of 1 / `unit` rows."""
    why_not: str
    """Why there is no cycle, for people; empty if there is one."""
    unit: int = 1
    origin: str = ""
    """The version whose reference rows told the cycle; empty if it was those of the profile."""
    level_rows: int = 0
    """Reference rows to whose level a cycle of other rows was moved; 0 if it is their own."""

    @classmethod
    def none(cls, why_not: str) -> Self:
        """Return the season of a reference that is compared as a whole."""
        return cls(0, (), (), np.zeros((0, 0), np.int64), why_not)

    @property
    def why(self) -> str:
        """Say for people what the reference is compared by."""
        if not self.parts:
            return f"the reference is compared as a whole, since {self.why_not}"
        step = 24 // self.parts
        what = "the hour of the day" if step == 1 else f"{step}-hour parts of the day"
        shown = ", ".join(self.columns[:_NAMED])
        more = f" and {len(self.columns) - _NAMED} more" if len(self.columns) > _NAMED else ""
        whose = ""
        if self.level_rows:
            rows = f"the {self.level_rows:,} rows here, which are too few days to tell one"
            whose = f"; the cycle is that of version {self.origin or 'before'}, at the level of {rows}"
        return f"the reference is compared by {what}, UTC: {shown}{more}{whose}"

    def places(self, times_ms: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the parts before and after each of some times (n,), and the weight of the latter."""
        known, centres = self._known, self._centres
        of_day = np.mod(times_ms, DAY_MS)
        after = centres.searchsorted(of_day)
        before, after = after - 1, after % len(centres)  # before the first is the last
        gap = np.mod(centres[after] - centres[before], DAY_MS)
        weight = np.mod(of_day - centres[before], DAY_MS) / np.where(gap > 0, gap, DAY_MS)
        return known[before], known[after], weight

    def moments(self, from_ms: int, to_ms: int) -> tuple[np.ndarray, np.ndarray]:
        """Return moments (p,) that stand for a pane with these event times, as they mix the parts.

        Returns
        -------
        mix
            (p, parts): the weights of the parts at each moment, which sum to 1.
        weight
            (p,): the share of the pane's rows at each moment, which sum to 1. Rows of a long pane are taken
            to be spread as those of the reference; of a day or more, as those of a whole day.
        """
        points = _spread(from_ms, to_ms)
        before, after, weight = self.places(points)
        mix, at = np.zeros((len(points), self.parts)), np.arange(len(points))
        mix[at, before] = 1 - weight
        mix[at, after] += weight
        rate = mix @ self.rows
        return mix, rate / rate.sum()

    def mix(self, times_ms: np.ndarray) -> np.ndarray:
        """Return the mean weight of each part over some times (n,), (parts,)."""
        before, after, weight = self.places(times_ms)
        mix = np.bincount(before, 1 - weight, minlength=self.parts)
        return np.asarray(mix + np.bincount(after, weight, minlength=self.parts)) / max(len(times_ms), 1)

    def shares(self, from_ms: int, to_ms: int) -> np.ndarray:
        """Return the share of a pane's time in each part of the day, (parts,)."""
        of = np.mod(_spread(from_ms, to_ms), DAY_MS) * self.parts // DAY_MS
        return np.bincount(of.astype(np.intp), minlength=self.parts) / len(of)

    def joined(self, other: Season) -> Self:
        """Return the season with the columns of `other`, which has the same parts, behind its own."""
        unit = max(self.unit, other.unit)
        counts = [each.counts * (unit // each.unit) for each in (self, other)]
        return replace(
            self,
            columns=self.columns + other.columns,
            bins=self.bins + other.bins,
            counts=np.concatenate(counts, axis=1),
            unit=unit,
        )

    def renamed(self, name: str) -> Self:
        """Return the season with another name of the first column."""
        return replace(self, columns=(name, *self.columns[1:]))

    def located(self, columns: Sequence[ColumnProfile]) -> list[tuple[int, np.ndarray]]:
        """Return the places of the seasonal columns among `columns`, increasing, and their counts (parts, b).

        Columns that are not there are left out. Of two with the same name, an input and an output, the last
        one that has reference rows is meant.
        """
        names = [column.name if column.counts.any() else None for column in columns]
        found: list[tuple[int, np.ndarray]] = []
        own = np.split(self.counts, np.cumsum(self.bins)[:-1], axis=1)
        for name, counts in zip(reversed(self.columns), reversed(own), strict=True):
            end = found[-1][0] if found else len(names)
            place = next((i for i in range(end - 1, -1, -1) if names[i] == name), None)
            if place is not None:
                found.append((place, counts))
        return found[::-1]

    def by_column(self) -> dict[str, np.ndarray]:
        """Return the counts (parts, b) of each column."""
        own = np.split(self.counts, np.cumsum(self.bins)[:-1], axis=1)
        return dict(zip(self.columns, own, strict=True))

    @cached_property
    def rows(self) -> np.ndarray:
        """(parts,) reference rows, in the unit of the counts."""
        # Each row is counted once in the first column.
        return np.asarray(self.counts[:, : self.bins[0]].sum(axis=1))

    @cached_property
    def _known(self) -> np.ndarray:
        return np.flatnonzero(self.rows)

    @cached_property
    def _centres(self) -> np.ndarray:
        return (self._known + 0.5) * (DAY_MS / self.parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        fields = {
            "parts": self.parts,
            "columns": list(self.columns),
            "bins": list(self.bins),
            "counts": self.counts.tolist(),
            "why_not": self.why_not,
        }
        if self.unit != 1:
            fields["unit"] = self.unit
        if self.level_rows:
            fields |= {"origin": self.origin, "level_rows": self.level_rows}
        return fields

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Return what :meth:`to_dict` returned."""
        if not fields["parts"]:
            return cls.none(fields["why_not"])
        counts = np.array(fields["counts"], dtype=np.int64)
        columns, bins = tuple(fields["columns"]), tuple(fields["bins"])
        whose = {name: fields[name] for name in ("unit", "origin", "level_rows") if name in fields}
        return cls(fields["parts"], columns, bins, counts, fields["why_not"], **whose)


def is_cyclic(season: Season | None) -> TypeGuard[Season]:
    """Whether there is a daily cycle."""
    return season is not None and season.parts > 0


def _spread(from_ms: int, to_ms: int) -> np.ndarray:
    """Return moments that stand for a span of time: of a day or more, for a whole day."""
    length = min(max(to_ms - from_ms, 0), DAY_MS)
    points = 1 + length // _STEP_MS
    return np.asarray(from_ms + (np.arange(points) + 0.5) / points * length)
