"""Shares of a column's rows that are watched: of one bin, or of several that say the same thing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamapp.profile.column import LEVEL_ROWS, ColumnProfile
from streamapp.profile.kinds import ColumnKind
from streamapp.profile.text import CHARACTERS
from streamapp.profile.times import HOURS, SLOTS

__all__ = ["WEEKDAYS", "Share", "level_name", "merge_bins", "name_shares", "text_shares", "time_shares"]

Share = tuple[Sequence[int], str, str | None]
"""Bins of the column, aspect, level."""
WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


def name_shares(column: ColumnProfile) -> list[Share]:
    """Return the shares of a column of names, but for that of missing ones.

    A group of rare levels is judged with its unseen ones: which group a value is in has nothing to do with
    the reference, so that the group's share is binomial as that of a frequent level.
    """
    if column.kind is ColumnKind.ID_LIKE:
        return []
    end, groups = len(column.levels), column.groups
    others, unseen = range(end, end + groups), range(end + groups, end + 2 * groups)
    shares: list[Share] = []
    if end > 1 or column.counts[others].any():
        shares += [((bin_,), "levels", level_name(column, bin_)) for bin_ in range(end)]
    if column.counts[others].any():
        shares.append((others, "levels", "other"))
    if column.knows_unseen:
        shares.append((unseen, "unseen", None))
    if groups > 1:
        shares += [
            ((other, new), "rare", str(other - end + 1))
            for other, new in zip(others, unseen, strict=True)
            if column.counts[other] + column.counts[new] >= LEVEL_ROWS
        ]
    return shares


def level_name(column: ColumnProfile, bin_: int) -> str:
    """Return a level's name; of a personal column its number, which is all that alerts may say of it."""
    return f"#{bin_ + 1}" if column.is_personal else column.levels[bin_]


def text_shares(column: ColumnProfile) -> list[Share]:
    """Return the shares of the classes of characters, over all lengths."""
    last, step = len(column.counts) - 1, len(CHARACTERS)
    return [(range(i, last, step), "characters", level) for i, level in enumerate(CHARACTERS)]


def time_shares(column: ColumnProfile) -> list[Share]:
    """Return the shares of hours and weekdays that have enough reference rows, of all others, of no times."""
    watched = () if column.times is None else column.times.watched
    week = np.arange(SLOTS).reshape(-1, HOURS)
    shares: list[Share] = []
    if "hour" in watched:
        shares += _cyclic(column, week.T, "hour", [f"{hour} h" for hour in range(HOURS)], "other hours")
    if "weekday" in watched:
        shares += _cyclic(column, week, "weekday", WEEKDAYS, "other days")
    return [*shares, ((SLOTS,), "unreadable", None)]


def _cyclic(
    column: ColumnProfile, bins: np.ndarray, aspect: str, levels: Sequence[str], others: str
) -> list[Share]:
    frequent = column.counts[bins].sum(axis=1) >= LEVEL_ROWS
    shares: list[Share] = [(bins[i].tolist(), aspect, levels[i]) for i in np.flatnonzero(frequent).tolist()]
    if shares and not frequent.all():
        shares.append((bins[~frequent].ravel().tolist(), aspect, others))
    return shares


def merge_bins(column: ColumnProfile, aspect: str, counts: np.ndarray) -> np.ndarray:
    """Return a column's `counts` (bins,) in the fewer bins that `aspect` speaks of."""
    if column.kind is ColumnKind.TEXT:
        both = counts[:-1].reshape(-1, len(CHARACTERS))
        return np.append(both.sum(axis=0 if aspect == "characters" else 1), counts[-1])
    if column.kind is ColumnKind.DATETIME:
        week = counts[:SLOTS].reshape(-1, HOURS).sum(axis=1 if aspect == "weekday" else 0)
        return np.concatenate([week, counts[SLOTS:]])
    if column.is_names and column.groups > 1:
        own, rare = counts[: len(column.levels)], counts[len(column.levels) : -1].reshape(2, -1)
        return np.concatenate([own, rare.sum(axis=0 if aspect == "rare" else 1), counts[-1:]])
    return counts
