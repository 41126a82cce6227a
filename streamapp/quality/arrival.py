"""How labels come in: the share of them that is there by age, learned while many are still out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from streamapp.models.losses import Floats

__all__ = ["LOWEST_SHARE", "ArrivalCurve"]

LOWEST_SHARE = 0.02
"""Shares below are taken as this: one early label must not speak for thousands."""
_AT_RISK = 50
"""Fewer answers than this say nothing about labels of that age."""
_FIRST = 0.1


@dataclass(frozen=True, slots=True)
class ArrivalCurve:
    """The share of labels that have come by an age, of those that ever come.

    Attributes
    ----------
    rows
        Labels that it was learned from.
    reach_ms
        The greatest age at which enough answers were watched.
    beyond
        Estimated share of labels that take longer than that, in [0, 1]; 1 where nothing can be said.
    ages_ms
        Ages at which it rises, increasing, (m,).
    shares
        From each of them on, (m,); the last is 1 - `beyond`.
    variances
        Of the logarithm of each share, (m,).

    Notes
    -----
    Labels that are in are a sample cut off at the right: a label that takes longer than its answer is old
    cannot be among them, and nobody knows how many are out. The estimate is the product limit in reverse
    time [1]_ [2]_: going down from the greatest age, the share falls at age d by the number of labels that
    took d over those that took at most d and whose answers are at least as old as d. Its variance is
    Greenwood's. Answers so old that fewer than fifty of them are labelled add nothing.

    What takes longer than the oldest answer is old is never seen. Of the ages from the first tenth of the
    labels on, the later half is taken to go on as the earlier: if of the labels out at its start a share of r
    is out in its middle, r² is at its end. That is exact for exponential delays, also after a fixed lag, too
    little for heavier tails. Labels that never come are no part of it.

    Cost: O(n log n).

    References
    ----------
    .. [1] Woodroofe, "Estimating a distribution function with truncated data", Annals of Statistics 13, 1985.
    .. [2] Lagakos, Barraj, De Gruttola, "Nonparametric analysis of truncated survival data, with application
       to AIDS", Biometrika 75, 1988.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> waited, ages = rng.uniform(0, 6_000, 4_000), rng.exponential(1_000, 4_000)
    >>> is_in = ages <= waited
    >>> curve = ArrivalCurve.of(ages[is_in], waited[is_in])
    >>> curve.at([500.0, 1_000.0, 3_000.0]).round(2).tolist()  # 1 - exp(-age / 1,000)
    [0.39, 0.63, 0.95]
    """

    rows: int
    reach_ms: float
    beyond: float
    ages_ms: Floats
    shares: Floats
    variances: Floats

    @classmethod
    def of(cls, ages_ms: npt.ArrayLike, waited_ms: npt.ArrayLike) -> Self:
        """Return the curve of labels that took `ages_ms` to answers that are `waited_ms` old now, (n,) each.

        No age is greater than its answer is old.
        """
        took = np.asarray(ages_ms, dtype=np.float64)
        waited = np.sort(np.asarray(waited_ms, dtype=np.float64))
        n = len(took)
        if n < _AT_RISK:
            nothing = np.empty(0)
            return cls(n, 0.0, 1.0, nothing, nothing, nothing)
        reach = float(waited[-_AT_RISK])
        ages, counts = np.unique(took, return_counts=True)
        at_risk = counts.cumsum() - waited.searchsorted(ages, "left")
        is_known = at_risk >= _AT_RISK
        # Never the whole of those at risk: below, the share would be 0, and all that came earlier nothing.
        fallen = np.where(is_known, np.minimum(counts, at_risk - 1) / np.maximum(at_risk, 2), 0.0)
        shares = np.exp(_sums_above(np.log1p(-fallen)))
        variances = _sums_above(np.where(is_known, fallen / ((1.0 - fallen) * np.maximum(at_risk, 1)), 0.0))
        beyond = _beyond(ages, shares, float(np.quantile(took, _FIRST)), reach)
        return cls(n, reach, beyond, ages, shares * (1.0 - beyond), variances)

    def at(self, ages_ms: npt.ArrayLike) -> Floats:
        """Return the share of labels that have come by each of `ages_ms` (n,); 0 below the first."""
        position = self.ages_ms.searchsorted(np.asarray(ages_ms, dtype=np.float64), "right")
        return np.concatenate((np.zeros(1), self.shares))[position]

    def variance_at(self, ages_ms: npt.ArrayLike) -> Floats:
        """Return the variance of the logarithm of each share, (n,)."""
        if not len(self.ages_ms):
            return np.zeros(np.shape(ages_ms))
        position = self.ages_ms.searchsorted(np.asarray(ages_ms, dtype=np.float64), "right") - 1
        return self.variances[np.maximum(position, 0)]

    def age_ms(self, share: float) -> float | None:
        """Return the age at which `share` of the labels have come; None if that was not seen."""
        position = int(self.shares.searchsorted(share, "left"))
        return float(self.ages_ms[position]) if position < len(self.shares) else None


def _beyond(ages: Floats, shares: Floats, first: float, reach: float) -> float:
    """Return the share of labels that take longer than `reach`, where `shares` are of those that do not."""
    start, middle = 1.0 - shares[ages.searchsorted([first, (first + reach) / 2.0], "right") - 1]
    if middle <= 0.0:
        return 0.0
    if middle >= start / 2.0:
        return 1.0
    falls = float(middle / (start - middle)) ** 2
    return float(start) * falls / (1.0 - falls + float(start) * falls)


def _sums_above(values: Floats) -> Floats:
    """Return for each position the sum of the values after it."""
    return np.concatenate((values[::-1].cumsum()[::-1][1:], np.zeros(1)))
