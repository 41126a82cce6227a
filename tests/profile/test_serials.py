from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from streamapp.profile import ColumnKind, Profile
from streamapp.profile.serials import are_serial

N = 4_000
Values = np.ndarray


def late(values: Values, rng: np.random.Generator, *, by: float = 100.0) -> Values:
    """Return values in the order in which they come if each is late by some rows."""
    return values[np.argsort(np.arange(len(values)) + by * rng.random(len(values)), kind="stable")]


def kind_of(values: Values, *, ordered: bool = True) -> str:
    return str(Profile.fit({"c": values}, ordered=ordered).columns[0].kind)


SERIALS: dict[str, Callable[[np.random.Generator], Values]] = {
    "serial": lambda rng: np.arange(N) + rng.integers(1_000),
    "with 1 % repeats": lambda rng: np.sort(np.append(np.arange(N), rng.integers(0, N, N // 100))),
    "order ids, three lines each": lambda rng: np.repeat(np.cumsum(rng.integers(1, 90, N // 3)), 3),
    "epoch seconds": lambda rng: 1.7e9 + np.floor(np.cumsum(rng.exponential(0.2, N))),
    "milliseconds, some late": lambda rng: late(1.7e12 + np.rint(np.cumsum(rng.exponential(200, N))), rng),
    "serial of merged partitions": lambda rng: late(np.arange(N) * 3, rng, by=300),
    "offsets of eight partitions": lambda rng: late(np.repeat(np.arange(N // 8), 8), rng),
}
MEASUREMENTS: dict[str, Callable[[np.random.Generator], Values]] = {
    "a trend with noise": lambda rng: np.rint(np.arange(N) + rng.normal(0, N / 5, N)),
    "a season that warms up": lambda rng: np.rint(100 * (np.arange(N) / N * 20 + rng.normal(0, 5, N))),
    "a battery that empties": lambda rng: np.rint(4_200 - np.arange(N) / 4 + rng.normal(0, 2, N)),
    "a tank that is filled": lambda rng: np.arange(N) / 37 + rng.normal(0, 0.1, N),
    "a ramp of few levels": lambda rng: np.rint(np.linspace(30, 90, N) + rng.normal(0, 0.3, N)),
    "a price that wanders": lambda rng: np.rint(np.cumsum(rng.normal(0, 100, N))),
    "there and back": lambda _: np.abs(np.arange(N) - N // 2),
    "whole numbers drawn from many": lambda rng: rng.integers(0, 10 * N, N),
    "money": lambda rng: np.rint(np.exp(rng.normal(10, 2, N))),
}


def serials(name: str) -> Values:
    return SERIALS[name](np.random.default_rng(1)).astype(np.float64)


def shuffled(values: Values) -> Values:
    return np.random.default_rng(2).permutation(values)


@pytest.mark.parametrize("name", SERIALS)
def test_numbers_that_advance_with_the_rows_are_no_measurements(name: str) -> None:
    values = serials(name)
    assert kind_of(values) == "id-like"
    assert kind_of(np.where(np.random.default_rng(3).random(len(values)) < 0.05, np.nan, values)) == "id-like"


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_measurements_that_drift_slowly_stay_watched_in_any_order(name: str) -> None:
    values = MEASUREMENTS[name](np.random.default_rng(1)).astype(np.float64)
    for ordered in (True, False):
        assert kind_of(values, ordered=ordered) in {"continuous", "discrete"}
        assert kind_of(shuffled(values), ordered=ordered) in {"continuous", "discrete"}


@pytest.mark.parametrize("name", ["serial", "with 1 % repeats"])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_serial_is_told_also_where_rows_were_shuffled_since_no_number_comes_twice(
    name: str, share: float
) -> None:
    values = shuffled(serials(name))
    values = values[: int(share * len(values))]
    assert kind_of(values) == "id-like"
    assert kind_of(values, ordered=False) == "continuous"  # nothing is taken for a serial there


def test_in_no_order_nothing_advances() -> None:
    for name in ("epoch seconds", "offsets of eight partitions"):
        assert not are_serial(shuffled(serials(name)))


def test_a_wandering_measurement_is_hardly_ever_taken_for_a_serial() -> None:
    rng = np.random.default_rng(4)
    walks = np.rint(np.cumsum(rng.normal(0, 100, (500, 1_000)), axis=1))
    assert sum(are_serial(walk) for walk in walks) <= 1


def test_few_rows_and_labels_are_never_serials() -> None:
    assert not are_serial(np.arange(99.0))
    numbers = np.arange(float(N))
    profile = Profile.fit({"x": np.sin(numbers)}, outputs=numbers, y=numbers)
    assert profile.target is not None
    assert profile.outputs is not None
    assert {profile.target.kind, profile.outputs.columns[0].kind} == {ColumnKind.CONTINUOUS}


def test_the_policy_says_so_and_a_choice_wins() -> None:
    values = serials("epoch seconds")
    (column,) = Profile.fit({"c": values}).columns
    assert column.why == (
        "numbers that advance with the rows or hardly ever come twice, as serials and times: "
        "only missing values are watched"
    )
    (column,) = Profile.fit({"c": values}, kinds={"c": "continuous"}).columns
    assert (column.kind, column.why.startswith("only missing")) == (ColumnKind.CONTINUOUS, False)
    (column,) = Profile.fit({"c": values}, kinds={"c": "id-like"}).columns
    assert column.why == "only missing values are watched (chosen)"
