"""What rows that depend on each other are worth: from how many of them on a component is judged."""

from __future__ import annotations

import numpy as np

from streamapp.profile import Measures, PairProfile

__all__ = ["KURTOSIS_ROWS", "enough_rows"]

KURTOSIS_ROWS = 25
"""A mean is judged from this many rows per unit of excess (kurtosis - 1): before, it is not normal enough."""
_SETTLED = 10
"""A mean is settled from so many rows on: a tenth of the variance is its own."""


def enough_rows(
    measures: Measures, pairs: PairProfile | None, kurtosis: np.ndarray, factor: np.ndarray
) -> np.ndarray:
    """Return the rows of a window from which on each component is judged, (k,); of shares the first.

    Parameters
    ----------
    measures, pairs
        Components of the columns, and behind them the pairs; None for none.
    kurtosis
        (k,) of one row.
    factor
        (k,) variance inflation: so many rows are worth an independent one.

    Notes
    -----
    The window's correlations are those about its own means. While these are not settled they are others: two
    columns that rise and fall together from day to day need not do so within a day.
    """
    smooth = np.append(~measures.is_share, np.ones(len(factor) - len(measures.is_share), dtype=bool))
    enough = np.where(smooth, np.maximum(np.ceil(KURTOSIS_ROWS * (kurtosis - 1) * factor), 1), 1.0)
    if pairs is None:
        return enough
    worth = np.ones(len(measures.columns))
    for k, part in enumerate(measures.components):
        if part.aspect == "location" and factor[k] > 1:
            worth[part.column] = _SETTLED * factor[k]
    own = len(measures.components)
    enough[own:] = np.maximum(enough[own:], np.maximum(worth[pairs.first], worth[pairs.second]))
    return enough
