"""From one number, events per false alarm, to a threshold for every component."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

__all__ = ["WEIGHTS", "Thresholds", "group_of"]

WEIGHTS = {
    "location": 0.35, "levels": 0.22, "scale": 0.1, "pairs": 0.1, "outputs": 0.1, "rest": 0.13,
    "target": 0.25,
}  # fmt: skip
"""Shares of the false alarm budget: more for what drifts more often. Absent groups leave theirs to others."""
LOOKS = 6
"""The ten nested windows of a scan cross a threshold of 4.4 about 5.1 times as often as one window does, 5
about 5.9 times and 5.5 about 6.5 times (``tests/benchmarks/drift/bench_crossings.py``). What is left over at
low thresholds is for tails that are a little heavier than normal ones while windows are short."""
_MAX_TAIL = 0.05
_LIKE = {
    "length": "location", "length spread": "scale", "characters": "levels",
    "hour": "levels", "weekday": "levels", "rare": "levels",
}  # fmt: skip
"""Aspects that are to a text, a time or rare names what the others are to a number or a name."""


def group_of(aspect: str, *, output: bool = False, target: bool = False) -> str:
    """Return the group of a component, whose budget it shares."""
    if target:
        return "target"
    if output:
        return "outputs"
    if aspect in ("correlation", "dependence"):
        return "pairs"
    aspect = _LIKE.get(aspect, aspect)
    return aspect if aspect in WEIGHTS else "rest"


class Thresholds:
    """Thresholds of |z| for each component, from the false alarm budget of all of them together.

    Parameters
    ----------
    groups
        (k,) group of each component.
    false_alarm_every
        Events per false alarm, all components together.
    weights
        (k,) share of each component in its group's budget, relative to the others of the group; 0 for one
        that is not judged, whose threshold is infinite. None: all alike.

    Notes
    -----
    Weighted Bonferroni: (V_g / v) * 6 * 2 (1 - Phi(h)) = w_g * events / false_alarm_every for a component of
    weight v in a group whose weights sum up to V_g, the number of its components if all are 1. Bonferroni
    ignores that components depend on each other, so the run length is rather longer.

    Examples
    --------
    >>> Thresholds(["location"] * 10 + ["scale"] * 10, 100_000).at(64).round(2)[[0, -1]].tolist()
    [4.46, 4.72]
    """

    def __init__(
        self, groups: Sequence[str], false_alarm_every: int, weights: np.ndarray | None = None
    ) -> None:
        names, group = np.unique(np.array(groups), return_inverse=True)
        own = np.ones(len(group)) if weights is None else weights
        whole = np.bincount(group, own, minlength=len(names))
        budget = np.where(whole > 0, [WEIGHTS[name] for name in names.tolist()], 0.0)
        # One tail for all components of a group that weigh alike: they are few.
        values, at = np.unique(own, return_inverse=True)
        codes, self._class = np.unique(group * len(values) + at, return_inverse=True)
        of, weight = codes // len(values), values[codes % len(values)]
        part = np.divide(budget, budget.sum(), out=np.zeros(len(names)), where=budget > 0)
        self._share = weight * np.divide(part, whole, out=np.zeros(len(names)), where=whole > 0)[of]
        tail = part / false_alarm_every / (np.where(whole > 0, whole, 1) * LOOKS * 2)
        self._tail = tail[of] * weight
        self._at: tuple[float, np.ndarray] = (0, np.empty(0))  # rounds are often of one size

    @property
    def shares(self) -> np.ndarray:
        """(k,) part of the budget that each component has; their sum is 1, or 0 if nothing is judged."""
        return np.asarray(self._share[self._class])

    def at(self, events: float) -> np.ndarray:
        """Return the thresholds (k,) at a look after `events` new events, which spends their part."""
        if events != self._at[0]:
            self._at = (events, (-ndtri(np.minimum(self._tail * events, _MAX_TAIL)))[self._class])
        return self._at[1]
