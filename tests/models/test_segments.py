from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier

from streamapp.errors import SignatureError
from streamapp.models import Bundle
from streamapp.models.segments import MAX_LEVELS, Segments


def packed(segments: list[str], like: Bundle | None = None) -> Bundle:
    n = 200
    X = pd.DataFrame(
        {
            "city": [f"city-{i % 30:02d}" if i % 2 else "big" for i in range(n)],
            "storey": [i % 3 for i in range(n)],
            "lift": [None if i % 10 == 0 else i % 2 == 0 for i in range(n)],
            "area": np.linspace(20.0, 90.0, n),
        }
    )
    y = np.array(["cheap", "dear"] * (n // 2))
    model = DummyClassifier().fit(X, y)
    return Bundle.create(model, X, y, name="flats", segments=segments, like=like)


def test_levels_are_the_most_frequent_ones_and_stay_with_the_bundle(tmp_path: Path) -> None:
    bundle = packed(["city", "storey", "lift"])
    city, lift, storey = bundle.segments.columns
    assert city.levels[0] == "big"
    assert len(city.levels) == 16
    assert storey.levels == ("0", "1", "2")
    assert lift.levels == ("false", "true", "missing")
    again = Bundle.load(bundle.save(tmp_path / "b"))
    assert again.segments == bundle.segments
    assert packed([], like=again).segments == bundle.segments


def test_rows_fall_into_levels_as_they_stand_in_requests() -> None:
    segments = packed(["city", "storey", "lift"]).segments
    rows: list[dict[str, Any] | None] = [
        {"city": "big", "storey": 1, "lift": True},
        {"city": "nowhere", "storey": 2.0, "lift": None},
        {"city": None, "storey": 7},
        None,
    ]
    found = {name: levels.tolist() for name, levels in segments.of(rows).items()}
    assert found == {
        "city": ["big", "other", "other", "other"],
        "storey": ["1", "2", "other", "other"],
        "lift": ["true", "missing", "missing", "missing"],
    }


def test_there_are_no_more_levels_than_a_person_reads() -> None:
    X = pd.DataFrame({"zip": [f"{i % 100:02d}" for i in range(2_000)]})
    y = np.array(["a", "b"] * 1_000)
    model = DummyClassifier().fit(X, y)
    bundle = Bundle.create(model, X, y, name="zips", segments=["zip"])
    assert len(bundle.segments.columns[0].levels) == MAX_LEVELS


def test_without_segments_there_is_no_file(tmp_path: Path) -> None:
    bundle = packed([])
    assert bundle.segments == Segments()
    assert "segments.json" not in bundle.manifest.files


def test_the_baseline_knows_the_losses_of_each_level(tmp_path: Path) -> None:
    X = pd.DataFrame({"lift": [True, False] * 50, "city": ["a"] * 60 + ["b"] * 40})
    y = np.array(["cheap", "cheap", "cheap", "dear"] * 25)  # the model says cheap: wrong in half of no-lift
    model = DummyClassifier(strategy="most_frequent").fit(X, y)
    bundle = Bundle.create(model, X, y, name="flats", segments=["lift", "city"], holdout=(X, y))
    assert bundle.baseline is not None
    found = {(s.column, s.level): (s.rows, s.mean) for s in bundle.baseline.segments}
    assert found == {
        ("city", "a"): (60, 0.25), ("city", "b"): (40, 0.25), ("lift", "true"): (50, 0.0),
        ("lift", "false"): (50, 0.5),
    }  # fmt: skip
    assert Bundle.load(bundle.save(tmp_path / "b")).baseline == bundle.baseline
    plain = Bundle.create(model, X, y, name="flats", holdout=(X, y))
    assert plain.baseline is not None
    assert "segments" not in plain.baseline.to_dict()


@pytest.mark.parametrize(
    ("column", "says"),
    [("street", "'street' is no input of the model; it has city, storey"), ("area", "'area' holds floats")],
)
def test_what_has_no_levels_is_refused(column: str, says: str) -> None:
    with pytest.raises(SignatureError, match=says):
        packed([column])
