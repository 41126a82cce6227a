from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from streamapp.cli.replay_summary import ReplaySummary
from streamapp.drift import Period, Recorded, Replay
from streamapp.messages import Alert, InRecord
from tests.drift.logs import V1, log

FIRST = 2_560
"""Offset and, in seconds, time at which the log begins."""


@pytest.fixture(scope="module")
def replay() -> Replay:
    """A log that begins in the middle and in which x moves."""
    replay = Replay("bikes", lambda _: V1)
    for pane in [*log("v1", 0, FIRST, 40), *log("v1", 0, FIRST + 2_560, 5, shift=0.8)]:
        replay.fold(pane.encode())
    assert [alert.state for alert in replay.alerts][:1] == ["opened"]
    return replay


def summary(
    replay: Replay,
    recorded: Sequence[Alert],
    *,
    period: Period | None = None,
    first: int = 0,
    is_live: bool = True,
) -> ReplaySummary:
    """Return the summary beside a topic whose records begin at offset `first`."""
    records = [InRecord(0, i, 0, alert.key, alert.encode(), []) for i, alert in enumerate(recorded, first)]
    return ReplaySummary(
        replay, Recorded(records), period or Period(), (100_000, 5_000), is_live=is_live, missing={}
    )


def changed(alert: Alert, *, begins_ms: int | None = None, **fields: Any) -> Alert:
    if begins_ms is not None:
        assert alert.window is not None
        fields["window"] = alert.window.model_copy(update={"from_": begins_ms})
    return alert.model_copy(update=fields)


def test_a_difference_has_a_cause(replay: Replay) -> None:
    first, *rest = replay.alerts
    causes = {
        "another severity: another version of streamapp": [changed(first, severity="critical"), *rest],
        "it was set to one in 500 then": [changed(first, id="x", false_alarm_every=500), first, *rest],
        "alerts cleared after 77 then": [changed(first, id="x", clear_after=77), first, *rest],
        "other choices for columns held then": [
            changed(first, id="x", drift={"y": {"floor": 1.0}}), first, *rest
        ],
        "what can be judged begins later, at 1970-01-01 00:42:40": [
            changed(first, id="x", begins_ms=1_000, opened_at=2_000, updated_at=3_000), first, *rest
        ],
        "recorded, and not said again: another version": [
            changed(first, id="x", updated_at=first.updated_at - 1), first, *rest
        ],
        "not recorded: another version": [changed(first, id="x", updated_at=10**10)],
        "not recorded: has the monitor role read that far": replay.alerts[:-1],
    }  # fmt: skip
    for cause, recorded in causes.items():
        text = summary(replay, recorded).text()
        assert "NOT the same as recorded" in text
        assert cause in text, text
        difference = summary(replay, recorded).to_dict()["recorded"]["first_difference"]
        assert cause.split(": ")[-1] in difference["cause"]
        assert difference["subject"] in {"x", "x~y"}


def test_without_a_difference_nothing_is_said_of_one(replay: Replay) -> None:
    one = summary(replay, replay.alerts)
    assert "the first that differs" not in one.text()
    assert one.to_dict()["recorded"]["first_difference"] is None


def test_a_message_outside_the_period_is_not_compared(replay: Replay) -> None:
    period = Period(since_ms=(replay.to_ms or 0) + 1)
    text = summary(replay, [], period=period).text()
    assert text.endswith("since 1970-01-01 01:30:40: 0 alerts opened; nothing is recorded either"), text


def test_what_may_have_been_compacted_away_is_not_called_missing() -> None:
    replay = Replay("bikes", lambda _: V1, clear_after=500)
    calm, moved, again = log("v1", 0, 0, 40), log("v1", 0, 2_560, 5, shift=0.8), log("v1", 0, 2_880, 45)
    for pane in [*calm, *moved, *again]:
        replay.fold(pane.encode())
    opened = [alert for alert in replay.alerts if alert.state == "opened"]
    assert len(opened) == [alert.state for alert in replay.alerts].count("resolved") == 2
    later = [changed(alert, id=f"later-{alert.id}", opened_at=10**10, updated_at=10**10) for alert in opened]
    live = summary(replay, later, first=9).text()
    assert f"{len(replay.alerts)} messages more may have been compacted away" in live
    other = summary(replay, later, first=9, is_live=False)
    assert "2 alerts opened (recorded: 2)" in other.text()
    assert "2 alerts more may have been recorded and compacted away" in other.text()
    assert "only with this setting" not in other.text()
    assert other.to_dict()["recorded"]["compacted"] == 2
    # Nothing is gone where no offset is missing.
    other = summary(replay, later, is_live=False)
    assert other.text().count("only with this setting") == 2
    assert other.to_dict()["recorded"]["compacted"] == 0
