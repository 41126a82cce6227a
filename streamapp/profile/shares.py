"""Shares of a column's rows that are watched: of one bin, or of several that say the same thing."""

from __future__ import annotations

from collections.abc import Sequence

from streamapp.profile.column import ColumnProfile
from streamapp.profile.kinds import ColumnKind

__all__ = ["Share", "name_shares"]

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
