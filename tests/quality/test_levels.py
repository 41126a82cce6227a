from __future__ import annotations

import numpy as np
import orjson
import pytest

from streamapp.models.column import Array
from streamapp.quality.levels import Levels
from streamapp.quality.metrics import mean_interval


def column(*levels: str | None) -> Array:
    return np.array(levels, dtype=object)


def filled() -> Levels:
    levels = Levels(6)
    levels.put([0, 1, 2], levels.codes({"hub": column("n", "s", "n")}, 3))
    return levels


def test_each_level_has_its_rows_loss_and_interval() -> None:
    north, south = filled().losses(np.array([0.0, 1.0, 1.0]))
    assert (north.column, north.level, north.rows, north.loss) == ("hub", "n", 2, 0.5)
    assert north.interval == mean_interval([0.0, 1.0])
    assert (south.level, south.rows, south.loss) == ("s", 1, 1.0)


def test_rows_without_a_level_are_of_no_segment() -> None:
    levels = Levels(2)
    levels.put([0, 1], levels.codes({"hub": column(None, "n")}, 2))
    assert [(loss.level, loss.rows) for loss in levels.losses(np.zeros(2))] == [("n", 1)]


def test_another_model_may_have_other_columns() -> None:
    levels = filled()
    levels.put([2, 3], levels.codes({"size": column("big", "big")}, 2))
    assert [(loss.column, loss.rows) for loss in levels.losses(np.zeros(4))] == [
        ("hub", 1), ("hub", 1), ("size", 2),
    ]  # fmt: skip
    levels.put([0, 1], levels.codes({}, 2))
    assert [(loss.column, loss.rows) for loss in levels.losses(np.zeros(4))] == [("size", 2)]


def test_of_rows_in_the_same_slot_the_last_counts() -> None:
    levels = filled()
    levels.put([0, 0], levels.codes({"hub": column("n", "s")}, 2))
    assert [(loss.level, loss.rows) for loss in levels.losses(np.zeros(3))] == [("n", 1), ("s", 2)]


def test_columns_and_levels_are_bounded() -> None:
    levels = Levels(3)
    for i in range(100):
        levels.put([0], levels.codes({f"c{i}": column(f"l{i}")}, 1))
    assert [loss.column for loss in levels.losses(np.zeros(1))] == ["c99"]
    names = [f"l{i}" for i in range(1_000)]
    levels = Levels(1_000)
    levels.put(range(1_000), levels.codes({"c": column(*names)}, 1_000))
    assert len(levels.losses(np.zeros(1_000))) == 200


def test_a_restart_changes_nothing() -> None:
    levels, again = filled(), Levels(6)
    again.restore(orjson.loads(orjson.dumps(levels.snapshot())))
    losses = np.array([0.0, 1.0, 1.0])
    assert again.losses(losses) == levels.losses(losses)
    assert again.snapshot() == levels.snapshot()
    assert again.losses(losses)[0].loss == pytest.approx(0.5)
