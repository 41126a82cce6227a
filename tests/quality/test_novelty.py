from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamapp.profile import Profile
from streamapp.quality.novelty import Novelty


@pytest.fixture(scope="module")
def novelty() -> Novelty:
    rng = np.random.default_rng(0)
    n = 1_000
    return Novelty(
        Profile.fit(
            {
                "temp": rng.uniform(0.0, 1.0, n),
                "hour": rng.integers(0, 24, n).astype(float),
                "weather": np.where(np.arange(n) == 7, "hail", rng.choice(["mist", "sun"], n)),
                "serial": np.arange(n).astype(float),
            },
            ordered=True,
        )
    )


INSIDE = {"temp": 0.5, "hour": 12, "weather": "sun", "serial": 5}


@pytest.mark.parametrize(
    ("features", "outside"),
    [
        ({}, 0),
        ({"temp": 1.5}, 1),
        ({"temp": -0.1, "hour": 24}, 2),
        ({"temp": 1e308, "hour": -1, "weather": "snow"}, 3),
        ({"weather": "hail"}, 0),
        ({"weather": "Sun"}, 1),
        ({"temp": None, "weather": None}, 0),
        ({"serial": 10**9}, 0),
        ({"temp": "wet", "unknown": 7}, 0),
    ],
)
def test_values_outside_the_reference_are_counted(
    novelty: Novelty, features: dict[str, Any], outside: int
) -> None:
    assert novelty.share(INSIDE | features) == pytest.approx(outside / 3)


def test_without_features_nothing_is_novel(novelty: Novelty) -> None:
    assert novelty.share(None) == novelty.share({}) == 0.0


def test_names_are_those_of_the_profile_whatever_json_calls_them() -> None:
    profile = Profile.fit(
        {"line": np.repeat([1.0, 2.0], 50), "open": np.tile(["true", "false"], 50)}, categorical=["line"]
    )
    novelty = Novelty(profile)
    assert novelty.share({"line": 1, "open": True}) == 0.0
    assert novelty.share({"line": 2.0, "open": "false"}) == 0.0
    assert novelty.share({"line": 3, "open": True}) == 0.5


def test_a_row_of_the_reference_is_never_novel() -> None:
    rng = np.random.default_rng(1)
    temp, weather = rng.normal(size=300), rng.choice(list("abcdefgh"), 300, p=[0.86] + [0.02] * 7)
    novelty = Novelty(Profile.fit({"temp": temp, "weather": weather}))
    rows = zip(temp.tolist(), weather.tolist(), strict=True)
    assert {novelty.share({"temp": t, "weather": w}) for t, w in rows} == {0.0}
