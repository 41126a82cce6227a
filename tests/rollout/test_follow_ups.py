from __future__ import annotations

import json

import numpy as np
import pytest

from streamapp.rollout.follow_ups import FollowUps


def follow(*, since: int = 1_000, at: int = 1_300, usual: float | None = 0.2) -> FollowUps:
    follow_ups = FollowUps()
    follow_ups.begin(cause="alert", since=since, at=at, usual=usual)
    return follow_ups


def due(follow_ups: FollowUps, begin: int, end: int, loss: float = 1.0, step: int = 10_000) -> list[int]:
    """Offsets at which a training is due."""
    found: list[int] = []
    for start in range(begin, end, step):
        offsets = np.arange(start, min(start + step, end))
        found += offsets[follow_ups.see(offsets, np.full(len(offsets), loss))].tolist()
    return found


@pytest.mark.parametrize("step", [1, 97, 10_000])
def test_trainings_follow_at_twice_the_rows_until_four_thousand(step: int) -> None:
    assert due(follow(), 1_300, 9_000, step=step) == [2_000, 3_000, 5_000]
    assert due(follow(at=1_800), 1_800, 9_000, step=step) == [2_600, 4_200]


def test_nothing_follows_where_nothing_changed() -> None:
    assert due(FollowUps(), 0, 10_000) == []


def test_they_end_when_the_answers_are_as_good_as_before() -> None:
    follow_ups = follow()
    assert due(follow_ups, 1_300, 2_001, loss=0.5) == [2_000]
    assert follow_ups.is_active
    assert due(follow_ups, 2_001, 9_000, loss=0.1) == []
    assert not follow_ups.is_active


def test_only_the_answers_since_the_last_training_count() -> None:
    follow_ups = follow()
    assert due(follow_ups, 1_300, 1_900, loss=0.05) == []
    # 700 rows to the first: 600 good ones and 100 bad ones are within the usual.
    assert due(follow_ups, 1_900, 9_000, loss=1.0) == []
    again = follow()
    assert due(again, 1_300, 2_000, loss=1.0) == []
    assert due(again, 2_000, 2_999, loss=0.0) == [2_000]
    assert due(again, 2_999, 9_000, loss=1.0) == []


def test_rows_that_do_not_count_say_nothing_and_without_a_baseline_all_follow() -> None:
    assert due(follow(), 1_300, 9_000, loss=np.nan) == [2_000, 3_000, 5_000]
    assert due(follow(usual=None), 1_300, 9_000, loss=0.0) == [2_000, 3_000, 5_000]


def test_a_later_change_takes_the_place_of_an_earlier_one_but_not_the_other_way_round() -> None:
    follow_ups = follow()
    follow_ups.begin(cause="later", since=1_500, at=1_600, usual=0.2)
    assert due(follow_ups, 1_600, 4_000) == [2_500, 3_500]
    follow_ups.begin(cause="wide window", since=100, at=4_000, usual=0.2)
    assert (follow_ups.cause, follow_ups.since) == ("wide window", 1_500)


@pytest.mark.parametrize("cut", [1_301, 1_999, 2_000, 2_001, 4_000])
def test_a_snapshot_goes_on_as_if_nothing_had_been(cut: int) -> None:
    follow_ups = follow()
    found = due(follow_ups, 1_300, cut)
    again = FollowUps.restore(json.loads(json.dumps(follow_ups.snapshot())))
    assert found + due(again, cut, 9_000) == [2_000, 3_000, 5_000]
    assert FollowUps.restore(None).is_active is False
