from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import brier_score_loss, mean_absolute_error, zero_one_loss

from streamapp.errors import ConfigError
from streamapp.models import LOSSES, Predictions, absolute, brier, loss_scale, losses, zero_one
from streamapp.models.losses import check_loss

RNG = np.random.default_rng(3)


def test_zero_one_is_scikit_learns_per_row() -> None:
    y, values = RNG.integers(0, 3, 100), RNG.integers(0, 3, 100)
    assert zero_one(y, values).mean() == pytest.approx(zero_one_loss(y, values))


def test_labels_are_equal_as_python_has_it() -> None:
    y = np.array([True, 1.0, "1", 1], dtype=object)
    assert zero_one(y, np.array([1, 1, 1, 1], dtype=object)).tolist() == [0, 0, 1, 0]


def test_brier_is_half_of_scikit_learns_for_many_classes() -> None:
    y = RNG.choice(["a", "b", "c"], 200)
    p = RNG.dirichlet([1, 1, 1], 200)
    expected = brier_score_loss(y, p, labels=["a", "b", "c"], scale_by_half=True)
    assert brier(y, p, ["a", "b", "c"]).mean() == pytest.approx(expected)


def test_brier_of_a_label_that_is_no_class_is_the_worst_of_its_answer() -> None:
    assert brier(np.array(["z"]), np.array([[0.6, 0.4]]), ["a", "b"]).tolist() == pytest.approx([0.76])


def test_absolute_is_the_error_on_a_scale() -> None:
    y, values = RNG.normal(size=500), RNG.normal(size=500)
    assert (absolute(y, values, 100.0) * 100).mean() == pytest.approx(mean_absolute_error(y, values))
    scale = loss_scale(y, values)
    assert (absolute(y, values, scale) == 1).sum() == 5


@given(
    hnp.arrays(np.float64, (7, 3), elements=st.floats(0.0, 1.0)),
    st.lists(st.sampled_from("abcd"), min_size=7, max_size=7),
)
def test_losses_are_between_zero_and_one(weights: Any, y: list[str]) -> None:
    p = (weights + 1e-6) / (weights + 1e-6).sum(axis=1, keepdims=True)
    values = np.array(list("abc"), dtype=object)[p.argmax(axis=1)]
    for name in ("zero-one", "brier"):
        each = losses(name, Predictions(values, p, tuple("abc")), np.array(y))
        assert each.shape == (7,)
        assert ((each >= 0) & (each <= 1)).all()


def test_a_loss_must_fit_the_task_and_have_what_it_needs() -> None:
    assert check_loss(None, "classification") == "zero-one"
    assert check_loss(None, "regression") == "absolute"
    with pytest.raises(
        ConfigError, match="'absolute' does not fit a classification; choose zero-one or brier"
    ):
        check_loss("absolute", "classification")
    with pytest.raises(ConfigError, match="needs probabilities"):
        losses("brier", Predictions(np.array(["a"], dtype=object), None, ("a",)), np.array(["a"]))
    with pytest.raises(ConfigError, match="scale above 0"):
        losses("absolute", Predictions(np.zeros(1)), np.zeros(1))
    with pytest.raises(ConfigError, match="zero-one, brier, absolute"):
        losses("log", Predictions(np.zeros(1)), np.zeros(1))


def test_every_loss_of_the_table_can_be_computed() -> None:
    p = np.array([[0.5, 0.5]])
    for name, task in LOSSES.items():
        answers = (
            Predictions(np.array(["a"], dtype=object), p, ("a", "b"))
            if task == "classification"
            else Predictions(np.array([0.0]))
        )
        y = np.array(["b"]) if task == "classification" else np.array([2.0])
        assert losses(name, answers, y, 4.0).shape == (1,)
