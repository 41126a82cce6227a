"""Rows of one request are told apart where rows count, and are one answer where answers do."""

from __future__ import annotations

import numpy as np
import orjson

from streamapp.quality.accuracy import AccuracyWindow
from streamapp.quality.estimate import AccuracyEstimate
from streamapp.quality.labelled_rows import losses_of
from tests.quality.test_accuracy import CLASSES, filled, read, record
from tests.quality.test_estimate import answers, calibration, counts

THREE = [record(7, "busy", label, row=at) for at, label in enumerate(("busy", "calm", "busy"))]


def test_each_row_counts_once_in_the_accuracy() -> None:
    quality = filled(*THREE, *THREE).quality()
    assert quality is not None
    assert quality.rows == 3
    assert quality.metrics["accuracy"] == 2 / 3


def test_a_request_counts_once_in_coverage_and_windows() -> None:
    rest = [record(offset, "busy", "busy") for offset in (8, 9, 11)]
    window = filled(*THREE, *rest)
    quality = window.quality()
    assert quality is not None
    assert quality.coverage.by_partition == {0: 0.8}
    assert [each.rows for each in quality.windows] == [4]


def test_a_window_from_before_requests_had_rows_goes_on_with_the_first() -> None:
    window = filled(record(7, "busy", "busy"))
    snapshot = orjson.loads(orjson.dumps(window.snapshot()))
    ((partition, offset, row, *entry),) = snapshot["labels"]
    assert (partition, offset, row) == (0, 7, 0)
    old = AccuracyWindow.restore(snapshot | {"labels": [[partition, offset, *entry]]})
    rows = read(*THREE)
    old.add(rows, losses_of(rows, "zero-one", None, CLASSES), CLASSES)
    quality = old.quality()
    assert quality is not None
    assert quality.rows == 3


def test_labelled_rows_of_an_estimate_are_told_apart_and_old_ones_are_first() -> None:
    rows = read(*[record(7, "yes", "yes", {"no": 0.25, "yes": 0.75}, row=at) for at in range(3)])
    estimate = AccuracyEstimate()
    estimate.follow("v1", calibration())
    estimate.see(0, 0, counts(answers(np.random.default_rng(1), 64)[1]))
    estimate.verify(rows)
    snapshot = orjson.loads(orjson.dumps(estimate.snapshot()))
    assert [place[:3] for place in snapshot["labelled"]] == [[0, 7, 0], [0, 7, 1], [0, 7, 2]]
    old = AccuracyEstimate()
    old.load(snapshot | {"labelled": [[0, 7, 0.75, True]]}, calibration())
    old.verify(rows)
    found = old.now()
    assert found is not None
    assert found.labelled_rows == 3
