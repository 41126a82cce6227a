"""The reference rows without their daily cycle: what their correlations and their dependence are taken of."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamapp.profile.coder import Coder
from streamapp.profile.column import ColumnProfile
from streamapp.profile.columns import Columns, row_count
from streamapp.profile.measures import Measures
from streamapp.profile.pairs import rank_table
from streamapp.profile.placing import placed_codes
from streamapp.profile.season import Season
from streamapp.profile.season_fit import fit_season, read_row_times
from streamapp.profile.seasonal_means import SeasonalMeans, rank_means

__all__ = ["Cycle", "fit_cycle"]


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

    def block_moments(self, measures: Measures, length: int, blocks: int) -> tuple[np.ndarray, ...]:
        """Return what is expected in consecutive blocks of rows, (b, L), and variance and kurtosis within."""
        seasonal = SeasonalMeans(measures, self._season)
        parts, rows = self._season.parts, slice(0, length * blocks)
        block = np.arange(length * blocks) // length * parts
        after = self._weight[rows]
        weights = np.bincount(block + self._before[rows], 1 - after, minlength=blocks * parts)
        weights += np.bincount(block + self._after[rows], after, minlength=blocks * parts)
        expected = np.tile(measures.reference[0], (blocks, 1))
        expected[:, seasonal.components] = weights.reshape(blocks, parts) / length @ seasonal.means
        return expected, seasonal.variance, seasonal.kurtosis


def fit_cycle(coder: Coder, columns: Columns, times: Any) -> tuple[Season, Cycle | None]:
    """Return the season of the reference rows, and their cycle if they have one.

    Parameters
    ----------
    coder
        Of the watched columns.
    columns
        The reference rows, (m,) each.
    times
        Their event times (m,): datetime64, or milliseconds since the epoch.

    Raises
    ------
    ProfileError
        If there is not one time for each row.
    """
    times_ms = read_row_times(times, row_count(columns))
    season = fit_season(coder.columns, placed_codes(coder, columns), times_ms)
    return season, Cycle(season, times_ms) if season.parts else None
