"""Losses of champion and challenger by segment: whether the challenger is far worse in one of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from streamapp.models.losses import Floats
from streamapp.models.segments import OTHER, Segments

__all__ = ["SegmentLosses", "WorseSegment"]


@dataclass(frozen=True, slots=True)
class WorseSegment:
    """A segment in which the challenger is worse by more than it may be.

    Attributes
    ----------
    column, level
        Whose rows.
    rows
        How many of them.
    difference, error
        Mean of challenger's loss - champion's loss, and its standard error.
    """

    column: str
    level: str
    rows: int
    difference: float
    error: float


class SegmentLosses:
    """Sums the differences of paired losses by segment.

    Parameters
    ----------
    segments
        Of the champion's bundle.

    Examples
    --------
    >>> from streamapp.models.segments import SegmentColumn
    >>> losses = SegmentLosses(Segments((SegmentColumn("hour", "integer", ("8", "17")),)))
    >>> losses.add([{"hour": 8}] * 200 + [{"hour": 17}] * 200, np.repeat([0.2, -0.1], 200))
    >>> losses.worst(margin=0.05, alpha=0.05, least_rows=100)
    WorseSegment(column='hour', level='8', rows=200, difference=0.2, error=0.0)
    """

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._names = [
            (column.name, level)
            for column in segments.columns
            for level in dict.fromkeys((*column.levels, OTHER))
        ]
        self._index = {name: i for i, name in enumerate(self._names)}
        self._sums = np.zeros((len(self._names), 3))  # rows, differences, their squares

    def add(self, features: list[dict[str, Any]], differences: Floats) -> None:
        """Take n rows and challenger's loss - champion's loss on each, (n,)."""
        if not self._names:
            return
        ones = np.ones(len(differences))
        each = np.stack((ones, differences, differences**2), axis=1)
        for column, levels in self._segments.of(features).items():
            at = np.array([self._index[column, level] for level in levels.tolist()], dtype=np.intp)
            np.add.at(self._sums, at, each)  # row by row, so that batches change nothing

    def worst(self, *, margin: float, alpha: float, least_rows: int) -> WorseSegment | None:
        """Return the segment that is worse by more than `margin` most clearly, if one is.

        A one-sided test of each segment's mean, by its standard error, at `alpha` shared among all segments
        of `least_rows` rows or more. It is looked at once, when the gate has decided: unlike the gate it does
        not bear looking again and again.
        """
        found: list[tuple[float, WorseSegment]] = []
        counted = [i for i in range(len(self._names)) if self._sums[i, 0] >= least_rows]
        for i in counted:
            rows, total, squares = self._sums[i].tolist()
            mean = total / rows
            error = math.sqrt(max(squares / rows - mean**2, 0.0) / (rows - 1))
            error = 0.0 if error < 1e-9 else error  # what rounding leaves of equal differences
            excess = mean - margin
            if excess > NormalDist().inv_cdf(1 - alpha / len(counted)) * error:
                ratio = excess / error if error else math.inf
                found.append((ratio, WorseSegment(*self._names[i], int(rows), round(mean, 6), error)))
        return max(found, key=lambda entry: entry[0])[1] if found else None

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {"names": self._names, "sums": self._sums.tolist()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Become what :meth:`snapshot` was taken from; of other segments nothing is known."""
        if [tuple(name) for name in snapshot["names"]] == self._names and self._names:
            self._sums = np.array(snapshot["sums"])
