from __future__ import annotations

import numpy as np
import pytest

from streamapp.drift import Pane, Span
from streamapp.drift.rounds import MAX_PANES, Rounds
from streamapp.profile import Profile

EMPTY = Profile.fit({"x": np.arange(10.0)}).empty()


def pane(partition: int, events: int = 64) -> Pane:
    return Pane(partition, Span(0, 1, events, {partition: (0, events)}), EMPTY)


def closes(rounds: Rounds, partitions: list[int], events: int = 64) -> list[int]:
    """Return how many panes each pane closes."""
    return [len(rounds.add(pane(partition, events))) for partition in partitions]


def test_with_one_partition_each_pane_is_a_round_after_a_first_one_of_four() -> None:
    assert closes(Rounds(), [0] * 8) == [0, 0, 0, 4, 1, 1, 1, 1]


def test_the_first_round_of_four_partitions_takes_two_panes_of_each_the_next_one_of_each() -> None:
    rounds = Rounds()
    assert closes(rounds, [0, 1, 2, 3] * 2) == [0] * 7 + [8]
    assert closes(rounds, [0, 1, 2, 3, 3, 2, 2, 1, 0]) == [0, 0, 0, 4, 0, 0, 0, 0, 5]


def test_the_first_round_waits_for_a_second_pane_of_each_partition_seen() -> None:
    assert closes(Rounds(), [0, 0, 0, 1, 0, 2, 1, 2]) == [0, 0, 0, 0, 0, 0, 0, 8]


def test_sixteen_partitions_make_rounds_of_sixteen() -> None:
    assert closes(Rounds(), list(range(16)) * 2) == ([0] * 15 + [16]) * 2


def test_a_partition_that_falls_silent_delays_a_round_by_no_more_than_sixteen_panes() -> None:
    rounds = Rounds(active=frozenset({0, 1}))
    assert closes(rounds, [0] * MAX_PANES) == [0] * (MAX_PANES - 1) + [MAX_PANES]
    assert closes(rounds, [0]) == [1]


def test_a_new_partition_is_waited_for_from_the_next_round_on() -> None:
    rounds = Rounds(active=frozenset({0}))
    assert closes(rounds, [1, 0]) == [0, 2]
    assert closes(rounds, [0, 1]) == [0, 2]


@pytest.mark.parametrize("events", [1, 3, 10])
def test_small_panes_are_gathered_until_a_round_has_as_many_events_as_a_window(events: int) -> None:
    rounds = Rounds(active=frozenset({0}))
    panes = -(-64 // events)
    assert closes(rounds, [0] * panes, events) == [0] * (panes - 1) + [panes]
