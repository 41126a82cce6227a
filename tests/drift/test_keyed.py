"""With keyed traffic a partition is no sample of the stream: the run length must hold nevertheless."""

from __future__ import annotations

import numpy as np
import pytest

from streamapp.drift import DriftMonitor
from streamapp.profile import Columns, Profile
from tests.drift.streams import Rows, panes

EVENTS = 60_000


def keyed(seed: int, n: int) -> tuple[Rows, np.ndarray]:
    """Return rows whose key is a feature, and sets the level of another one; and the rows' keys."""
    rng = np.random.default_rng(seed)
    key = rng.integers(0, 40, n)
    columns: Columns = {
        "station": np.array([f"s{k}" for k in range(40)], dtype=object)[key],
        "level": key + rng.normal(size=n),
        "free": rng.normal(size=n),
    }
    score = 1 / (1 + np.exp(-(key - 20) / 10))
    return (columns, np.stack([1 - score, score], axis=1)), key


@pytest.fixture(scope="module")
def profile() -> Profile:
    (columns, outputs), _ = keyed(0, 4_000)
    return Profile.fit(columns, outputs, classes=("no", "yes"))


@pytest.mark.parametrize("partitions", [1, 4, 16])
def test_keys_that_are_features_raise_no_false_alarms(profile: Profile, partitions: int) -> None:
    table, key = keyed(1, EVENTS)
    monitor = DriftMonitor(profile, false_alarm_every=EVENTS)
    assigned = np.random.default_rng(2).integers(0, partitions, 40)  # as hashing would, unevenly
    said = [alert for pane in panes(profile, table, assigned[key]) for alert in monitor.add(pane)]
    assert len([alert for alert in said if alert.state == "opened"]) <= 1
    assert monitor.rounds > EVENTS / 64 / 20


@pytest.mark.parametrize("partitions", [4, 16])
def test_drift_of_all_is_found_all_the_same(profile: Profile, partitions: int) -> None:
    (columns, outputs), key = keyed(3, 20_000)
    columns["free"][10_000:] += 0.5
    monitor = DriftMonitor(profile)
    of = np.random.default_rng(2).integers(0, partitions, 40)[key]
    said = [alert for pane in panes(profile, (columns, outputs), of) for alert in monitor.add(pane)]
    assert (said[0].kind, said[0].subject) == ("input", "free")
    assert said[0].window is not None
    assert 10_000 < said[0].window.to < 13_000
