from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamapp.quality.stream_time import StreamTime


@given(st.lists(st.lists(st.integers(0, 50), max_size=8), max_size=8))
def test_many_at_once_are_as_one_after_the_other(batches: list[list[int]]) -> None:
    one, many = StreamTime(), StreamTime()
    for batch in batches:
        after = []
        for time_ms in batch:
            one.see(time_ms)
            after.append(time_ms if one.now_ms is None else one.now_ms)
        assert many.see_many(np.array(batch, dtype=np.int64)).tolist() == after
        assert many.snapshot() == one.snapshot()


times = st.lists(st.integers(-(10**12), 10**13), max_size=40)


def after(event_times: list[int]) -> StreamTime:
    time = StreamTime()
    for event_time_ms in event_times:
        time.see(event_time_ms)
    return time


def test_there_is_no_time_before_the_third_record() -> None:
    assert after([10, 11]).now_ms is None
    assert after([10, 11, 12]).now_ms == 10


def test_two_strays_far_ahead_move_nothing() -> None:
    assert after([10, 11, 12, 10**9, 10**9, 13, 12]).now_ms == 13


def test_a_run_ahead_moves_it() -> None:
    assert after([10, 11, 12, 900, 901, 902]).now_ms == 900


@given(times)
def test_it_is_the_largest_time_that_three_of_five_had_reached(event_times: list[int]) -> None:
    windows = [event_times[max(0, end - 5) : end] for end in range(3, len(event_times) + 1)]
    reached = [sorted(window)[-3] for window in windows]
    assert after(event_times).now_ms == max(reached, default=None)


@given(times, st.data())
def test_it_goes_on_from_a_snapshot_taken_anywhere(event_times: list[int], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(event_times)))
    restored = StreamTime.restore(after(event_times[:cut]).snapshot())
    for event_time_ms in event_times[cut:]:
        restored.see(event_time_ms)
    assert restored.snapshot() == after(event_times).snapshot()
