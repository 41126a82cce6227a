"""The daily cycle of an earlier reference, at the level of new rows that are too few days to tell one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from streamapp.profile.coder import Coder
from streamapp.profile.column import ColumnProfile
from streamapp.profile.columns import Columns
from streamapp.profile.kinds import ColumnKind
from streamapp.profile.placing import codes_of
from streamapp.profile.season import Season

__all__ = ["take_over"]

_UNIT = 1_024
"""Counts are kept in this part of a row: shares that are moved are no whole rows any more."""
_INNER = 0.05
"""Edges are moved one by one between these quantiles; those further out, of which few rows tell, together."""
_STEPS = 30
"""Of proportional fitting, to shares that are right to a part of a row."""
_NEW = 10
"""A name that is met so many times as often as it was, or as once, is a new one."""
_TINY = 1e-9
_ROWS = 100
"""Rows with a value from which on edges are moved."""


def take_over(
    season: Season,
    before: tuple[ColumnProfile, ...],
    columns: Columns,
    times_ms: np.ndarray,
) -> tuple[tuple[ColumnProfile, ...], Season]:
    """Return the seasonal columns of an earlier reference as those of new rows, and their season.

    Parameters
    ----------
    season
        Of the earlier reference.
    before
        Its seasonal columns that the new rows have as well.
    columns
        The new rows, (n,) each.
    times_ms
        Their event times (n,).

    Notes
    -----
    New rows of half a day do not reach where the other half lies, so bins are the earlier ones. Those of
    continuous columns are moved with the level: inner edges to the quantile of the new rows that they were in
    the earlier ones at the same hours, outer edges as far as the last inner one (quantile mapping [1]_). What
    is then left between the shares of the new rows and of the earlier ones at the same hours is added in each
    part of the day: all means move by as much, and on average over the new rows they are theirs. Of names the
    odds are moved (proportional fitting [2]_), so that shares near 0 or 1 move less.

    How long the day's parts are, how many rows each mean of a part is worth, and the means' differences stay
    those of the earlier rows; `level_rows` says how sure the level is.

    References
    ----------
    .. [1] J. Boé, L. Terray, F. Habets, E. Martin, "Statistical and dynamical downscaling of the Seine basin
       climate for hydro-meteorological studies", International Journal of Climatology 27, 2007.
    .. [2] W. E. Deming, F. F. Stephan, "On a least squares adjustment of a sampled frequency table when the
       expected marginal totals are known", Annals of Mathematical Statistics 11, 1940.
    """
    mix, by_column = season.mix(times_ms), season.by_column()
    taken, counts = [], []
    for column in before:
        earlier, values = by_column[column.name], columns[column.name]
        moved = _moved(column, mix @ _shares(earlier), values)
        own = codes_of(Coder((moved,)), {column.name: values})[0]
        own = np.bincount(own, minlength=len(column.counts))
        at = _at_level(column, earlier, season.unit, own, mix)
        counts.append(at)
        taken.append(moved.with_counts(np.rint(at.sum(axis=0) / at.sum() * len(times_ms))))
    fresh = replace(
        season,
        columns=tuple(column.name for column in taken),
        bins=tuple(len(column.counts) for column in taken),
        counts=np.concatenate(counts, axis=1),
        unit=_UNIT,
        level_rows=len(times_ms),
    )
    return tuple(taken), fresh


def _at_level(
    column: ColumnProfile, earlier: np.ndarray, unit: int, own: np.ndarray, mix: np.ndarray
) -> np.ndarray:
    """Return counts by part, in units of 1 / 1,024 rows, at the level of other rows.

    Parameters
    ----------
    column
        Whose.
    earlier, unit
        (parts, bins) of the earlier reference, in units of 1 / `unit` rows.
    own
        (bins,) of the new rows, in the same bins.
    mix
        (parts,) weights of the parts in these.
    """
    # Missing values apart: where there are more of them, that is no reason for the others to be other ones.
    rows, missing = earlier.sum(axis=1), _shares(earlier)[:, -1]
    absent = np.clip(missing + own[-1] / max(int(own.sum()), 1) - mix @ missing, 0.0, 1.0)
    shares, has = _shares(earlier[:, :-1]), mix * (1 - missing)
    if own[:-1].any() and has.any():
        move = _scaled if column.is_names else _raised
        shares = move(shares, has / has.sum(), own[:-1])
    present = shares * ((1 - absent) / np.maximum(shares.sum(axis=1), _TINY))[:, None]
    every = np.concatenate([present, absent[:, None]], axis=1) * (rows / unit * _UNIT)[:, None]
    return np.asarray(np.rint(every), dtype=np.int64)


def _raised(shares: np.ndarray, mix: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return shares (parts, b), higher by what rows with counts `own` (b,) have more of each bin."""
    return np.asarray(np.maximum(shares + own / own.sum() - mix @ shares, 0.0))


def _scaled(shares: np.ndarray, mix: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return shares (parts, b) whose odds are all higher by as much as `own` (b,) asks for, of names.

    Names that are new have their share at any hour.
    """
    n = own.sum()
    is_new = own > _NEW * (mix @ shares * n + 1)
    fixed, moved = np.where(is_new, own / n, 0.0), np.where(is_new, 0.0, shares)
    for _ in range(_STEPS):
        moved = moved * (own + 1) / (mix @ moved * n + 1)
        moved *= (1 - fixed.sum()) / np.maximum(moved.sum(axis=1, keepdims=True), _TINY)
    return np.asarray(moved + fixed)


def _shares(counts: np.ndarray) -> np.ndarray:
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def _moved(column: ColumnProfile, shares: np.ndarray, values: np.ndarray) -> ColumnProfile:
    """Return a column with its edges moved from the rows with these `shares` (bins,) to `values`."""
    if column.kind is not ColumnKind.CONTINUOUS:
        return column
    known = values[np.isfinite(values)]
    total = shares[:-1].sum()
    if len(known) < _ROWS or total <= 0:
        return column
    below = np.cumsum(shares[:-2]) / total
    inner = np.flatnonzero((below >= _INNER) & (below <= 1 - _INNER))
    if not len(inner):
        return column
    edges = column.edges.copy()
    edges[inner] = np.quantile(known, below[inner])
    first, last = inner[0], inner[-1]
    edges[:first] += edges[first] - column.edges[first]
    edges[last + 1 :] += edges[last] - column.edges[last]
    for i in np.flatnonzero(np.diff(edges) <= 0).tolist():  # ties
        edges[i + 1] = np.nextafter(max(edges[i], edges[i + 1]), np.inf)
    return replace(column, edges=edges)
