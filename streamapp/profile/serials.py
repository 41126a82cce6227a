"""Numbers that are no measurements: serials and times, which go on and never come back."""

from __future__ import annotations

import numpy as np

__all__ = ["are_serial"]

_ROWS = 100
_LATER = 10
"""A tenth of the rows: within it neighbours may have changed places."""
_LARGER = 0.99
_REPEATS = 20
"""Rows that share a value, on average, at most: lines of an order, events of a second."""
_SURELY = 20
"""Coincidences that independent draws would have at least, for their absence to mean something."""
_COPIES = 0.1
"""Of these so many may be there: rows that came twice."""


def are_serial(values: np.ndarray) -> bool:
    """Whether numbers tell one row from another, and nothing of it: serials, keys, times.

    Parameters
    ----------
    values
        (n,) float64, finite, in the order in which the rows came, as far as that is known.

    Notes
    -----
    A window of the stream is short. What advances with the rows always lies elsewhere in it than in the
    reference, and would be drift for ever. A measurement that drifts slowly must not be taken for such a
    number, as it would not be watched; so one of three things must hold, in 100 rows or more.

    - All are different, and each is larger than the one before it, or each is smaller.
    - Whole numbers, of which 99 % are larger than that of a tenth of the rows before (neighbours may have
      changed places: merged partitions, retries), and hardly any comes more than 20 times. Noise of a
      thirtieth of its trend, a turn back, a fall or a fraction make a column a measurement.
    - Whole numbers hardly ever coincide where they must if each row drew its own: n draws from r numbers,
      whatever their chances, have about n²/2r coincidences or more [1]_. This tells a serial also where the
      rows were shuffled and nobody said so.

    References
    ----------
    .. [1] A. G. Munford, "A note on the uniformity assumption in the birthday problem", The American
       Statistician 31, 1977.

    Examples
    --------
    >>> serial = np.arange(1000.0)
    >>> are_serial(serial // 2), are_serial(serial % 500), are_serial(np.sin(serial))
    (True, False, False)
    >>> are_serial(np.random.default_rng(0).permutation(serial))
    True
    """
    n = len(values)
    if n < _ROWS:
        return False
    steps = np.diff(values)
    if np.all(steps > 0) or np.all(steps < 0):
        return True
    if not np.array_equal(values, np.floor(values)):
        return False
    distinct, later = len(np.unique(values)), n // _LATER
    if distinct * _REPEATS >= n and np.mean(values[later:] > values[:-later]) >= _LARGER:
        return True
    numbers = float(values.max() - values.min()) + 1
    coincidences = n + numbers * np.expm1(-n / numbers)
    return bool(coincidences >= _SURELY and n - distinct <= _COPIES * coincidences)
