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
"""The ten nested windows of a scan cross a threshold of 4.4 about 5.1 times as often as one window does
(``tests/benchmarks/drift/bench_crossings.py``); the rest is for higher ones, and for tails that are a little
heavier than normal ones while windows are short."""
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

    Notes
    -----
    Weighted Bonferroni: K_g * 6 * 2 (1 - Phi(h_g)) = w_g * events / false_alarm_every for a group of K_g
    components. Bonferroni ignores that components depend on each other, so the run length is rather longer.

    Examples
    --------
    >>> Thresholds(["location"] * 10 + ["scale"] * 10, 100_000).at(64).round(2)[[0, -1]].tolist()
    [4.46, 4.72]
    """

    def __init__(self, groups: Sequence[str], false_alarm_every: int) -> None:
        names, self._group, sizes = np.unique(np.array(groups), return_inverse=True, return_counts=True)
        weights = np.array([WEIGHTS[name] for name in names.tolist()])
        self._at: tuple[int, np.ndarray] = (0, np.empty(0))  # rounds are often of one size
        self._tail = weights / weights.sum() / false_alarm_every / (sizes * LOOKS * 2)

    def at(self, events: int) -> np.ndarray:
        """Return the thresholds (k,) at a look after `events` new events, which spends their part."""
        if events != self._at[0]:
            self._at = (events, (-ndtri(np.minimum(self._tail * events, _MAX_TAIL)))[self._group])
        return self._at[1]
