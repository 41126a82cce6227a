"""Numbers to bins without a search: equal cells, most of which lie within one bin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["Grid"]

_CELLS = 1024
_UNSURE = -(1 << 40)


class Grid:
    """A grid over several columns' edges.

    Parameters
    ----------
    edges
        Of each column, ascending.
    starts
        Number of each column's first bin.

    Notes
    -----
    The cell of a value, ``(x - low) * scale``, never falls when the value grows, whatever is rounded. So
    edges in lower cells lie below it and edges in higher cells above it, and at most the edge in its own cell
    has to be compared. Cells with several edges are left unsure; so is the first, where missing values are.

    Examples
    --------
    >>> grid = Grid([np.array([0.0, 1.0, 10.0])], [7])
    >>> codes, unsure = grid.codes(np.array([[0.5, 1.0, 3.0, np.nan, -1.0]]))
    >>> codes[0, :3], unsure
    (array([8, 9, 9]), array([3, 4]))
    """

    def __init__(self, edges: Sequence[np.ndarray], starts: Sequence[int]) -> None:
        count, width = len(edges), _CELLS + 2
        self._low, self._scale = np.zeros((count, 1)), np.zeros((count, 1))
        below = np.empty((count, width), dtype=np.intp)
        inside = np.full((count, width), np.inf)
        for row, (own, start) in enumerate(zip(edges, starts, strict=True)):
            if len(own):
                with np.errstate(over="ignore", divide="ignore"):
                    scale = np.float64(_CELLS) / (own[-1] - own[0])
                self._low[row], self._scale[row] = own[0], scale if np.isfinite(scale) else 0.0
            cells = self._cells(own[None, :], row=slice(row, row + 1))[0]
            held = np.bincount(cells, minlength=width)
            below[row] = start + np.cumsum(held) - held
            inside[row, cells] = own
            below[row, held > 1] = _UNSURE
            below[row, 0] = _UNSURE
        self._below, self._inside = below.ravel(), inside.ravel()
        self._rows = (np.arange(count) * width)[:, None]

    def codes(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the bin of each value of `matrix` (c, n), and the flat indices of those not found."""
        cells = self._cells(matrix)
        cells += self._rows
        codes = self._below.take(cells)
        codes += matrix >= self._inside.take(cells)
        return codes, np.flatnonzero(codes.ravel() < 0)

    def _cells(self, matrix: np.ndarray, row: slice = slice(None)) -> np.ndarray:
        with np.errstate(invalid="ignore", over="ignore"):
            places = matrix - self._low[row]
            places *= self._scale[row]
        places += 1.0
        np.fmax(places, 0.0, out=places)  # what is missing, or below, is in the first cell
        np.fmin(places, _CELLS + 1.0, out=places)
        return places.astype(np.intp)
