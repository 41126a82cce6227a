from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from streamapp.drift.thresholds import LOOKS, WEIGHTS, Thresholds, group_of


def spent(limits: np.ndarray, every: int) -> float:
    return float((2 * stats.norm.sf(limits)).sum() * LOOKS * every)


@pytest.mark.parametrize("every", [1_000, 10_000, 1_000_000])
@pytest.mark.parametrize("events", [64, 100])
def test_a_look_spends_its_part_of_the_budget_whatever_the_components(every: int, events: int) -> None:
    few = Thresholds(["location"], every)
    many = Thresholds(["location"] * 20 + ["levels"] * 300 + ["pairs"] * 190 + ["rest"] * 7, every)
    assert spent(few.at(events), every) == pytest.approx(events)
    assert spent(many.at(events), every) == pytest.approx(events)


def test_groups_spend_by_their_weights() -> None:
    groups = np.array(["location"] * 5 + ["scale"] * 50)
    tails = 2 * stats.norm.sf(Thresholds(groups.tolist(), 10_000).at(64))
    ratio = tails[groups == "location"].sum() / tails[groups == "scale"].sum()
    assert ratio == pytest.approx(WEIGHTS["location"] / WEIGHTS["scale"])


def test_thresholds_rise_with_run_length_and_fall_with_the_size_of_a_round() -> None:
    groups = ["location"] * 3
    assert (Thresholds(groups, 100_000).at(64) > Thresholds(groups, 10_000).at(64)).all()
    assert (Thresholds(groups, 10_000).at(64) > Thresholds(groups, 10_000).at(640)).all()
    assert (Thresholds(groups, 100).at(10**9) > 1.6).all()


@pytest.mark.parametrize(
    ("aspect", "output", "group"),
    [
        ("location", False, "location"),
        ("scale", False, "scale"),
        ("levels", False, "levels"),
        ("missing", False, "rest"),
        ("unseen", False, "rest"),
        ("correlation", False, "pairs"),
        ("location", True, "outputs"),
        ("length", False, "location"),
        ("length spread", False, "scale"),
        ("characters", False, "levels"),
        ("hour", False, "levels"),
        ("rare", False, "levels"),
        ("dependence", False, "pairs"),
        ("unreadable", False, "rest"),
    ],
)
def test_aspects_belong_to_groups(aspect: str, output: bool, group: str) -> None:
    assert group_of(aspect, output=output) == group
