from __future__ import annotations

import numpy as np
import pytest

from streamapp.drift import DriftMonitor
from streamapp.profile import Profile

RNG = np.random.default_rng(0)


def rows(count: int, shift: float = 0.0) -> dict[str, np.ndarray]:
    temp = RNG.normal(shift, 1.0, count)
    return {"temp": temp, "wind": 0.6 * temp + RNG.normal(size=count), "rain": RNG.normal(size=count)}


@pytest.fixture(scope="module")
def profile() -> Profile:
    return Profile.fit(rows(4_000), outputs=RNG.random(4_000))


def test_before_the_first_round_there_is_none(profile: Profile) -> None:
    monitor = DriftMonitor(profile)
    assert monitor.picture() is None
    monitor.update({name: values[:10] for name, values in rows(10).items()}, RNG.random(10))
    assert monitor.picture() is None  # a pane is not full


def test_it_holds_the_largest_window_beside_the_reference(profile: Profile) -> None:
    monitor = DriftMonitor(profile)
    monitor.update(rows(6_400, shift=0.5), RNG.random(6_400))
    picture = monitor.picture()
    assert picture is not None
    assert picture.span.events == 2_560
    names = [(one.column.name, one.is_output) for one in picture.columns]
    assert names == [("temp", False), ("wind", False), ("rain", False), ("prediction", True)]
    for one in picture.columns:
        assert one.now.sum() == 2_560
        assert one.then.sum() == 4_000
        assert len(one.now) == len(one.column.counts)
    temp, _, rain, _ = picture.columns
    assert (temp.change.name, temp.change.aspect) == ("temp", "location")
    assert temp.change.effect == pytest.approx(0.5, abs=0.08)
    assert rain.change.size < 0.1
    pairs = {each.columns: each for each in picture.pairs}
    assert pairs["temp", "wind"].before == pytest.approx(0.5, abs=0.05)
    assert set(pairs) == {("temp", "wind"), ("temp", "rain"), ("wind", "rain")}


def test_outputs_without_a_baseline_are_not_in_it_until_live_rows_are_it() -> None:
    monitor = DriftMonitor(Profile.fit(rows(4_000), y=RNG.random(4_000)))
    monitor.update(rows(640), RNG.random(640))
    picture = monitor.picture()
    assert picture is not None
    assert not any(one.is_output for one in picture.columns)
    monitor.update(rows(3_200), RNG.random(3_200))
    picture = monitor.picture()
    assert picture is not None
    assert [one.column.name for one in picture.columns if one.is_output] == ["prediction"]
