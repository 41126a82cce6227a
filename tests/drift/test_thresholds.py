from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from streamapp.drift.delay import delay_ratio
from streamapp.drift.thresholds import LOOKS, WEIGHTS, Thresholds, group_of
from streamapp.profile import ColumnPolicy, Profile


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


@pytest.mark.parametrize("every", [1_000, 100_000])
def test_without_weights_thresholds_are_bit_for_bit_those_of_equal_shares(every: int) -> None:
    groups = np.array(["location"] * 20 + ["levels"] * 301 + ["pairs"] * 190 + ["rest"] * 7)
    names, of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    weights = np.array([WEIGHTS[name] for name in names.tolist()])
    tail = weights / weights.sum() / every / (sizes * LOOKS * 2)
    expected = (-special.ndtri(np.minimum(tail * 64, 0.05)))[of]
    for given in (None, np.ones(len(groups))):
        assert (Thresholds(groups.tolist(), every, given).at(64) == expected).all()


def test_weights_share_out_the_budget_of_their_group_alone() -> None:
    groups = ["location"] * 4 + ["scale"] * 2
    plain = Thresholds(groups, 10_000)
    weighed = Thresholds(groups, 10_000, np.array([5.0, 1, 1, 1, 1, 1]))
    tails = 2 * stats.norm.sf(weighed.at(64))
    assert tails[0] == pytest.approx(5 * tails[1])
    assert (weighed.at(64)[4:] == plain.at(64)[4:]).all()
    assert spent(weighed.at(64), 10_000) == pytest.approx(64)
    assert weighed.shares[:4] == pytest.approx(np.array([5, 1, 1, 1]) / 8 * plain.shares[:4].sum())


def test_what_is_not_judged_has_no_threshold_and_leaves_its_budget_to_its_group_and_an_empty_one_to_all() -> (
    None
):
    groups = ["location"] * 4 + ["scale"] * 2
    one = Thresholds(groups, 10_000, np.array([0.0, 1, 1, 1, 1, 1]))
    assert np.isinf(one.at(64)[0])
    assert (one.at(64)[1:] == Thresholds(groups[1:], 10_000).at(64)).all()
    group = Thresholds(groups, 10_000, np.array([0.0, 0, 0, 0, 1, 1]))
    assert (group.at(64)[4:] == Thresholds(groups[4:], 10_000).at(64)).all()
    assert group.shares.tolist() == [0, 0, 0, 0, 0.5, 0.5]


def test_if_nothing_is_judged_nothing_is_spent() -> None:
    none = Thresholds(["location", "scale"], 10_000, np.zeros(2))
    assert np.isinf(none.at(64)).all()
    assert none.shares.tolist() == [0, 0]


def test_rarer_false_alarms_cost_time_as_the_logarithm_of_their_number() -> None:
    columns = {"temp": np.linspace(0, 1, 1_000)}
    profile = Profile.fit(columns, ordered=False)
    every = (10_000, 100_000, 1_000_000, 10_000_000)
    ratios = np.array([delay_ratio(profile, 100_000, n) for n in every], dtype=float)
    assert ratios[1] == 1.0
    assert np.diff(ratios) == pytest.approx([0.2] * 3, abs=0.03)
    assert delay_ratio(profile, 10_000_000, 100_000) == pytest.approx(1 / ratios[3], rel=0.01)
    unwatched = Profile.fit(columns, ordered=False, policy={"temp": ColumnPolicy(watch=False)})
    assert delay_ratio(unwatched, 100_000, 1_000_000) is None
