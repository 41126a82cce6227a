"""Profiles whose parts do not fit each other are refused when they are read, not in the stream."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from streamapp.errors import ProfileError
from streamapp.profile import Profile

_SEASON = {"parts": 1, "columns": ["temp"], "bins": [1], "counts": [[600]], "why_not": ""}


@pytest.fixture(scope="module")
def fields() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    rows = {
        "temp": rng.normal(size=600),
        "wind": rng.normal(size=600),
        "sky": rng.choice(["mist", "clear"], 600).astype(object),
    }
    hours = np.arange(600) * 3_600_000
    y = np.where(rows["temp"] > 0, "busy", "calm")
    profile = Profile.fit(rows, y, y, classes=["busy", "calm"], times=hours)
    found: dict[str, Any] = json.loads(profile.to_bytes())
    return found


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: f.update(rows=0), "a reference of 0 rows"),
        (lambda f: f.update(rows=True), "a reference of True rows"),
        (lambda f: f.update(factor=5), "inflations of shapes"),
        (lambda f: f["blocks"].append(1.0), "inflations of shapes"),
        (lambda f: f["outputs"]["factor"].append(1.0), "inflations of shapes"),
        (lambda f: f["labelled"]["factor"].append(1.0), "inflations of shapes"),
        (lambda f: f["pair_factor"].append(1.0), "inflations of pairs of shapes"),
        (lambda f: f["pairs"]["kurtosis"].append(1.0), "pairs of shapes"),
        (lambda f: f["columns"][0].update(edges=[[0.0]]), "bins of 'temp' of shapes"),
        (lambda f: f["columns"][0]["edges"].append(1e9), "bins of 'temp' with"),
        (lambda f: f["columns"][2].update(levels=[1, 2]), "levels of 'sky'"),
        (lambda f: f["target"].update(counts=3), "bins of 'target' of shapes"),
        (lambda f: f["labelled"].update(counts=[[1, 2]]), "counts by class of shape"),
        (lambda f: f.update(season=dict(_SEASON, parts=10**12)), "counts by the hour of shape"),
        (lambda f: f.update(season=dict(_SEASON, bins=[10**12])), "counts by the hour of shape"),
        (lambda f: f.update(season=dict(_SEASON, unit=0)), "in units of 1 / 0 rows"),
        (lambda f: f["outputs"].update(season=dict(_SEASON, parts=7)), "counts by the hour of shape"),
        (lambda f: f["labelled"].update(season=dict(_SEASON, parts=7)), "counts by the hour of shape"),
        (
            lambda f: (
                f.update(season=_SEASON),
                f["outputs"].update(season=dict(_SEASON, parts=2, counts=[[1], [1]])),
            ),
            "outputs by 2 parts of the day, inputs by 1",
        ),
    ],
)
def test_it_is_refused(fields: dict[str, Any], spoil: Callable[[Any], object], says: str) -> None:
    spoiled = json.loads(json.dumps(fields))
    Profile.from_bytes(json.dumps(spoiled).encode())
    spoil(spoiled)
    with pytest.raises(ProfileError, match=says):
        Profile.from_bytes(json.dumps(spoiled).encode())
