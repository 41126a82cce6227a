"""Correlation of ranks, for every pair of columns of numbers: sums of products, and what they are like."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from streamapp.profile.column import ColumnProfile
from streamapp.profile.legendre import legendre, mid_ranks

__all__ = ["GRID", "PairProfile", "choose_pairs", "rank_table", "standard_ranks"]

GRID = 64
"""Ranks are rounded to this grid: sums of products are exact up to 10^11 rows, and short as text."""
ALL_PAIRS = 150
"""Up to this many columns every pair is watched: 11,175. Above, random mixtures see to what is left out."""
MAX_PAIRS = 5_000
MIN_CORRELATION = 0.2
SAMPLE = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class PairProfile:
    """Rank correlations in the reference.

    `variance` and `kurtosis` are those of one row's influence on the correlation, ab - r (a² + b²)/2 with
    standardised ranks a, b: no distribution is assumed.
    """

    first: np.ndarray = field(repr=False)
    """(p,) index of a column."""
    second: np.ndarray = field(repr=False)
    """(p,) index of the other column, greater than `first`."""
    correlation: np.ndarray = field(repr=False)
    """(p,) rank correlation in the reference."""
    variance: np.ndarray = field(repr=False)
    kurtosis: np.ndarray = field(repr=False)
    rows: np.ndarray = field(repr=False)
    """(p,) reference rows in which both are present."""

    def __len__(self) -> int:
        return len(self.first)

    def to_dict(self) -> dict[str, Any]:
        """Return the pairs as JSON-able fields."""
        return {name: getattr(self, name).tolist() for name in self.__slots__}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Return the pairs of :meth:`to_dict`."""
        ints = ("first", "second", "rows")
        return cls(**{n: np.array(fields[n], np.int64 if n in ints else np.float64) for n in cls.__slots__})


def rank_table(columns: tuple[ColumnProfile, ...]) -> np.ndarray:
    """Return for every bin of all columns its location component in units of the grid, (bins,) whole float64.

    Missing values and names stand at 0, the mean.
    """
    parts = []
    for column in columns:
        table = np.zeros(len(column.counts))
        if column.kind.is_numeric:
            table[:-1] = np.rint(GRID * legendre(mid_ranks(column.counts[:-1]))[0])
        parts.append(table)
    return np.concatenate(parts)


def standard_ranks(ranks: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return `ranks` (c, n) with mean 0 and variance 1 per column; 0 where `missing`, or constant."""
    present = np.maximum(n := (~missing).sum(axis=1, keepdims=True), 1)
    mean = np.where(missing, 0, ranks).sum(axis=1, keepdims=True) / present
    centred = np.where(missing | (n == 0), 0, ranks - mean)
    spread = np.sqrt((centred**2).sum(axis=1, keepdims=True) / present)
    return np.asarray(centred / np.where(spread > 0, spread, 1))


def choose_pairs(ranks: np.ndarray, missing: np.ndarray, members: np.ndarray) -> PairProfile:
    """Choose the pairs that are watched and measure them on the reference.

    Parameters
    ----------
    ranks
        (c, m) of the reference rows, in any unit; 0 where missing.
    missing
        (c, m) bool.
    members
        (c,) index of each row's column.

    Notes
    -----
    Up to 150 columns all pairs; above, those with |r| > .2 in the reference, strongest first, at most 5,000.
    Variance and kurtosis come from at most 20,000 rows, evenly spaced.
    """
    z = standard_ranks(ranks, missing)
    both = (~missing).astype(np.float64)
    rows = both @ both.T
    products = z @ z.T
    # Over the rows that have both, as a window's correlation will be.
    means, squares = z @ both.T / np.maximum(rows, 1), (z * z) @ both.T / np.maximum(rows, 1)
    spread = squares - means**2
    with np.errstate(divide="ignore", invalid="ignore"):
        r = (products / np.maximum(rows, 1) - means * means.T) / np.sqrt(spread * spread.T)
    first, second = np.triu_indices(len(z), k=1)
    usable = np.isfinite(r[first, second]) & (np.abs(r[first, second]) < 0.999) & (rows[first, second] >= 30)
    first, second = first[usable], second[usable]
    if len(z) > ALL_PAIRS:
        strength = np.abs(r[first, second])
        strongest = np.argsort(-strength, kind="stable")[:MAX_PAIRS]
        strongest = np.sort(strongest[strength[strongest] > MIN_CORRELATION])
        first, second = first[strongest], second[strongest]
    correlation = r[first, second]
    variance, kurtosis = _influence(z, missing, first, second, correlation)
    usable = variance > 1e-6
    first, second = first[usable], second[usable]
    return PairProfile(
        first=members[first],
        second=members[second],
        correlation=correlation[usable],
        variance=variance[usable],
        kurtosis=kurtosis[usable],
        rows=rows[first, second].astype(np.int64),
    )


def _influence(
    z: np.ndarray, missing: np.ndarray, first: np.ndarray, second: np.ndarray, r: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Variance and kurtosis of a row's influence on each correlation."""
    step = -(-z.shape[1] // SAMPLE) if z.shape[1] else 1
    z, missing = z[:, ::step], missing[:, ::step]
    variance, kurtosis = np.empty(len(r)), np.empty(len(r))
    chunk = max(1, 2_000_000 // max(z.shape[1], 1))
    for at in range(0, len(r), chunk):
        part = slice(at, at + chunk)
        a, b = z[first[part]], z[second[part]]
        influence = a * b - r[part, None] / 2 * (a * a + b * b)
        influence[missing[first[part]] | missing[second[part]]] = 0
        n = np.maximum((~(missing[first[part]] | missing[second[part]])).sum(axis=1), 1)
        second_moment = (influence**2).sum(axis=1) / n
        variance[part] = second_moment
        kurtosis[part] = (influence**4).sum(axis=1) / n / np.maximum(second_moment, 1e-12) ** 2
    return variance, kurtosis
