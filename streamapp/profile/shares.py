"""Shares of a column's rows that are watched: of one bin, or of several that say the same thing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamapp.profile.column import ColumnProfile
from streamapp.profile.kinds import ColumnKind
from streamapp.profile.text import CHARACTERS

__all__ = ["Share", "merge_bins", "name_shares", "text_shares"]

Share = tuple[Sequence[int], str, str | None]
"""Bins of the column, aspect, level."""


def name_shares(column: ColumnProfile) -> list[Share]:
    """Return the shares of a column of names, but for that of missing ones."""
    if column.kind is ColumnKind.ID_LIKE:
        return []
    others = len(column.levels)
    shares: list[Share] = []
    if len(column.levels) > 1 or column.counts[others]:
        shares += [((bin_,), "levels", level) for bin_, level in enumerate(column.levels)]
    if column.counts[others]:
        shares.append(((others,), "levels", "other"))
    if column.knows_unseen:
        shares.append(((others + 1,), "unseen", None))
    return shares


def text_shares(column: ColumnProfile) -> list[Share]:
    """Return the shares of the classes of characters, over all lengths."""
    last, step = len(column.counts) - 1, len(CHARACTERS)
    return [(range(i, last, step), "characters", level) for i, level in enumerate(CHARACTERS)]


def merge_bins(column: ColumnProfile, aspect: str, counts: np.ndarray) -> np.ndarray:
    """Return a column's `counts` (bins,) in the fewer bins that `aspect` speaks of."""
    if column.kind is ColumnKind.TEXT:
        both = counts[:-1].reshape(-1, len(CHARACTERS))
        return np.append(both.sum(axis=0 if aspect == "characters" else 1), counts[-1])
    return counts
