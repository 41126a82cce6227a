from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.errors import ConfigError
from streamapp.quality.answer_windows import KEPT, AnswerWindows
from tests.quality.window_log import CLASSES, Stream, two_classes


def again(windows: AnswerWindows) -> AnswerWindows:
    return AnswerWindows.restore(orjson.loads(orjson.dumps(windows.snapshot())))


def changed(stream: Stream, **columns: Any) -> Stream:
    stream.rows = dataclasses.replace(stream.rows, **columns)
    return stream


@pytest.mark.parametrize("partitions", [1, 3])
def test_windows_follow_each_other_and_count_answers(partitions: int) -> None:
    stream = two_classes(1_000, 1, (20, 60), partitions=partitions)
    windows = stream.feed(AnswerWindows(200)).windows
    assert [window.is_closed for window in windows] == [True] * (len(windows) - 1) + [False]
    assert 5 <= len(windows) <= 6
    for window, after in pairwise(windows):
        spanned = sum(after.first[p] - window.first.get(p, 0) for p in range(partitions))
        assert spanned == window.answers
        assert 200 <= window.answers < 220
        rows = window.rows()
        assert len(rows["offsets"]) == window.answers
        for p in range(partitions):
            own = rows["offsets"][rows["partitions"] == p]
            assert own.tolist() == list(range(window.first.get(p, 0), after.first[p]))


def test_answers_without_labels_are_counted() -> None:
    stream = Stream(np.zeros(2_000), np.ones(2_000), np.where(np.arange(2_000) % 10, np.inf, 0), until=1e9)
    windows = stream.feed(AnswerWindows(200)).windows
    assert [window.answers for window in windows[1:-1]] == [200] * (len(windows) - 2)
    assert [len(window) for window in windows[1:-1]] == [20] * (len(windows) - 2)


@given(st.sets(st.integers(0, 900), max_size=8), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_batches_and_restarts_change_nothing(cuts: set[int], partitions: int) -> None:
    stream = two_classes(900, 3, (50, 300), partitions=partitions)
    whole, windows = stream.feed(AnswerWindows(40)), AnswerWindows(40)
    bounds = sorted({0, *cuts, 900})
    for start, end in pairwise(bounds):
        windows = again(stream.feed(windows, start, end))
    assert windows.snapshot() == whole.snapshot()
    assert again(whole).snapshot() == whole.snapshot()


def test_the_last_label_counts_and_the_first_says_when_it_came() -> None:
    stream = Stream(np.zeros(60), np.ones(60), np.zeros(60))
    windows = stream.feed(AnswerWindows(20))
    before = windows.windows[1].rows()
    revisions = np.ones(60, dtype=np.int64)
    corrected = changed(Stream(np.ones(60), np.zeros(60), np.zeros(60)), revisions=revisions)
    corrected.feed(windows, 21, 22)
    after = windows.windows[1].rows()
    assert len(after["losses"]) == len(before["losses"]) == 20
    assert np.flatnonzero(after["losses"] != before["losses"]).tolist() == [1]
    assert (after["classes"][1], after["right"][1]) == (2, 0)
    assert after["ages"].tolist() == before["ages"].tolist()


def test_a_correction_of_an_answer_that_is_not_there_is_ignored() -> None:
    stream = Stream(np.zeros(30), np.ones(30), np.zeros(30))
    windows = changed(stream, revisions=np.ones(30, dtype=np.int64)).feed(AnswerWindows(20))
    assert [len(window) for window in windows.windows] == [0, 0]


def test_a_repeated_row_counts_once() -> None:
    stream = Stream(np.zeros(30), np.ones(30), np.zeros(30))
    windows = stream.feed(stream.feed(AnswerWindows(100)))
    assert (len(windows.windows[0]), windows.windows[0].answers) == (30, 30)


def test_where_labels_take_longer_windows_become_longer_and_keep_a_sample() -> None:
    stream = two_classes(40_000, 4, (10, 3_000))
    windows = stream.feed(AnswerWindows(100))
    assert len(windows.windows) == KEPT
    assert {window.stride for window in windows.windows} <= {8, 16, 32}
    for window in windows.windows[:3]:
        assert window.answers >= 100 * window.stride
        assert len(window) < 200
    assert len(orjson.dumps(windows.snapshot())) < 12_000


def test_a_leap_of_labels_makes_a_long_window_of_which_a_sample_is_kept() -> None:
    # The first labels are of the oldest answer and the newest, then those in between come.
    n = 20_000
    delays = np.arange(n)[::-1] + np.arange(n) * 1.0
    delays[0], delays[-1] = 0.0, -19_998.0
    stream = Stream(np.zeros(n), np.arange(n) % 2, delays)
    windows = stream.feed(AnswerWindows(100))
    long, _ = windows.windows
    assert (long.answers, long.stride, long.first) == (n, 256, {0: 0})
    assert 0.5 * n / 256 < len(long) < 1.5 * n / 256
    assert again(windows).snapshot() == windows.snapshot()


def test_windows_become_shorter_again() -> None:
    n = 60_000
    delays = np.where(np.arange(n) < 20_000, 3_000.0 * (np.arange(n) % 2), 0.0)
    windows = Stream(np.zeros(n), np.ones(n), delays)
    assert windows.feed(AnswerWindows(100), 0, 20_000).windows[-1].stride > 1
    assert windows.feed(AnswerWindows(100)).windows[-1].stride == 1


def test_a_sample_by_position_is_none_of_a_rhythm() -> None:
    n = 60_000
    right = np.arange(n) % 2
    delays = np.where(np.arange(n) % 7 == 0, 4_000.0, 0.0)
    windows = Stream(np.zeros(n), right, delays).feed(AnswerWindows(200)).windows
    sampled = [window for window in windows[:-1] if window.stride > 1]
    assert sampled
    shares = [float(window.rows()["right"].mean()) for window in sampled]
    assert shares == pytest.approx([0.5] * len(shares), abs=0.1)


def test_a_topic_made_anew_starts_windows_afresh() -> None:
    stream = Stream(np.zeros(1_000), np.ones(1_000), np.zeros(1_000))
    windows = stream.feed(AnswerWindows(100))
    later = changed(
        Stream(np.zeros(300), np.ones(300), np.zeros(300)),
        times_ms=1_000_000 + 1_000 * np.arange(300),
        labelled_at_ms=1_000_000 + 1_000 * np.arange(300),
    )
    cut = again(later.feed(again(windows), 0, 7))
    later.feed(cut, 7)
    later.feed(windows)
    assert [len(window) for window in windows.windows] == [100, 100, 80]
    assert cut.snapshot() == windows.snapshot()


def test_late_labels_of_old_requests_are_no_new_topic() -> None:
    stream = Stream(np.zeros(3_000), np.ones(3_000), np.where(np.arange(3_000) < 100, 2_950.0, 0.0))
    windows = stream.feed(AnswerWindows(100)).windows
    assert windows[0].first[0] > 100


def test_rows_without_a_loss_are_left_out() -> None:
    windows, stream = AnswerWindows(10), Stream(np.zeros(5), np.ones(5), np.zeros(5))
    windows.add(stream.rows, np.full(5, np.nan), np.full(5, np.nan), CLASSES)
    assert windows.windows[0].answers == 0


def test_regressors_have_losses_alone() -> None:
    windows, stream = AnswerWindows(10), Stream(np.zeros(5), np.ones(5), np.zeros(5))
    windows.add(stream.rows, np.linspace(0, 1, 5), np.full(5, np.nan), None)
    rows = windows.windows[0].rows()
    assert rows["losses"].tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert np.isnan(rows["right"]).all()
    assert windows.classes == []


def test_a_window_needs_answers() -> None:
    with pytest.raises(ConfigError, match="a window of 0 answers is too small"):
        AnswerWindows(0)
