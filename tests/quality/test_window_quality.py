from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from streamapp.quality.answer_windows import AnswerWindows
from streamapp.quality.metrics import mean_interval
from streamapp.quality.window_quality import SHARES, WindowQuality, judge_windows
from tests.quality.window_log import CLASSES, Stream, two_classes


def judged(stream: Stream, size: int = 2_000) -> list[WindowQuality]:
    return list(judge_windows(stream.feed(AnswerWindows(size)))[0])


def test_before_the_first_label_there_is_nothing() -> None:
    assert judge_windows(AnswerWindows()) == ((), ())


def test_labels_at_once_are_mature_and_have_the_plain_interval() -> None:
    rng = np.random.default_rng(5)
    right = rng.random(5_000) < 0.9
    *closed, growing = judged(Stream(np.zeros(5_000), right, np.zeros(5_000)))
    assert [window.is_mature for window in closed] == [True, True]
    assert not growing.is_mature
    for i, window in enumerate(closed):
        own = right[2_000 * i : 2_000 * (i + 1)]
        accuracy = window.accuracy
        assert accuracy is not None
        assert accuracy.mean == pytest.approx(own.mean())
        assert (accuracy.low, accuracy.high) == pytest.approx(mean_interval(own), abs=1e-5)
        assert (window.coverage, window.arrived, window.rows) == (1.0, 1.0, 2_000)


@pytest.mark.parametrize("seed", range(3))
def test_early_labels_are_weighted_and_called_early(seed: int) -> None:
    until = 30_000
    stream = two_classes(until, seed, until=until)
    windows = stream.feed(AnswerWindows())
    found, arrivals = judge_windows(windows)
    assert [w.is_mature for w in found] == sorted((w.is_mature for w in found), reverse=True)
    assert found[0].is_mature
    early = found[-3]
    assert not early.is_mature
    first = windows.windows[-3].first[0]
    truth = stream.right[first : first + early.answers].mean()
    labelled = windows.windows[-3].rows()["right"].mean()
    assert early.accuracy is not None
    assert abs(early.accuracy.mean - truth) < abs(labelled - truth)
    assert early.accuracy.low <= truth <= early.accuracy.high
    assert early.coverage < early.arrived + 0.05 < 1.0
    # Of each class the curve is that of its delays.
    every, *classes = arrivals
    assert every.label is None
    medians = {arrival.label: arrival.ages_ms[SHARES.index(0.5)] for arrival in classes}
    assert medians["calm"] == pytest.approx(500_000 * np.log(2), rel=0.1)
    assert medians["busy"] == pytest.approx(3_000_000 * np.log(2), rel=0.15)


def test_an_early_interval_is_wider_than_that_of_its_rows() -> None:
    stream = two_classes(30_000, 9, until=30_000)
    windows = stream.feed(AnswerWindows())
    early = judge_windows(windows)[0][-2].accuracy
    low, high = mean_interval(windows.windows[-2].rows()["right"])
    assert early is not None
    assert early.high - early.low > 1.1 * (high - low)


def test_a_class_of_which_nothing_has_come_yet_keeps_a_window_early() -> None:
    n = 12_000
    y = np.arange(n) % 2
    # All labels of the second class come at once after 3,000 s: a window younger than that has none of them.
    stream = Stream(y, y == 0, np.where(y == 1, 3_000.0, 0.0), until=n)
    windows = stream.feed(AnswerWindows(1_000))
    found = judge_windows(windows)[0]
    young = found[-3]
    assert windows.windows[-3].rows()["classes"].tolist() == [1.0] * young.rows
    assert young.arrived == pytest.approx(0.5, abs=0.05)
    assert not young.is_mature
    assert found[0].is_mature


def test_labels_that_never_come_lower_the_coverage_alone() -> None:
    rng = np.random.default_rng(4)
    n = 20_000
    delays = np.where(rng.random(n) < 0.7, np.inf, rng.exponential(300.0, n))
    found = judged(Stream(np.zeros(n), np.ones(n), delays, until=n))
    assert found[0].is_mature
    assert found[0].coverage == pytest.approx(0.3, abs=0.05)
    assert found[0].rows < 800


def test_a_stream_that_has_just_begun_is_early_throughout() -> None:
    found = judged(two_classes(5_000, 2, (3_000, 30_000), until=5_000))
    assert len(found) >= 2
    assert not any(window.is_mature for window in found)


def test_a_regressor_has_a_loss_and_no_accuracy() -> None:
    stream, windows = Stream(np.zeros(4_000), np.ones(4_000), np.zeros(4_000)), AnswerWindows()
    losses = np.random.default_rng(1).random(4_000)
    windows.add(stream.rows, losses, np.full(4_000, np.nan), None)
    (window, *_), arrivals = judge_windows(windows)
    assert window.accuracy is None
    assert window.loss.mean == pytest.approx(losses[:2_000].mean(), abs=1e-4)
    assert (window.loss.low, window.loss.high) == pytest.approx(mean_interval(losses[:2_000]), abs=1e-4)
    assert [arrival.label for arrival in arrivals] == [None]


def test_what_is_said_is_the_same_after_a_restart() -> None:
    stream = two_classes(9_000, 6, partitions=3, until=9_000)
    windows = stream.feed(AnswerWindows(500))
    again = AnswerWindows.restore(windows.snapshot())
    assert judge_windows(again) == judge_windows(windows)


def test_labels_that_name_the_time_of_their_request_are_dated_by_the_stream() -> None:
    stream = two_classes(30_000, 8, until=30_000)
    stream.rows = dataclasses.replace(stream.rows, labelled_at_ms=stream.rows.times_ms)
    windows = AnswerWindows()
    windows.add(stream.rows, 1 - stream.marks, stream.marks, CLASSES)
    early = judge_windows(windows)[0][-3]
    truth = stream.right[windows.windows[-3].first[0] :][: early.answers].mean()
    assert early.accuracy is not None
    assert early.accuracy.low <= truth <= early.accuracy.high
    assert not early.is_mature
