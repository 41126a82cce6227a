from __future__ import annotations

import numpy as np
import pytest

from streamapp.dashboard.panes import KeptPanes
from streamapp.messages import Distribution
from streamapp.profile import Summary

ROWS = 64
BINS = 4
NOTHING = np.zeros(0, dtype=np.int64)


def pane(first: int, *, version: str = "a", partition: int = 0, events: int = ROWS) -> Distribution:
    return Distribution(
        version=version, partition=partition, first_offset=first, next_offset=first + events,
        events=events, rows=events, from_=0, to=1,
    )  # fmt: skip


def summary(rows: int) -> Summary:
    """All rows of the inputs in the first bin, of the outputs in the last."""
    counts = np.array([rows, 0], dtype=np.int64)
    return Summary("layout", rows, counts, NOTHING, NOTHING, rows, counts[::-1])


def kept(*panes: Distribution, limit: int = 1 << 20) -> KeptPanes:
    panes_kept = KeptPanes(limit)
    for one in panes:
        panes_kept.add(one, summary(one.events))
    return panes_kept


def rows_within(panes: KeptPanes, version: str = "a", **partitions: tuple[int, int]) -> int:
    """Rows of inputs in ranges of offsets, by partition as ``p0``; as many are there of outputs."""
    counts, requests = panes.within(version, {name[1:]: range_ for name, range_ in partitions.items()})
    if counts is None:
        assert requests == 0
        return 0
    assert counts.tolist() == [requests, 0, 0, requests]
    return int(counts[0])


def test_a_window_has_the_panes_that_lie_in_it_wholly() -> None:
    panes = kept(*(pane(first) for first in range(0, 640, ROWS)))
    assert rows_within(panes, p0=(0, 640)) == 640
    assert rows_within(panes, p0=(64, 192)) == 128
    assert rows_within(panes, p0=(65, 192)) == 64
    assert rows_within(panes, p0=(64, 191)) == 64
    assert rows_within(panes, p0=(640, 1_280)) == 0
    assert rows_within(panes) == 0


def test_versions_and_partitions_are_told_apart() -> None:
    panes = kept(pane(0), pane(0, version="b"), pane(0, partition=1), pane(64, partition=1))
    assert rows_within(panes, p0=(0, 64)) == 64
    assert rows_within(panes, p0=(0, 64), p1=(0, 128)) == 192
    assert rows_within(panes, "b", p0=(0, 64), p1=(0, 128)) == 64
    assert rows_within(panes, "c", p0=(0, 64)) == rows_within(panes, p2=(0, 64)) == 0


def test_a_pane_that_is_out_of_order_is_found() -> None:
    assert rows_within(kept(pane(128), pane(0), pane(64)), p0=(0, 128)) == 128


def test_a_pane_that_comes_again_counts_once() -> None:
    panes = kept(pane(0), pane(64), pane(64))
    assert len(panes) == 2
    assert rows_within(panes, p0=(0, 128)) == 128


def test_of_a_topic_made_anew_the_new_panes_count() -> None:
    assert rows_within(kept(pane(0), pane(0, events=16)), p0=(0, 64)) == 16


@pytest.mark.parametrize("repeats", [1, 3])
def test_the_oldest_go_when_there_is_no_more_room(repeats: int) -> None:
    one = BINS * np.dtype(np.uint32).itemsize
    firsts = [first for first in range(0, 640, ROWS) for _ in range(repeats)]
    panes = kept(*map(pane, firsts), limit=3 * one)
    assert len(panes) == 3
    assert rows_within(panes, p0=(0, 640)) == rows_within(panes, p0=(448, 640)) == 192
    panes.add(pane(0, version="b"), summary(ROWS))
    assert rows_within(panes, p0=(0, 640)) == 128
