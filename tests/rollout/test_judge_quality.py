"""What a judge keeps of the answers' quality: by segment, and in a snapshot that fits into a changelog."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamapp.models import Predictions, Rows
from streamapp.models.segments import SegmentColumn, Segments
from streamapp.quality.labelled_rows import LabelledRows, as_objects
from streamapp.rollout import Candidate, Judge
from tests.rollout.conftest import SETTINGS

CLASSES = ("calm", "busy")
HUB = SegmentColumn("hub", "integer", tuple(str(i) for i in range(20)))


def rows(n: int) -> LabelledRows:
    """Rows that hardly compress: probabilities, times and delays are random, labels out of order."""
    rng = np.random.default_rng(3)
    times_ms = rng.exponential(30_000, n).cumsum().astype(np.int64)
    came_ms = times_ms + rng.exponential(60_000_000, n).astype(np.int64)
    order = np.argsort(came_ms, kind="stable")
    p = rng.random(n).tolist()
    return LabelledRows(
        offsets=np.arange(n),
        times_ms=times_ms[order],
        versions=as_objects(["v1"] * n),
        predictions=as_objects([CLASSES[q > 0.5] for q in p]),
        labels=as_objects([CLASSES[i] for i in rng.integers(0, 2, n)]),
        probabilities=[{"calm": 1 - q, "busy": q} for q in p],
        features=[{"hub": i % 21} for i in range(n)],
        persons=np.zeros(n, dtype=np.bool_),
        revisions=np.zeros(n, dtype=np.int64),
        review_probabilities=np.full(n, np.nan),
        review_dropped=np.zeros(n, dtype=np.int64),
        partitions=order % 4,
        request_offsets=order // 4,
        request_rows=np.zeros(n, dtype=np.int64),
        labelled_at_ms=came_ms[order],
    )


def unasked(rows: Rows) -> Predictions:
    raise NotImplementedError


def judge_of(**fields: Any) -> Judge:
    judge = Judge("bikes", **SETTINGS)
    judge.follow(Candidate(version="v1", predict=unasked, loss="brier", classes=CLASSES, **fields), {})
    return judge


def test_accuracy_is_told_apart_by_the_champions_segments() -> None:
    judge = judge_of(segments=Segments((HUB,)))
    judge.fold(rows(2_100))
    quality = judge.quality
    assert quality is not None
    assert {(s.column, s.level) for s in quality.segments} == {
        ("hub", level) for level in (*HUB.levels, "other")
    }
    assert sum(segment.rows for segment in quality.segments) == quality.rows == 2_000
    mean = sum(segment.rows * segment.loss for segment in quality.segments) / quality.rows
    assert abs(mean - quality.metrics["loss"]) < 1e-9


def test_without_segments_there_are_none() -> None:
    judge = judge_of()
    judge.fold(rows(50))
    assert judge.quality is not None
    assert judge.quality.segments == ()


def test_with_full_windows_a_snapshot_fits_into_the_changelog() -> None:
    judge = judge_of(segments=Segments((HUB,)))
    judge.fold(rows(24_000))
    quality = judge.quality
    assert quality is not None
    assert len(quality.windows) == 10
    snapshot = judge.snapshot()
    assert len(snapshot) < 300_000
    again = Judge.restore(snapshot, "bikes", **SETTINGS)
    assert again.quality == quality
