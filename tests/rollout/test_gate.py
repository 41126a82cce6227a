from __future__ import annotations

from itertools import pairwise

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.errors import ConfigError
from streamapp.models.losses import Floats
from streamapp.rollout import PromotionGate


def discordant(rng: np.random.Generator, rows: int, *, share: float, gain: float) -> tuple[Floats, Floats]:
    """Zero-one losses of both that differ on `share` of the rows, and by `gain` in the mean."""
    u = rng.random(rows)
    won = (share + gain) / 2
    return (u < won).astype(float), ((u >= won) & (u < share)).astype(float)


@pytest.mark.parametrize(("gain", "margin"), [(0.0, 0.0), (0.02, 0.02), (-0.02, -0.02)])
def test_a_challenger_at_the_margin_is_seldom_promoted(gain: float, margin: float) -> None:
    """Looked at after each of 3,000 rows, 400 seeds, alpha 5 %: at most 5 % promoted, and 5 % rejected."""
    verdicts = []
    for seed in range(400):
        losses = discordant(np.random.default_rng(seed), 3_000, share=0.1, gain=gain)
        verdicts.append(PromotionGate(margin=margin).update(*losses))
    assert verdicts.count("promote") <= 20
    assert verdicts.count("reject") <= 20


def test_graded_losses_that_are_equal_in_the_mean_are_seldom_promoted() -> None:
    """Skewed differences: the challenger often wins a little and seldom loses much."""
    promoted = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        difference = np.where(rng.random(3_000) < 0.9, 0.05, -0.45)
        promoted += PromotionGate().update(0.45 + difference, np.full(3_000, 0.45)) == "promote"
    assert promoted <= 20


@pytest.mark.parametrize(("gain", "most"), [(0.02, 2_500), (0.05, 500)])
def test_a_better_challenger_is_promoted_and_a_worse_one_rejected(gain: float, most: int) -> None:
    for sign, verdict in ((1, "promote"), (-1, "reject")):
        rows = []
        for seed in range(60):
            gate = PromotionGate()
            losses = discordant(np.random.default_rng(seed), 10_000, share=0.1, gain=sign * gain)
            assert gate.update(*losses) == verdict
            rows.append(gate.rows)
        assert np.median(rows) < most


def test_a_small_gain_of_graded_losses_is_found_within_two_thousand_rows() -> None:
    rows = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        gate = PromotionGate()
        difference = np.clip(rng.normal(0.01, 0.1, 6_000), -0.5, 0.5)
        assert gate.update(0.5 + difference, np.full(6_000, 0.5)) == "promote"
        rows.append(gate.rows)
    assert np.median(rows) < 2_000


def test_a_negative_margin_promotes_what_is_not_worse() -> None:
    losses = discordant(np.random.default_rng(2), 5_000, share=0.02, gain=0.0)
    assert PromotionGate(margin=-0.05).update(*losses) == "promote"
    assert PromotionGate(margin=0.05).update(*losses) == "reject"


def test_in_alarm_not_being_worse_is_enough() -> None:
    equal = discordant(np.random.default_rng(2), 5_000, share=0.02, gain=0.0)
    gate = PromotionGate(margin_in_alarm=-0.05)
    assert gate.update(*equal) is None
    assert gate.update(*equal, np.ones(5_000, dtype=bool)) == "promote"
    assert gate.margin_now == -0.05
    assert PromotionGate(margin_in_alarm=0.05).update(*equal, np.ones(5_000, dtype=bool)) is None


def test_what_was_won_in_alarm_is_lost_with_it() -> None:
    equal = np.zeros(50)
    gate = PromotionGate(margin_in_alarm=-0.05)
    before = gate.e_better
    gate.update(equal, equal, np.ones(50, dtype=bool))
    assert gate.e_better > 1.5 * before
    gate.update(equal[:1], equal[:1])
    assert gate.e_better == before


def test_alarms_that_come_and_go_let_nothing_pass_that_is_worse_than_their_margin() -> None:
    """Worse by 2 points, margin in alarm -2 points, alarms half of the time: at most 5 % of 400 seeds."""
    promoted = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        losses = discordant(rng, 3_000, share=0.1, gain=-0.02)
        alarms = np.repeat(rng.random(30) < 0.5, 100)
        promoted += PromotionGate(margin_in_alarm=-0.02).update(*losses, alarms) == "promote"
    assert promoted <= 20


def test_equal_answers_leave_it_undecided_until_the_last_row() -> None:
    gate = PromotionGate(max_rows=100)
    assert gate.update(np.ones(99), np.ones(99)) is None
    assert gate.update([0.0], [0.0]) == "reject"
    assert gate.rows == 100
    assert gate.e_better == gate.e_worse == pytest.approx(1.0)


def test_a_verdict_is_final() -> None:
    gate = PromotionGate()
    assert gate.update(np.ones(50), np.zeros(50)) == "promote"
    rows = gate.rows
    assert gate.update(np.zeros(5_000), np.ones(5_000)) == "promote"
    assert gate.rows == rows < 50
    assert gate.e_better >= 20.0
    assert (gate.champion_loss, gate.challenger_loss) == (1.0, 0.0)


def test_the_e_values_are_products_of_fair_bets() -> None:
    """Under the hypothesis the mean of an e-value is 1 after any number of rows: over all 3^4 paths."""
    outcomes = np.array([-1.0, 0.0, 1.0])
    paths = np.stack(np.meshgrid(*[outcomes] * 4), axis=-1).reshape(-1, 4)
    better, worse = [], []
    for path in paths:
        gate = PromotionGate(alpha=1e-9)
        gate.update(np.maximum(path, 0), np.maximum(-path, 0))
        better.append(gate.e_better)
        worse.append(gate.e_worse)
    assert np.mean(better) == pytest.approx(1.0)
    assert np.mean(worse) == pytest.approx(1.0)
    assert max(better) > 2.0


@given(st.lists(st.integers(0, 300), max_size=6), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_batches_and_restarts_change_nothing(cuts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    losses = discordant(rng, 300, share=0.3, gain=0.1)
    alarms = np.repeat(rng.random(6) < 0.5, 50)
    whole = PromotionGate(alpha=0.2, max_rows=250, margin_in_alarm=-0.05)
    whole.update(*losses, alarms)
    gate = PromotionGate(alpha=0.2, max_rows=250, margin_in_alarm=-0.05)
    bounds = [0, *sorted(cuts), 300]
    for start, end in pairwise(bounds):
        gate.update(losses[0][start:end], losses[1][start:end], alarms[start:end])
        gate = PromotionGate.restore(orjson.loads(orjson.dumps(gate.snapshot())))
    assert gate.snapshot() == whole.snapshot()


def test_long_batches_are_taken_in_full() -> None:
    gate = PromotionGate(max_rows=1_000_000)
    gate.update(np.zeros(10_000), np.zeros(10_000))
    assert gate.rows == 10_000


@pytest.mark.parametrize(
    ("champion", "challenger", "message"),
    [
        ([0.1, 1.2], [0.0, 0.0], "champion_losses holds 1.2 in row 1"),
        ([0.1], [np.nan], "challenger_losses holds nan in row 0"),
        ([0.1], [-0.1], "challenger_losses holds -0.1"),
        ([0.1, 0.1], [0.1], "2 losses of the champion and 1"),
    ],
)
def test_what_are_no_pairs_of_losses_is_named_and_not_counted(
    champion: list[float], challenger: list[float], message: str
) -> None:
    gate = PromotionGate()
    with pytest.raises(ConfigError, match=message):
        gate.update(champion, challenger)
    assert gate.rows == 0


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"alpha": 0.0}, "alpha is 0.0"), ({"alpha": 1.0}, "alpha"), ({"margin": 1.0}, "margin is 1.0"),
     ({"margin": -1.0}, "margin"), ({"margin": float("nan")}, "margin"), ({"max_rows": 0}, "max_rows is 0"),
     ({"margin_in_alarm": -1.0}, "margin_in_alarm is -1.0")],
)  # fmt: skip
def test_settings_outside_their_bounds_are_refused(setting: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PromotionGate(**setting)  # type: ignore[arg-type]


@pytest.mark.parametrize("margin", [-0.9, -0.5, 0.0, 0.5, 0.9])
@pytest.mark.parametrize("losses", [(1.0, 0.0), (0.0, 1.0)])
def test_no_row_ruins_a_bettor(margin: float, losses: tuple[float, float]) -> None:
    gate = PromotionGate(alpha=1e-6, margin=margin)
    gate.update([losses[0]], [losses[1]])
    wealth = np.array(gate.snapshot()["wealth"])
    assert (wealth > 0.0).all()
    assert wealth.min() < 0.5 / wealth.shape[1]


def test_nothing_is_decided_before_the_least_number_of_rows() -> None:
    early = PromotionGate(min_rows=50, max_rows=200)
    assert early.update(np.ones(49), np.zeros(49)) is None
    assert early.e_better > 1_000.0
    assert early.update(np.ones(9), np.zeros(9)) == "promote"
    assert early.rows == 50
    worse = PromotionGate(min_rows=50, max_rows=200)
    assert worse.update(np.zeros(80), np.ones(80)) == "reject"
    assert worse.rows == 50
    # A lead that is lost again by then decides nothing.
    fallen = PromotionGate(min_rows=50, max_rows=200)
    assert fallen.update(np.repeat([1.0, 0.0], [12, 12]), np.repeat([0.0, 1.0], [12, 12])) is None
    assert fallen.update(np.zeros(30), np.zeros(30)) is None
    restored = PromotionGate.restore(early.snapshot())
    assert (restored.min_rows, restored.verdict) == (50, "promote")


@pytest.mark.parametrize("min_rows", [-1, 201])
def test_the_least_number_of_rows_is_bounded_by_the_most(min_rows: int) -> None:
    with pytest.raises(ConfigError, match=f"min_rows is {min_rows}; it must lie between 0 and max_rows, 200"):
        PromotionGate(min_rows=min_rows, max_rows=200)
