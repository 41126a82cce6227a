from __future__ import annotations

import numpy as np

from streamapp.quality.recent import RecentRequests


def test_memory_is_bounded_and_forgets_the_oldest() -> None:
    recent = RecentRequests(2)
    assert recent.add(np.zeros(3, dtype=np.int64), np.array([1, 2, 3])).all()
    assert recent.snapshot() == [(0, 2), (0, 3)]
    assert recent.add(np.zeros(3, dtype=np.int64), np.array([3, 2, 1])).tolist() == [False, False, True]


def test_what_was_seen_stays_seen_after_a_restart() -> None:
    recent, again = RecentRequests(), RecentRequests()
    recent.add(np.array([0, 1]), np.array([5, 6]))
    again.restore(recent.snapshot())
    assert again.add(np.array([0, 1, 1]), np.array([5, 5, 6])).tolist() == [False, True, False]
