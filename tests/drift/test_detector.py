from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamapp.drift.baseline import LiveBaseline
from streamapp.drift.detector import Detector
from streamapp.profile import Profile
from tests.drift.streams import CLASSES, Rows, fit, panes, rows

PROFILE = fit()


def looked(profile: Profile, seed: int = 1) -> tuple[Detector, np.ndarray]:
    """Return the detector after 2,560 rows, and its z of the last window."""
    detector = Detector(profile, 100_000)
    for pane in panes(profile, rows(seed, 2_560)):
        detector.push([pane])
    return detector, detector.scan.look().z[-1]


def test_each_component_is_divided_by_its_own_inflation() -> None:
    assert PROFILE.outputs is not None
    size = len(PROFILE.factor)
    outputs = len(PROFILE.outputs.factor)
    pairs = len(PROFILE.pairs)

    def with_factors(own: float, output: float, pair: float) -> Profile:
        assert PROFILE.outputs is not None
        infinite = np.full(size, np.inf)
        return replace(
            PROFILE,
            factor=np.full(size, own),
            blocks=infinite,
            pair_factor=np.full(pairs, pair),
            pair_blocks=np.full(pairs, np.inf),
            outputs=replace(
                PROFILE.outputs, factor=np.full(outputs, output), blocks=np.full(outputs, np.inf)
            ),
        )

    detector, plain = looked(with_factors(1, 1, 1))
    assert len(plain) == size + outputs + pairs
    assert plain.any()
    _, inflated = looked(with_factors(4, 9, 2.25))
    kinds = np.array([part.kind for part in detector.parts])
    for kind, root in (("input", 2), ("missing", 2), ("output", 3), ("correlation", 1.5)):
        assert inflated[kinds == kind] * root == pytest.approx(plain[kinds == kind])


def test_an_estimated_inflation_has_students_tail() -> None:
    size = len(PROFILE.factor)
    known = replace(PROFILE, factor=np.full(size, 2.0), blocks=np.full(size, np.inf))
    estimated = replace(known, blocks=np.full(size, 25.0))
    z, t = looked(known)[1][:size], looked(estimated)[1][:size]
    large = np.abs(z) > 0.5
    assert large.any()
    assert (np.abs(t[large]) < np.abs(z[large])).all()


def test_parts_of_the_same_name_are_told_apart_by_kind() -> None:
    columns, outputs = rows(0, 1_000)
    columns["prediction"] = columns.pop("x")
    detector = Detector(Profile.fit(columns, outputs, classes=CLASSES), 100_000)
    own = {part.kind for part in detector.parts if part.name == "prediction"}
    assert own == {"input", "missing", "output"}


def two_faced(seed: int, n: int) -> tuple[Rows, np.ndarray]:
    """Return rows with opposite outputs in two partitions, taking turns by panes of 64."""
    columns, _ = rows(seed, n)
    of = np.arange(n) // 64 % 2
    score = np.where(of == 1, 0.9, 0.1) + 0.05 * np.random.default_rng(seed).random(n)
    return (columns, np.stack([1 - score, score], axis=1)), of


def test_a_live_baseline_of_partitions_that_differ_is_not_taken_for_dependence() -> None:
    profile = fit(baseline=False)
    table, of = two_faced(2, 64 * 40)
    keyed, serial = LiveBaseline(), LiveBaseline()
    held = list(panes(profile, table, of))
    fitted = [keyed.add(held[i : i + 2], profile) for i in range(0, 40, 2)]
    alone = [serial.add([pane], profile) for pane in panes(profile, table)]
    one, other = (next(each for each in found if each is not None) for found in (fitted, alone))
    assert (one.factor == 1).all()
    assert other.factor.max() > 1
    assert [found is None for found in fitted[:16]] == [True] * 15 + [False]
