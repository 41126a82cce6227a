"""How much more rounds vary than independent rows would, seen on the live rows themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import chdtri

from streamapp.drift.packing import pack, unpack
from streamapp.profile.inflation import surely_above

__all__ = ["Neighbours"]

_GRID = 256
"""Ratios are rounded to this grid, so that their sums are whole numbers."""
_ARRAYS = ("sum", "count", "largest", "inflation", "freedom")
_LARGEST = 1e6
_MEMORY = 512
"""Differences after which the older half of what is known is forgotten."""
_FEW = 8
_EVERY = 8
"""Differences between two estimates."""
_EFFICIENCY = 2 / 3
"""Differences of neighbours share a round: so many degrees of freedom are in each."""


class Neighbours:
    """Variance inflation of each component, from differences of neighbouring rounds.

    A reference in no order says nothing of how rows depend on each other. A shift of the level is in one
    difference only, and the largest one does not count: drift hardly moves the estimate.

    Parameters
    ----------
    variance, kurtosis
        (k,) of one row.
    is_share
        (k,) whether it is a share, whose variance follows from the live rows themselves.

    Notes
    -----
    Of dependence that is longer than a round not much is seen, and nothing before eight differences.

    References
    ----------
    .. [1] J. von Neumann, "Distribution of the ratio of the mean square successive difference to the
       variance", Annals of Mathematical Statistics 12, 1941.
    """

    def __init__(self, variance: np.ndarray, kurtosis: np.ndarray, is_share: np.ndarray) -> None:
        self._variance, self._kurtosis, self._is_share = variance, kurtosis, is_share
        self._last: tuple[np.ndarray, np.ndarray, np.ndarray | float] | None = None
        self._sum, self._count, self._largest = np.zeros((3, len(variance)), np.int64)
        self._inflation, self._freedom = np.full(len(variance), _GRID), np.zeros(len(variance), np.int64)
        """In units of the grid; 0 is infinite freedom."""
        self._rows, self._differences = 1.0, 0

    def add(self, mean: np.ndarray, rows: np.ndarray, expected: np.ndarray | float = 0.0) -> None:
        """Take the next round: (k,) means, the rows that they are means of, and the means of the reference.

        Where the latter follow the hour of the day, a round may differ from the one before by as much.
        """
        last, self._last = self._last, (mean, rows, expected)
        if last is None:
            return
        each = 1 / np.maximum(rows, 1) + 1 / np.maximum(last[1], 1)
        pooled = (mean * rows + last[0] * last[1]) / np.maximum(rows + last[1], 1)
        variance = np.where(self._is_share, pooled * (1 - pooled), self._variance)
        known = (rows > 0) & (last[1] > 0) & (variance > 0)
        moved = mean - last[0] - (expected - last[2])
        ratio = moved**2 / np.where(known, variance * each, 1.0)
        whole = np.where(known, np.rint(np.minimum(ratio, _LARGEST) * _GRID), 0).astype(np.int64)
        self._sum += whole
        self._count += known
        np.maximum(self._largest, whole, out=self._largest)
        self._rows = float(rows.max())
        self._differences += 1
        if self._differences >= _MEMORY:
            self._sum, self._count = self._sum // 2, self._count // 2
            self._largest, self._differences = self._largest // 2, self._differences // 2
        if self._differences % _EVERY == 0:
            self._estimate()

    def part(self) -> None:
        """Note that the next round is no neighbour of the last one."""
        self._last = None

    def factor(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the inflation of each component, 1 unless it is larger beyond doubt, and its freedom."""
        return self._inflation / _GRID, np.where(self._freedom > 0, self._freedom / _GRID, np.inf)

    def _estimate(self) -> None:
        count = np.maximum(self._count, _FEW)
        # The largest of n squares of normal deviates is about the quantile at 1 - .56 / n.
        usual = (count - chdtri(1, 0.56 / count)) / (count - 1)
        ratio = (self._sum - self._largest) / _GRID / (count - 1) / usual
        low, freedom = surely_above(ratio, _EFFICIENCY * (count - 1), self._kurtosis, self._rows)
        surely = (self._count >= _FEW) & (low > 1)
        self._inflation = np.where(surely, np.rint(ratio * _GRID), _GRID).astype(np.int64)
        self._freedom = np.where(surely, np.rint(freedom * _GRID), 0).astype(np.int64)

    def to_dict(self) -> dict[str, Any]:
        """Return the state but for the last round, JSON-able."""
        packed = {name: pack(getattr(self, f"_{name}")) for name in _ARRAYS}
        return {**packed, "differences": self._differences, "rows": self._rows}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over the state of :meth:`to_dict`; the last round stays the one that was added last."""
        for name in _ARRAYS:
            setattr(self, f"_{name}", unpack(state[name]))
        self._differences, self._rows = state["differences"], state["rows"]
