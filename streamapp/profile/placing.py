"""Reference rows in the bins that they are counted in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import numpy as np

from streamapp.profile.coder import Coder
from streamapp.profile.column import ColumnProfile
from streamapp.profile.columns import Columns
from streamapp.profile.kinds import ColumnKind

__all__ = ["codes_of", "placed_codes"]


def codes_of(coder: Coder, columns: Columns) -> np.ndarray:
    """Return the bins (c, m) of some rows, in the order of the coder's columns."""
    numbers, names, rows = coder.codes(columns)
    codes = np.empty((len(coder.columns), rows), dtype=np.intp)
    is_numbers = np.array(
        [column.is_numbers or column.kind is ColumnKind.MIXTURE for column in coder.columns], dtype=bool
    )
    codes[is_numbers] = numbers
    codes[~is_numbers] = np.array(names, dtype=np.intp).reshape(int((~is_numbers).sum()), rows)
    return codes


def placed_codes(coder: Coder, columns: Columns, *, but: Collection[str] = ()) -> np.ndarray:
    """Return the bins (c, m) of the reference rows, each placed as if it were new to the others.

    See :class:`~streamapp.profile.ColumnProfile`. Not those of `but`, columns in the bins of other rows.
    """
    codes = codes_of(coder, columns)
    for column, start, own in zip(coder.columns, coder.starts.tolist(), codes, strict=True):
        if column.kind is not ColumnKind.MIXTURE and column.name not in but:
            _place_extremes(column, start, columns[column.name], own)
    return codes


def _place_extremes(column: ColumnProfile, start: int, values: np.ndarray, codes: np.ndarray) -> None:
    moved = column.counts - np.bincount(codes - start, minlength=len(column.counts))
    if not moved.any():
        return
    if column.is_names:
        first = start + len(column.levels)
        rare = np.flatnonzero((codes >= first) & (codes < first + column.groups))
        tally = Counter(values[rare].tolist())
        codes[rare[[tally[value] == 1 for value in values[rare].tolist()]]] += column.groups
        return
    if not column.is_numbers:
        return
    finite = np.where(np.isfinite(values), values, np.nan)
    if moved[0]:
        codes[np.nanargmin(finite)] -= 1
    if moved[-2]:
        codes[np.nanargmax(finite)] += 1
