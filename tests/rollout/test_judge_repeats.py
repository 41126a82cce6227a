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
}  # fmt: skip


def follow(judge: Judge, champion: str = "old") -> None:
    judge.follow(VERSIONS[champion], {v: c for v, c in VERSIONS.items() if v != champion})


def story() -> Log:
    """A champion that gets worse, recovers, is beaten; what the winner answers gets worse in its turn."""
    log = Log().answer(60, old=0.1, new=0.1, bad=0.3)
    log.answer(90, old=0.6, new=0.5, bad=0.9).answer(170, old=0.02, new=0.03, bad=0.5)
    log.answer(120, old=0.5, new=0.05, bad=0.5)
    log.append(
        "old", None, revision=1, source="person:jk", request={"partition": 0, "offset": 4, "timestamp": 0}
    )
    return log.answer(60, "new", old=0.5, new=0.1, bad=0.2)


LOG = story()
WHOLE_JUDGE = Judge("bikes", **OPTIONS)
follow(WHOLE_JUDGE)
# The promotion must fall between batches once, so that what the winner answered is judged by the winner.
WHOLE = run(WHOLE_JUDGE, LOG, [441], follow)


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
    assert [d.version for d in told["rejected"]] == ["bad", "old"]
    assert [d.version for d in told["promoted"]] == ["new"]


@pytest.mark.parametrize("cut", range(0, 501, 7))
def test_a_snapshot_at_any_cut_continues_as_if_nothing_had_been(cut: int) -> None:
    judge = Judge("bikes", **OPTIONS)
    follow(judge)
    champion = "old"
    found = []
    bounds = sorted({0, cut, 441, len(LOG.records)})
    for start, end in pairwise(bounds):
        judged = judge.fold(LOG.rows(start, end))
        found.append(judged)
        champion = judged.promoted.version if judged.promoted else champion
        judge = Judge.restore(judge.snapshot(), "bikes", **OPTIONS)
        follow(judge, champion)
    assert flat(found) == flat(WHOLE)
    assert judge.quality == WHOLE_JUDGE.quality


@given(st.sets(st.integers(0, 500), max_size=30))
@settings(max_examples=15, deadline=None)
def test_batches_change_nothing(cuts: set[int]) -> None:
    judge = Judge("bikes", **OPTIONS)
    follow(judge)
    assert flat(run(judge, LOG, {*cuts, 441}, follow)) == flat(WHOLE)


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
