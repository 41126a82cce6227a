"""The daily cycle of the reference rows, and what is left of them without it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from streamapp.profile.coder import Coder
from streamapp.profile.column import ColumnProfile
from streamapp.profile.columns import Columns
from streamapp.profile.fields import ProfileFields
from streamapp.profile.measures import Measures
from streamapp.profile.mixtures import fit_mixtures
from streamapp.profile.pairs import rank_table
from streamapp.profile.placing import placed_codes
from streamapp.profile.season import Season, is_cyclic
from streamapp.profile.season_fit import MIN_DAYS, count_parts, fit_season, too_short, whole_days
from streamapp.profile.seasonal_means import block_moments, rank_means
from streamapp.profile.takeover import take_over

__all__ = ["Cycle", "Watched", "fit_cycle_beside", "fit_watched"]


class Cycle:
    """The season of each reference row.

    Parameters
    ----------
    season
        An adopted one.
    times_ms
        (m,) of the reference rows.
    """

    def __init__(self, season: Season, times_ms: np.ndarray) -> None:
        self._season = season
        self._before, self._after, self._weight = season.places(times_ms)

    def without(
        self,
        ranks: np.ndarray,
        missing: np.ndarray,
        columns: tuple[ColumnProfile, ...],
        members: np.ndarray,
    ) -> np.ndarray:
        """Return `ranks` (c, m) less what is expected of each row; 0 where `missing`.

        `members` (c,) are the places of the rows of `ranks` among `columns`.
        """
        means = rank_means(columns, rank_table(columns), self._season)
        ranks = ranks.copy()
        for row, i in enumerate(members.tolist()):
            own = means[:, i]
            if own.any():
                expected = own[self._before] + self._weight * (own[self._after] - own[self._before])
                ranks[row] = np.where(missing[row], 0.0, ranks[row] - expected)
        return ranks

    def block_moments(self, measures: Measures, block: np.ndarray, blocks: int) -> tuple[np.ndarray, ...]:
        """Return what is expected in blocks of rows, (b, L), and variance and kurtosis within.

        `block` (m,) is that of each row; those of none of the `blocks` are left out.
        """
        own, parts = block < blocks, self._season.parts
        start, after = block[own] * parts, self._weight[own]
        weights = np.bincount(start + self._before[own], 1 - after, minlength=blocks * parts)
        weights += np.bincount(start + self._after[own], after, minlength=blocks * parts)
        rows = np.bincount(block[own], minlength=blocks)
        mixes = weights.reshape(blocks, parts) / np.maximum(rows, 1)[:, None]
        return block_moments(measures, self._season, mixes)


class Watched(NamedTuple):
    """What is watched of the reference rows, and their cycle."""

    columns: tuple[ColumnProfile, ...]
    mixtures: tuple[ColumnProfile, ...]
    season: Season | None
    """None if the rows' times are not known."""
    cycle: Cycle | None
    """None if the rows have none."""
    taken: frozenset[str]
    """Columns in the bins of an earlier reference."""


def fit_watched(
    fitted: tuple[ColumnProfile, ...],
    columns: Columns,
    times_ms: np.ndarray | None,
    like: ProfileFields | None,
) -> Watched:
    """Add the mixtures of columns, and the season.

    Parameters
    ----------
    fitted
        Columns fitted on the reference rows.
    columns
        The reference rows, (m,) each.
    times_ms
        Their event times (m,); None if they are not known.
    like
        Of an earlier reference of the same stream. A column that had a cycle there has one here; where these
        rows cannot tell what it is like, it is that one, and so are the column's bins.
    """
    mixtures = _mixtures(fitted, columns)
    if times_ms is None:
        return Watched(fitted, mixtures, None, None, frozenset())
    earlier = like.season if like is not None and is_cyclic(like.season) else None
    coder = Coder(fitted + mixtures)
    season = fit_season(
        coder.columns,
        placed_codes(coder, columns),
        times_ms,
        known=() if earlier is None else earlier.columns,
    )
    taken: dict[str, ColumnProfile] = {}
    if not season.parts and like is not None and earlier is not None:
        known = {column.name for column in fitted} & set(earlier.columns)
        of = {column.name: column for column in like.columns}
        before = tuple(of[column.name] for column in fitted if column.name in known & of.keys())
        if before:
            own, season = take_over(earlier, before, columns, times_ms)
            taken = {column.name: column for column in own}
            fitted = tuple(
                replace(taken.get(column.name, column), is_personal=column.is_personal) for column in fitted
            )
            mixtures = _mixtures(fitted, columns)
    cycle = Cycle(season, times_ms) if season.parts else None
    return Watched(fitted, mixtures, season, cycle, frozenset(taken))


def fit_cycle_beside(
    columns: tuple[ColumnProfile, ...],
    codes: np.ndarray,
    times_ms: np.ndarray | None,
    inputs: Season | None,
) -> tuple[Season | None, Cycle | None]:
    """Return the season of outputs or labels, and their rows' cycle if there is one.

    Parameters
    ----------
    columns
        Outputs or labels, with their bins.
    codes
        (c, k) bins of their rows, those of all columns numbered through.
    times_ms
        (k,) event times of these; None if they are not known.
    inputs
        Season of the profile: what follows from inputs with a cycle has one as well, without proof.
    """
    if times_ms is None or not len(times_ms):
        return None, None
    if is_cyclic(inputs):
        if whole_days(int(np.ptp(times_ms))) < MIN_DAYS:
            return Season.none(too_short(int(np.ptp(times_ms)))), None
        parts = inputs.parts
    else:
        season = fit_season(columns, codes, times_ms)
        if not season.parts:
            return season, None
        parts = season.parts
    starts = np.cumsum([0, *(len(column.counts) for column in columns[:-1])])
    season = count_parts(columns, codes - starts[:, None], times_ms, parts)
    return season, Cycle(season, times_ms)


def _mixtures(fitted: tuple[ColumnProfile, ...], columns: Columns) -> tuple[ColumnProfile, ...]:
    coder = Coder(fitted)
    return fit_mixtures(fitted, coder.number_names, coder.codes(columns)[0])
