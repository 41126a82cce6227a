"""What the components of seasonal columns are like in each part of the day, and how they vary within."""

from __future__ import annotations

import numpy as np

from streamapp.profile.column import ColumnProfile
from streamapp.profile.measures import Measures
from streamapp.profile.season import Season

__all__ = ["SeasonalMeans", "block_moments", "rank_means"]

_LEAST = 0.1
"""Part of a variance that the season never explains: an hour that is a column of its own has none left."""


class SeasonalMeans:
    """Means of the components by part of the day.

    Parameters
    ----------
    measures
        Components of the profile's columns, and of others behind these.
    season
        Of the profile; an adopted one.

    Attributes
    ----------
    columns
        (s,) indices of the seasonal columns.
    components
        (k,) indices of their components.
    counts
        (parts, bins) of all columns; 0 in those that have no season.
    means, rows
        (parts, k), and the reference rows that have a value; the mean of all where there is none.
    variance, kurtosis
        (L,) of one row of any component, within the parts.
    """

    def __init__(self, measures: Measures, season: Season) -> None:
        own = season.located(measures.columns)
        self.columns = np.array([i for i, _ in own], dtype=np.intp)
        self.counts = np.zeros((season.parts, len(measures.reference_counts)), np.int64)
        for i, counts in own:
            start = int(measures.starts[i])
            self.counts[:, start : start + counts.shape[1]] = counts
        self.components = at = np.flatnonzero(np.isin(measures.column_of, self.columns))
        mean, variance, kurtosis, _ = measures.reference
        sums, every = measures.sums(self.counts)
        rows = every[:, at]
        self.rows = rows / season.unit
        self.means = np.where(rows > 0, measures.means(sums, every)[:, at], mean[at])
        self.variance, self.kurtosis = variance.copy(), kurtosis.copy()
        weight = rows / np.maximum(rows.sum(axis=0), 1)
        for place, k in enumerate(at.tolist()):
            if measures.is_share[k]:
                p = self.means[:, place]
                within = weight[:, place] @ (p * (1 - p))
            else:
                start, values = measures.values(k)
                counts = self.counts[:, start : start + len(values)]
                centred = values - self.means[:, [place]]
                total = max(int(counts.sum()), 1)
                within = (counts * centred**2).sum() / total
                if within > 0:
                    self.kurtosis[k] = (counts * centred**4).sum() / total / within**2
            self.variance[k] = max(within, _LEAST * variance[k])


def block_moments(measures: Measures, season: Season, mixes: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return what is expected in blocks of rows, (b, L), and variance and kurtosis within the parts, (L,).

    `mixes` (b, parts) are the weights of the parts in each block; a block's sum to 1.
    """
    seasonal = SeasonalMeans(measures, season)
    expected = np.tile(measures.reference[0], (len(mixes), 1))
    expected[:, seasonal.components] = mixes @ seasonal.means
    return expected, seasonal.variance, seasonal.kurtosis


def rank_means(columns: tuple[ColumnProfile, ...], ranks: np.ndarray, season: Season) -> np.ndarray:
    """Return the mean rank of each column by part of the day, (parts, columns); 0 where there is no season.

    Parameters
    ----------
    columns
        The profile's columns, and others behind these.
    ranks
        (bins,) as :func:`~streamapp.profile.pairs.rank_table` gives them for these columns.
    season
        An adopted one.
    """
    means = np.zeros((season.parts, len(columns)))
    starts = np.cumsum([0, *(len(column.counts) for column in columns)])
    for i, counts in season.located(columns):
        present = counts[:, :-1]
        total = present @ ranks[starts[i] : starts[i] + present.shape[1]]
        rows = present.sum(axis=1)
        mean = total.sum() / max(int(rows.sum()), 1)
        means[:, i] = np.where(rows > 0, total / np.maximum(rows, 1), mean)
    return means
