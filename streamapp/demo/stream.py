"""The year as one stream: requests and labels in the order in which they become known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from streamapp.demo.flights import Ints

__all__ = ["in_stream_order"]


def in_stream_order(asked_ms: Ints, known_ms: Ints) -> Iterator[tuple[bool, int]]:
    """Yield (whether it is a label, row): at each request, all labels known by then were before it.

    Parameters
    ----------
    asked_ms
        Times of the requests, (n,).
    known_ms
        When their labels are known, (n,), each later than its request.

    Examples
    --------
    >>> list(in_stream_order(np.array([10, 20, 30]), np.array([20, 25, 99])))
    [(False, 0), (True, 0), (False, 1), (True, 1), (False, 2), (True, 2)]
    """
    n = len(asked_ms)
    # Of equal times the label comes first: a stable sort keeps what stands first first.
    for position in np.argsort(np.concatenate([known_ms, asked_ms]), kind="stable").tolist():
        yield position < n, position % n if n else 0
