"""Snapshots of a model that goes on learning, and which of them belong together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from river import tree

from streamapp.errors import PredictionError
from streamapp.messages import Model, OffsetRange
from streamapp.models import Bundle
from streamapp.models.lineage import (
    awaits_snapshot,
    first_snapshot,
    is_gone_back_to,
    learned_until,
    next_snapshot,
    original,
    served_last,
)
from streamapp.models.snapshot import snapshot

LEARNED = [OffsetRange(topic="m.labelled", partition=0, start=10, end=70)]


@pytest.fixture
def first(frame: pd.DataFrame) -> Bundle:
    """A tree that has learned the temperature."""
    X, y = frame[["hour"]], frame.hour > 11
    model = tree.HoeffdingTreeClassifier(grace_period=20)
    for hour, label in zip(frame.hour.tolist(), y.tolist(), strict=True):
        model.learn_one({"hour": hour}, label)
    return Bundle.create(model, X, y, name="m", format="river", holdout=(X, y), created_at_ms=0)


def test_a_snapshot_has_the_model_and_keeps_what_it_is_measured_against(
    first: Bundle, tmp_path: Path
) -> None:
    before = first.predict([{"hour": 20}]).probabilities
    for _ in range(2_000):
        first.estimator.learn_one({"hour": 20}, False)
    made = snapshot(
        first, first.estimator, at_ms=5, newest_label_ms=4, training_data=LEARNED, caused_by=first.version
    )
    made.save(tmp_path / "b")
    loaded = Bundle.load(tmp_path / "b")
    loaded.check_golden()
    assert loaded.version == made.version != first.version
    after = loaded.predict([{"hour": 20}]).probabilities
    assert before is not None
    assert after is not None
    assert after[0, 0] > before[0, 0] + 0.1
    assert loaded.packed.files["profile.json"] == first.packed.files["profile.json"]
    assert loaded.baseline == first.baseline
    assert loaded.signature == first.signature
    manifest = loaded.manifest
    assert (manifest.trained_at_ms, manifest.newest_training_data_at_ms) == (5, 4)
    assert (manifest.training_data, manifest.caused_by) == (LEARNED, first.version)


class Broken(tree.HoeffdingTreeClassifier):  # type: ignore[misc]
    """A tree that has learned until nothing was left."""

    def predict_proba_one(self, x: dict[str, Any]) -> dict[bool, float]:
        return {True: float("nan"), False: 0.5}


def test_what_answers_with_nan_is_no_snapshot(first: Bundle) -> None:
    with pytest.raises(PredictionError, match="predict_proba returned nan"):
        snapshot(first, Broken(), at_ms=5, newest_label_ms=4, training_data=[], caused_by="x")


def record(version: str, state: str, end: int, caused_by: str | None = "a") -> tuple[str, Model]:
    part = OffsetRange(topic="m.labelled", partition=0, start=0, end=end)
    fields: dict[str, Any] = {"state": state, "bundle": "u", "sha256": "s", "format": "river"}
    return version, Model(version=version, training_data=[part], caused_by=caused_by, **fields)


def test_the_newest_snapshot_that_waits_is_next() -> None:
    records = dict(
        [
            record("a", "champion", 50, "an event"),
            record("b", "candidate", 50),
            record("c", "candidate", 90),
            record("x", "candidate", 200, "another event"),
        ]
    )
    assert [original(version, records) for version in "abcx"] == ["a", "a", "a", "x"]
    following = next_snapshot("a", records)
    assert following is not None
    assert (following.version, learned_until(following)) == ("c", 90)
    assert next_snapshot("c", records) is None
    assert next_snapshot("unknown", records) is None


def test_whoever_goes_back_is_not_overruled() -> None:
    records = dict(
        [
            record("a", "retired", 50, None),
            record("b", "champion", 90),
            record("c", "retired", 120),
            record("d", "candidate", 150),
        ]
    )
    assert is_gone_back_to("b", records)
    assert is_gone_back_to("a", records)
    assert next_snapshot("b", records) is None
    assert not is_gone_back_to("c", records)


def test_what_has_won_is_awaited_until_its_first_snapshot_serves() -> None:
    packed = [OffsetRange(topic="m.labelled", partition=0, start=0, end=20)]
    won = dict([record("a", "champion", 50, None), record("b", "candidate", 60)])
    assert awaits_snapshot("a", packed, won)
    assert first_snapshot("a", won) is None
    assert served_last("a", won) == "a"
    # One that did not learn on trial is what has won, and so is a version that nobody knows any more.
    assert not awaits_snapshot("a", won["a"].training_data, won)
    assert not awaits_snapshot("unknown", packed, won)
    later = dict(
        [
            record("a", "retired", 50, None),
            record("c", "champion", 90),
            record("b", "retired", 60),
            record("d", "candidate", 120),
            record("x", "retired", 200, None),
        ]
    )
    assert not awaits_snapshot("a", packed, later)
    begun = first_snapshot("a", later)
    assert begun is not None
    assert begun.version == "b"
    assert served_last("a", later) == "c"
    assert served_last("x", later) == "x"
