from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pytest

from streamapp.models.segments import SegmentColumn, Segments
from streamapp.rollout.segment_losses import SegmentLosses

SEGMENTS = Segments((SegmentColumn("hour", "integer", ("8", "17")), SegmentColumn("city", "string", ("a",))))


def rows(rng: np.random.Generator, n: int) -> list[dict[str, Any]]:
    hours, cities = rng.choice([8, 17, 3], n), rng.choice(["a", "b"], n)
    return [{"hour": int(hour), "city": str(city)} for hour, city in zip(hours, cities, strict=True)]


def found(losses: SegmentLosses, **options: Any) -> tuple[str, str] | None:
    worst = losses.worst(**({"margin": 0.05, "alpha": 0.05, "least_rows": 100} | options))
    return None if worst is None else (worst.column, worst.level)


def test_a_segment_that_is_far_worse_is_named() -> None:
    rng = np.random.default_rng(0)
    features = rows(rng, 2_000)
    worse = np.array([row["hour"] == 8 for row in features])
    losses = SegmentLosses(SEGMENTS)
    losses.add(features, np.where(worse, 0.15, -0.1) + rng.normal(0, 0.2, 2_000))
    assert found(losses) == ("hour", "8")
    assert found(losses, margin=0.2) is None
    assert found(losses, least_rows=1_500) is None


@pytest.mark.parametrize("mean", [0.0, 0.05])
def test_segments_that_are_no_worse_than_the_bound_are_seldom_named(mean: float) -> None:
    """Five segments together, level 5 %: at most 8 % of 300 seeds, by chance."""
    named = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        losses = SegmentLosses(SEGMENTS)
        losses.add(rows(rng, 1_000), mean + rng.normal(0, 0.3, 1_000))
        named += found(losses) is not None
    assert named <= 24


def test_rare_levels_are_judged_together() -> None:
    losses = SegmentLosses(SEGMENTS)
    losses.add([{"hour": 3, "city": None}] * 200, np.full(200, 0.2))
    assert found(losses) in {("hour", "other"), ("city", "other")}


def test_batches_and_restarts_change_nothing() -> None:
    rng = np.random.default_rng(1)
    features, differences = rows(rng, 300), rng.normal(0, 0.3, 300)
    whole = SegmentLosses(SEGMENTS)
    whole.add(features, differences)
    losses = SegmentLosses(SEGMENTS)
    for start, end in pairwise([0, 1, 77, 78, 300]):
        losses.add(features[start:end], differences[start:end])
        again = SegmentLosses(SEGMENTS)
        again.restore(orjson.loads(orjson.dumps(losses.snapshot())))
        losses = again
    assert losses.snapshot() == whole.snapshot()


def test_without_segments_there_is_nothing_to_object() -> None:
    losses = SegmentLosses(Segments())
    losses.add([{"hour": 8}] * 500, np.ones(500))
    assert found(losses) is None
