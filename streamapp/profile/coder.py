"""Rows to bins, the hot path: a look-up in a grid per number, one in a dictionary per name."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamapp.errors import ProfileError
from streamapp.profile.column import ColumnProfile, level_hash
from streamapp.profile.columns import Columns, level_text, row_count
from streamapp.profile.grid import Grid
from streamapp.profile.kinds import ColumnKind
from streamapp.profile.mixtures import MixtureSums
from streamapp.profile.text import TextCoder
from streamapp.profile.times import TimeCoder

__all__ = ["Coder"]

_CHUNK = 64
"""Numeric columns searched together: their table of bins stays in the processor's cache."""
_UNKNOWN = -1


class Coder:
    """Finds the bin of each value. Bins of all columns are numbered through, in the order of the columns.

    Parameters
    ----------
    columns
        With their bins.

    Notes
    -----
    A grid of equal cells tells the bins of nearly all numbers. For the others the edges of up to 64 columns
    are merged into one sorted array, and a table gives, for each place in it and each column, the column's
    own bin: one binary search, whatever the number of columns.
    """

    def __init__(self, columns: tuple[ColumnProfile, ...]) -> None:
        self.columns = columns
        bins = np.array([len(column.counts) for column in columns], dtype=np.int64)
        self.starts = np.concatenate([[0], np.cumsum(bins)[:-1]]).astype(np.int64)
        self.bins = int(bins.sum())
        numbers = [i for i, column in enumerate(columns) if column.is_numbers]
        self.number_at = {columns[i].name: row for row, i in enumerate(numbers)}
        self.number_names = [columns[i].name for i in numbers]
        self._chunks = [
            _Chunk([(columns[i], int(self.starts[i])) for i in numbers[at : at + _CHUNK]])
            for at in range(0, len(numbers), _CHUNK)
        ]
        self._names = [
            _coder(column, int(start))
            for column, start in zip(columns, self.starts, strict=True)
            if not column.is_numbers and column.kind is not ColumnKind.MIXTURE
        ]
        self._mixtures = [
            (column, int(start))
            for column, start in zip(columns, self.starts, strict=True)
            if column.kind is ColumnKind.MIXTURE
        ]
        if self._mixtures:
            self._sums, self._sum_bins = MixtureSums(columns, self.number_names), _Chunk(self._mixtures)

    def codes(self, columns: Columns) -> tuple[np.ndarray, list[int], int]:
        """Return the bins of all numbers and mixtures (c, n), of all other columns in one list, and n.

        Raises
        ------
        ProfileError
            If a column is absent, or a column of numbers holds text.
        """
        try:
            if self.number_names:
                flat = np.concatenate([columns[name] for name in self.number_names])
                if flat.dtype != np.float64:
                    flat = flat.astype(np.float64)
                rows = len(flat) // len(self.number_names)
                matrix = flat.reshape(len(self.number_names), rows)
            else:
                rows = row_count(columns)
                matrix = np.empty((0, rows))
            names: list[int] = []
            for coder in self._names:
                names += coder.codes(columns[coder.name])
        except KeyError as exc:
            raise ProfileError(f"column {exc} of the profile is absent; pass all columns") from None
        except (TypeError, ValueError) as exc:
            raise ProfileError(
                f"text or columns of different lengths where numbers stood in the reference: {exc}"
            ) from None
        if len(self._chunks) == 1:
            return self._chunks[0].codes(matrix), names, rows
        parts = [chunk.codes(matrix[i * _CHUNK : (i + 1) * _CHUNK]) for i, chunk in enumerate(self._chunks)]
        numbers = np.concatenate(parts) if parts else np.empty((0, rows), np.intp)
        if self._mixtures:  # of more columns than a chunk has
            numbers = np.concatenate([numbers, self._sum_bins.codes(self._sums(numbers))])
        return numbers, names, rows

    def count(self, numbers: np.ndarray, names: list[int]) -> np.ndarray:
        """Return how many values lie in each bin, (bins,) int64."""
        counts = np.bincount(numbers.ravel(), minlength=self.bins)
        if names:
            counts += np.bincount(np.array(names, dtype=np.intp), minlength=self.bins)
        return counts


class _Chunk:
    """Columns of numbers whose bins are found together."""

    def __init__(self, columns: list[tuple[ColumnProfile, int]]) -> None:
        merged = np.unique(np.concatenate([column.edges for column, _ in columns]))
        # NaN sorts behind everything: its place, the last one, means missing.
        self._edges = np.append(merged, np.nan)
        table = np.empty((len(columns), len(merged) + 2), dtype=np.intp)
        for row, (column, start) in zip(table, columns, strict=True):
            row[0] = start
            row[1:-1] = start + np.searchsorted(column.edges, merged, side="right")
            row[-1] = start + len(column.edges) + 1
        self._table = table.ravel()
        self._rows = (np.arange(len(columns)) * table.shape[1])[:, None]
        self._grid = Grid([column.edges for column, _ in columns], [start for _, start in columns])

    def codes(self, matrix: np.ndarray) -> np.ndarray:
        """Return the bin of each value of `matrix` (c, n)."""
        codes, unsure = self._grid.codes(matrix)
        if len(unsure):
            places = self._edges.searchsorted(matrix.ravel()[unsure], side="right")
            rows = self._rows.ravel()[unsure // matrix.shape[1]]
            codes.reshape(-1)[unsure] = self._table.take(places + rows)
        return codes


def _coder(column: ColumnProfile, start: int) -> _NameCoder | TextCoder | TimeCoder:
    if column.kind is ColumnKind.DATETIME:
        return TimeCoder(column.name, start)
    if column.kind is ColumnKind.TEXT:
        return TextCoder(column.name, column.edges, start)
    return _NameCoder(column, start)


class _NameCoder:
    """Finds the bins of one column of names."""

    def __init__(self, column: ColumnProfile, start: int) -> None:
        self.name = column.name
        known: dict[Any, int] = {level: start + i for i, level in enumerate(column.levels)}
        self._other = start + len(column.levels)
        self._groups = column.groups
        self._missing = self._other + 2 * self._groups
        known[None] = self._missing
        for level in column.levels:  # numbers taken as names come as numbers
            number = _number(level)
            if number is not None:
                known[number] = known[level]
        self._known = known
        self._seen = frozenset(column.seen.tolist())
        self._open = column.knows_unseen
        self._is_id = column.kind is ColumnKind.ID_LIKE

    def codes(self, values: np.ndarray) -> list[int]:
        """Return the bin of each value of (n,) objects or numbers."""
        listed = values.tolist()
        known = self._known
        codes = [known.get(value, _UNKNOWN) for value in listed]
        if _UNKNOWN in codes:
            codes = [
                self._rare(value) if code == _UNKNOWN else code
                for value, code in zip(listed, codes, strict=True)
            ]
        return codes

    def _rare(self, value: object) -> int:
        if value != value:  # noqa: PLR0124  # NaN
            return self._missing
        if self._is_id or not (self._open or self._groups > 1):
            return self._other
        hash_ = level_hash(level_text(value))
        bin_ = self._other + hash_ % self._groups
        return bin_ if not self._open or hash_ in self._seen else bin_ + self._groups


def _number(level: str) -> float | None:
    try:
        number = float(level)
    except ValueError:
        return None
    return number if number == number and level_text(number) == level else None  # noqa: PLR0124
