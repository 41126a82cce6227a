"""The same rows give the same decisions: however they are cut, from every snapshot, and again."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.rollout import Candidate, Judge, Judged

from .conftest import MINUTE_MS, SETTINGS, Log, baseline, candidate, run

VERSIONS: dict[str, Candidate] = {
    "old": candidate("old", baseline=baseline(0.1), newest_training_data_at_ms=10 * MINUTE_MS),
    "new": candidate("new", newest_training_data_at_ms=150 * MINUTE_MS),
    "bad": candidate("bad", newest_training_data_at_ms=20 * MINUTE_MS),
}
OPTIONS: dict[str, Any] = SETTINGS | {
    "accuracy_false_alarm_every": 300, "retrain_every_ms": 90 * MINUTE_MS, "retrain_cooldown_rows": 40,
    "rollback_cooldown_rows": 30,
}  # fmt: skip


def follow(judge: Judge, champion: str = "old") -> None:
    challengers = {v: c for v, c in VERSIONS.items() if v != champion}
    judge.follow(VERSIONS[champion], challengers, {v: VERSIONS[v] for v in judge.shadows(champion)})


def story() -> Log:
    """A champion gets worse, recovers, is beaten; the winner gets worse, is rolled back, and wins again."""
    log = Log().answer(60, old=0.1, new=0.1, bad=0.3)
    log.answer(90, old=0.6, new=0.5, bad=0.9).answer(170, old=0.02, new=0.03, bad=0.5)
    log.answer(120, old=0.5, new=0.05, bad=0.5)
    log.append(
        "old", None, revision=1, source="person:jk", request={"partition": 0, "offset": 4, "timestamp": 0}
    )
    log.answer(60, "new", old=0.15, new=0.1, bad=0.2).answer(140, "new", old=0.05, new=0.5, bad=0.9)
    return log.answer(170, "old", old=0.3, new=0.05, bad=0.9)


LOG = story()
WHOLE_JUDGE = Judge("bikes", **OPTIONS)
follow(WHOLE_JUDGE)
# A change of champion must fall between batches, so that what the next one answers is judged by it.
CUTS = {441, 641}
WHOLE = run(WHOLE_JUDGE, LOG, CUTS, follow)


def flat(found: list[Judged]) -> dict[str, list[Any]]:
    return {
        "alerts": [alert for judged in found for alert in judged.alerts],
        "retrains": [due for judged in found for due in judged.retrains],
        "rejected": [decision for judged in found for decision in judged.rejected],
        "promoted": [judged.promoted for judged in found if judged.promoted],
    }


def test_the_story_has_something_of_everything() -> None:
    told = flat(WHOLE)
    assert {(a.state, a.resolution) for a in told["alerts"]} == {
        ("opened", None), ("resolved", "cleared"), ("resolved", "rebased"),
    }  # fmt: skip
    assert {due.event.reason for due in told["retrains"]} == {"accuracy", "schedule"}
    assert [d.version for d in told["rejected"]] == ["bad"]
    assert [(d.version, d.rolled_back) for d in told["promoted"]] == [
        ("new", None), ("old", "new"), ("new", None),
    ]  # fmt: skip


@pytest.mark.parametrize("cut", range(0, 811, 13))
def test_a_snapshot_at_any_cut_continues_as_if_nothing_had_been(cut: int) -> None:
    judge = Judge("bikes", **OPTIONS)
    follow(judge)
    champion = "old"
    found = []
    bounds = sorted({0, cut, *CUTS, len(LOG.records)})
    for start, end in pairwise(bounds):
        judged = judge.fold(LOG.rows(start, end))
        found.append(judged)
        champion = judged.promoted.version if judged.promoted else champion
        judge = Judge.restore(judge.snapshot(), "bikes", **OPTIONS)
        follow(judge, champion)
    assert flat(found) == flat(WHOLE)
    assert judge.quality == WHOLE_JUDGE.quality


@given(st.sets(st.integers(0, 811), max_size=30))
@settings(max_examples=15, deadline=None)
def test_batches_change_nothing(cuts: set[int]) -> None:
    judge = Judge("bikes", **OPTIONS)
    follow(judge)
    assert flat(run(judge, LOG, {*cuts, *CUTS}, follow)) == flat(WHOLE)


def test_an_interrupted_batch_is_judged_again_with_the_same_ids() -> None:
    judge = Judge("bikes", **OPTIONS)
    follow(judge)
    judge.fold(LOG.rows(0, 50))
    snapshot = judge.snapshot()
    first = judge.fold(LOG.rows(50, 200))
    again = Judge.restore(snapshot, "bikes", **OPTIONS)
    follow(again)
    assert again.fold(LOG.rows(50, 200)) == first
    assert first.alerts


def test_after_a_change_of_settings_alarm_and_gates_start_afresh() -> None:
    judge = Judge("bikes", **OPTIONS)
    follow(judge)
    judge.fold(LOG.rows(0, 150))
    assert judge.open_alert is not None
    changed = OPTIONS | {"accuracy_false_alarm_every": 50_000, "gate_max_rows": 10}
    again = Judge.restore(judge.snapshot(), "bikes", **changed)
    follow(again)
    judged = again.fold(LOG.rows(150, 151))
    assert [alert.resolution for alert in judged.alerts] == ["rebased"]
    assert again.open_alert is None
    assert [d.version for d in again.fold(LOG.rows(151, 200)).rejected] == ["new"]


def test_a_snapshot_is_small() -> None:
    assert len(WHOLE_JUDGE.snapshot()) < 40_000
