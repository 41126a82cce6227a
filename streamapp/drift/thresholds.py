"""From one number, events per false alarm, to a threshold for every component."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

__all__ = ["WEIGHTS", "group_of", "thresholds"]

WEIGHTS = {"location": 0.35, "levels": 0.22, "scale": 0.1, "pairs": 0.1, "outputs": 0.1, "rest": 0.13}
"""Shares of the false alarm budget: more for what drifts more often. Those of absent groups go to the others."""
LOOKS = 4
"""A scan of six nested windows crosses a high threshold about four times as often as one window (3.1 to 4.2)."""


def group_of(aspect: str, *, output: bool = False) -> str:
    """Return the group of a component, whose budget it shares."""
    if output:
        return "outputs"
    if aspect == "correlation":
        return "pairs"
    return aspect if aspect in WEIGHTS else "rest"


def thresholds(groups: Sequence[str], events: int, false_alarm_every: int) -> np.ndarray:
    """Return the threshold of |z| for each component at a look after `events` new events.

    Parameters
    ----------
    groups
        (k,) group of each component.
    events
        In the round looked at. It spends events / false_alarm_every of a false alarm.
    false_alarm_every
        Events per false alarm, all components together.

    Notes
    -----
    Weighted Bonferroni: K_g * 4 * 2 (1 - Phi(h_g)) = w_g * events / false_alarm_every for a group of K_g
    components. Bonferroni ignores that components depend on each other, so the run length is rather longer.

    Examples
    --------
    >>> thresholds(["location"] * 10 + ["scale"] * 10, 64, 100_000).round(2)[[0, -1]].tolist()
    [4.35, 4.62]
    """
    names, inverse, sizes = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    weights = np.array([WEIGHTS[name] for name in names.tolist()])
    tail = weights / weights.sum() * events / false_alarm_every / (sizes * LOOKS * 2)
    return np.asarray(-ndtri(np.minimum(tail, 0.05)))[inverse]
