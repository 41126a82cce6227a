from __future__ import annotations

import numpy as np

from streamapp.quality.recent import RecentRequests

ZEROS = np.zeros(3, dtype=np.int64)


def test_memory_is_bounded_and_forgets_the_oldest() -> None:
    recent = RecentRequests(2)
    assert recent.add(ZEROS, np.array([1, 2, 3]), ZEROS).all()
    assert recent.snapshot() == [(0, 2, 0), (0, 3, 0)]
    assert recent.add(ZEROS, np.array([3, 2, 1]), ZEROS).tolist() == [False, False, True]


def test_what_was_seen_stays_seen_after_a_restart() -> None:
    recent, again = RecentRequests(), RecentRequests()
    recent.add(np.array([0, 1]), np.array([5, 6]), ZEROS[:2])
    again.restore(recent.snapshot())
    assert again.add(np.array([0, 1, 1]), np.array([5, 5, 6]), ZEROS).tolist() == [False, True, False]


def test_the_rows_of_a_request_are_told_apart_and_old_snapshots_know_the_first() -> None:
    recent = RecentRequests()
    recent.restore([(0, 5)])
    assert recent.add(ZEROS, np.array([5, 5, 5]), np.array([0, 1, 1])).tolist() == [False, True, False]
