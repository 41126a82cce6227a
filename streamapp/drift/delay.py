"""What a rate of false alarms costs in time to detection."""

from __future__ import annotations

import numpy as np

from streamapp.drift.detector import Detector
from streamapp.drift.scan import WINDOWS
from streamapp.profile import Profile

__all__ = ["delay_ratio"]


def delay_ratio(profile: Profile, false_alarm_every: int, instead: int) -> float | None:
    """Return how many times as many events a drift takes to be found, if rarer alarms may be false.

    Parameters
    ----------
    profile
        The reference, with its policy.
    false_alarm_every
        Events per false alarm as it is set.
    instead
        As it would be set.

    Returns
    -------
    float or None
        The median over all that is judged; None if nothing is.

    Notes
    -----
    A mean that has moved by d standard deviations moves that of n events by d sqrt(n) standard errors, and
    crosses a threshold h from about n = (h / d)² events on: whatever d is, the ratio is that of h². What
    would need more than the largest window (2,560 events where rows are independent) is not found at all.
    What was measured stands beside it in ``tests/benchmarks/drift/RESULTS.md``.

    Examples
    --------
    >>> profile = Profile.fit({"temp": np.linspace(0, 1, 1000)}, ordered=False)
    >>> round(delay_ratio(profile, 100_000, 1_000_000), 2)
    1.21
    """
    thresholds = Detector(profile, false_alarm_every).thresholds
    now = thresholds.at(WINDOWS[0])
    rarer = thresholds.at(WINDOWS[0] * false_alarm_every / instead)  # a look may spend as much less
    judged = np.isfinite(now)
    return float(np.median((rarer[judged] / now[judged]) ** 2)) if judged.any() else None
