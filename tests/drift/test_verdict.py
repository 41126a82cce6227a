from __future__ import annotations

import numpy as np
import pytest

from streamapp.drift.verdict import Answered, explain, find_cause
from streamapp.messages import Verdict
from streamapp.profile import Columns


def rows(seed: int, n: int, *, warmer: float = 0.0) -> Columns:
    rng = np.random.default_rng(seed)
    temp = rng.normal(warmer, size=n)
    wind = rng.exponential(size=n)
    wind[rng.random(n) < 0.05] = np.nan
    weather = rng.choice(np.array(["mist", "clear", None], dtype=object), n, p=[0.3, 0.6, 0.1])
    return {"temp": temp, "wind": wind, "weather": weather, "noise": rng.normal(size=n)}


def odds(columns: Columns) -> np.ndarray:
    """What the model says: log-odds, a little crooked."""
    wind = np.where(np.isnan(columns["wind"]), 1.0, columns["wind"])
    mist = np.where(columns["weather"] == "mist", 1.0, 0.0)
    return np.asarray(0.8 * columns["temp"] + 0.5 * np.minimum(wind, 2) + 0.7 * mist * (columns["temp"] > 0))


def probabilities(columns: Columns, offset: float = 0.0) -> np.ndarray:
    p = 1 / (1 + np.exp(-odds(columns) - offset))
    return np.stack([1 - p, p], axis=1)


def answered(columns: Columns, offset: float = 0.0) -> Answered:
    return Answered(columns, probabilities(columns, offset))


BEFORE = answered(rows(1, 4_000))


def test_outputs_that_follow_their_inputs_are_explained_by_the_column_that_moved() -> None:
    verdict = explain(BEFORE, answered(rows(2, 800, warmer=0.7)))
    assert verdict.cause == "inputs"
    assert verdict.inputs[0].name == "temp"
    assert verdict.inputs[0].share > 0.8
    assert verdict.unexplained is not None
    assert verdict.unexplained < 0.1
    assert sum(each.share for each in verdict.inputs) + verdict.unexplained <= 1.001


@pytest.mark.parametrize("warmer", [0.0, 0.7])
def test_an_offset_on_the_score_is_not_explained_by_the_inputs(warmer: float) -> None:
    verdict = explain(BEFORE, answered(rows(5, 800, warmer=warmer), offset=0.4))
    assert verdict.cause == "unexplained"
    assert verdict.unexplained is not None
    assert verdict.unexplained > (0.7 if warmer == 0 else 0.3)


def test_answers_that_scatter_about_the_same_mean_are_not_explained_either() -> None:
    columns = rows(8, 800)
    noise = np.random.default_rng(9).normal(size=800)
    p = 1 / (1 + np.exp(-odds(columns) - noise))
    assert explain(BEFORE, Answered(columns, np.stack([1 - p, p], axis=1))).cause == "unexplained"


def test_labels_alone_and_numbers_are_explained_as_well() -> None:
    def labels(columns: Columns, offset: float = 0.0) -> Answered:
        chosen = np.where(odds(columns) + offset > 1, "busy", "calm").astype(object)
        return Answered(columns, chosen)

    def values(columns: Columns, offset: float = 0.0) -> Answered:
        return Answered(columns, 100 * odds(columns) + 100 * offset)

    for answers in (labels, values):
        before = answers(rows(1, 4_000))
        warmer = explain(before, answers(rows(10, 800, warmer=0.7)))
        assert (warmer.cause, warmer.inputs[0].name) == ("inputs", "temp"), answers
        assert explain(before, answers(rows(11, 800), offset=0.5)).cause == "unexplained", answers


def test_rows_like_none_before_give_no_verdict() -> None:
    assert explain(BEFORE, answered(rows(12, 800, warmer=5.0))).cause == "no-verdict"


@pytest.mark.parametrize(("n0", "n"), [(399, 800), (4_000, 59)])
def test_too_few_rows_give_no_verdict(n0: int, n: int) -> None:
    assert explain(answered(rows(1, n0)), answered(rows(2, n, warmer=1))) == Verdict(cause="no-verdict")


def test_the_same_rows_give_the_same_verdict() -> None:
    now = answered(rows(13, 300, warmer=0.5))
    assert explain(BEFORE, now) == explain(BEFORE, now)


def test_outputs_that_have_not_moved_need_no_explanation() -> None:
    assert explain(BEFORE, answered(rows(14, 300))) == Verdict(cause="no-verdict")
    columns, later = rows(1, 1_000), rows(2, 300, warmer=0.5)
    still = Answered(columns, np.ones(1_000)), Answered(later, np.ones(300))
    assert explain(*still) == Verdict(cause="no-verdict")


def test_rows_from_before_the_change_do_not_hide_it() -> None:
    quiet, moved = rows(15, 700), rows(16, 150)
    columns = {name: np.concatenate([quiet[name], moved[name]]) for name in quiet}
    outputs = np.concatenate([probabilities(quiet), probabilities(moved, offset=0.8)])
    verdict = explain(BEFORE, Answered(columns, outputs))
    assert verdict.cause == "unexplained"
    assert verdict.unexplained is not None
    assert verdict.unexplained > 0.6


FEWER = answered(rows(1, 1_500))


def test_answers_that_are_no_numbers_are_left_out() -> None:
    now = answered(rows(17, 300, warmer=0.7))
    now.outputs[::50] = np.nan
    assert explain(FEWER, now).cause == "inputs"
    nothing = Answered(now.columns, np.full(300, np.nan))
    assert explain(Answered(FEWER.columns, FEWER.outputs[:, 1]), nothing) == Verdict(cause="no-verdict")


def test_columns_that_only_one_side_has_are_left_aside() -> None:
    now = answered(rows(18, 400, warmer=0.7))
    del now.columns["wind"]
    verdict = explain(Answered(FEWER.columns | {"gone": np.ones(1_500)}, FEWER.outputs), now)
    assert (verdict.cause, verdict.inputs[0].name) == ("inputs", "temp")
    assert not {"wind", "gone"} & {each.name for each in verdict.inputs}
    assert explain(Answered({}, FEWER.outputs), now) == Verdict(cause="no-verdict")


def test_outputs_of_two_kinds_cannot_be_compared() -> None:
    now = answered(rows(19, 800, warmer=0.7))
    for outputs in (now.outputs[:, 1], np.where(now.outputs[:, 1] > 0.5, "a", "b").astype(object)):
        assert explain(FEWER, Answered(now.columns, outputs)) == Verdict(cause="no-verdict")


@pytest.mark.parametrize(("since", "cause"), [({0: 1_200, 2: 900}, "model-changed"), (None, "unexplained")])
def test_what_another_version_answers_otherwise_is_its_own_doing(
    since: dict[int, int] | None, cause: str
) -> None:
    verdict = find_cause(answered(rows(20, 400), offset=0.5), None, FEWER, since)
    named = None if since is None else {str(partition): offset for partition, offset in since.items()}
    assert (verdict.cause, verdict.since) == (cause, named)
    assert verdict.unexplained is not None
    assert verdict.unexplained > 0.7


def test_inputs_that_moved_more_than_the_answers_of_another_version_are_the_cause() -> None:
    now = answered(rows(21, 1_500, warmer=0.7), offset=0.25)
    inputs = find_cause(now, None, FEWER, {0: 1})
    assert (inputs.cause, inputs.inputs[0].name, inputs.since) == ("inputs", "temp", None)
    assert inputs.unexplained is not None
    assert 0.2 < inputs.unexplained < 0.5


def test_rows_of_the_same_version_say_it_if_they_can() -> None:
    own = answered(rows(24, 1_500), offset=0.5)
    moved = answered(rows(23, 400, warmer=0.7), offset=0.5)
    assert find_cause(moved, own, FEWER, {0: 1}).cause == "inputs"
    # It has answered alike since it began: only the rows of the version before tell that it is the reason.
    assert find_cause(answered(rows(25, 400), offset=0.5), own, FEWER, {0: 1}).cause == "model-changed"
