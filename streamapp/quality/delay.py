"""What a rate of false accuracy alarms costs in time to detection."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["measured_delay"]

_EVERY = (3, 4, 5, 6, 7, 8, 9)
_ROWS = (145, 358, 682, 1_168, 1_600, 2_456, 2_683)


def measured_delay(false_alarm_every: int) -> int:
    """Return about how many labelled rows pass until an alarm, if labels flip in a tenth of the rows.

    Medians measured on losses of 0 and 1, errors of .1 to .26 and references of 4,000 rows, set to one in
    1,000 and each power of ten up to 1,000,000,000 (``tests/benchmarks/quality/bench_loss_monitor.py``).
    Between these the delay is taken as linear in the logarithm, and beyond them as the last one.

    Parameters
    ----------
    false_alarm_every
        Rows per false alarm.

    Examples
    --------
    >>> measured_delay(10_000)
    360
    """
    return 10 * round(float(np.interp(math.log10(false_alarm_every), _EVERY, _ROWS)) / 10)
