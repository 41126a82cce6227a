from __future__ import annotations

from typing import Any

import pytest

from streamapp.drift import Period, Replay, Step, Watch, event_id
from streamapp.errors import ConfigError
from streamapp.messages import NO_VERSION, Alert, Distribution
from streamapp.profile import ColumnPolicy
from tests.drift.logs import eventful, log, profile_of

SETTINGS: dict[str, Any] = {"false_alarm_every": 20_000, "clear_after": 400}


def replaying(**options: Any) -> Replay:
    return Replay("bikes", profile_of, **{**SETTINGS, **options})


def steps(replay: Replay, history: list[Distribution]) -> list[Step]:
    return [replay.fold(each.encode()) for each in history]


def live(history: list[Distribution]) -> list[Alert]:
    """Return what a process says that is ended and started again after every tenth pane."""
    watch, said = Watch("bikes", **SETTINGS), []
    for i, each in enumerate(history):
        said += watch.fold(Distribution.decode(each.encode()), profile_of)
        if i % 10 == 9:
            watch = Watch.restore(watch.snapshot(), profile_of, "bikes", **SETTINGS)
    return said


def test_the_same_log_says_the_same_again() -> None:
    history = eventful()
    said = live(history)
    assert {(alert.state, alert.resolution) for alert in said} >= {
        ("opened", None), ("resolved", "cleared"), ("resolved", "rebased")
    }  # fmt: skip
    replay = replaying()
    shown = [alert for step in steps(replay, history) for alert in step.alerts]
    assert shown == replay.alerts == said
    assert [event_id(alert) for alert in shown] == [event_id(alert) for alert in said]


def test_alerts_tell_the_settings_that_hold_also_those_that_were_opened_with_others() -> None:
    history, every = eventful(), SETTINGS["false_alarm_every"]
    choices = {"y": ColumnPolicy(floor=0.3)}
    watch = Watch("bikes", false_alarm_every=every, clear_after=300, policy=choices)
    before: list[Alert] = []
    said: list[Alert] = []
    while not before:
        before += watch.fold(history.pop(0), profile_of)
    watch = Watch.restore(watch.snapshot(), profile_of, "bikes", false_alarm_every=every, clear_after=400)
    for each in history:
        said += watch.fold(each, profile_of)
    assert {(alert.clear_after, str(alert.drift)) for alert in before} == {(300, "{'y': {'floor': 0.3}}")}
    assert {(alert.clear_after, alert.drift) for alert in said} == {(400, None)}
    assert before[0].id in {alert.id for alert in said}


def test_what_was_judged_is_counted() -> None:
    replay = replaying()
    closed = [step.round for step in steps(replay, eventful()) if step.round is not None]
    assert (replay.panes, replay.requests) == (190, 190 * 64)
    assert replay.skipped == {"repeat": 1, "other-version": 3}
    assert replay.rounds == len(closed)
    assert (replay.from_ms, replay.to_ms) == (0, 1_000 * (4_480 + 50 * 64) - 1)
    assert replay.version == "v2"


def test_another_setting_says_something_else() -> None:
    history = [*log("v1", 0, 0, 40), *log("v1", 0, 2_560, 40, shift=0.2)]
    first = {}
    for every in (100_000, 10_000_000):
        replay = replaying(false_alarm_every=every)
        steps(replay, history)
        opened = [alert for alert in replay.alerts if alert.subject == "x" and alert.state == "opened"]
        assert {alert.false_alarm_every for alert in replay.alerts} <= {every}
        first[every] = opened[0].updated_at if opened else float("inf")
    assert first[100_000] < first[10_000_000]


def test_what_cannot_be_judged_is_counted_by_reason() -> None:
    a, b, c, d = log("v1", 0, 0, 4)
    replay = Replay("bikes", profile_of)
    steps(
        replay,
        [
            a,
            b.model_copy(update={"version": "unheard-of"}),
            c.model_copy(update={"version": NO_VERSION, "summary": None}),
        ],
    )
    for value in (None, b"", b"{}", b"\xff"):
        assert replay.fold(value) == Step()
    steps(replay, [d, d])
    assert replay.panes == 2
    assert replay.skipped == {"no-profile": 1, "no-model": 1, "unreadable": 4, "repeat": 1}


def test_a_topic_made_anew_skips_nothing() -> None:
    replay = Replay("bikes", profile_of)
    steps(replay, [*log("v1", 0, 1_000_000, 40), *log("v1", 0, 0, 10)])
    assert (replay.panes, replay.skipped) == (50, {})


def test_a_period_selects_what_is_shown_and_changes_nothing_else() -> None:
    history = eventful()
    whole = replaying(with_windows=True)
    every = steps(whole, history)
    times = [alert.updated_at for alert in whole.alerts]
    period = Period(times[1], times[-1])
    part = replaying(period=period, with_windows=True)
    shown = steps(part, history)
    assert part.alerts == whole.alerts
    assert (part.panes, part.rounds) == (whole.panes, whole.rounds)
    assert [a for step in shown for a in step.alerts] == [a for a in whole.alerts if a.updated_at in period]
    for one, other in zip(shown, every, strict=True):
        if other.round is not None and other.round.to_ms in period:
            assert (one.round, one.windows) == (other.round, other.windows)
        else:
            assert (one.round, one.windows) == (None, [])
    assert 0 < sum(step.round is not None for step in shown) < whole.rounds


def test_windows_are_read_when_they_are_asked_for() -> None:
    history = [*log("v1", 0, 0, 40), *log("v1", 0, 2_560, 10, shift=0.8)]
    replay = Replay("bikes", profile_of, with_windows=True)
    read = [step for step in steps(replay, history) if step.round is not None]
    lengths = [window.span.events for window in read[-1].windows]
    assert lengths[0] == 64
    assert lengths[-1] == 2_560
    assert lengths == sorted(lengths)
    for step in read:
        assert step.windows[0].span == step.round
        if any(alert.state == "opened" for alert in step.alerts):
            assert any(abs(window.z) > window.threshold for window in step.windows)
    assert [step.windows for step in steps(Replay("bikes", profile_of), history)] == [[]] * 50


def test_wrong_settings_are_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="false_alarm_every is 99; it must be at least 100"):
        Replay("bikes", profile_of, false_alarm_every=99)
    with pytest.raises(ConfigError, match="clear_after is 0"):
        Replay("bikes", profile_of, clear_after=0)


def test_a_period_holds_its_beginning_and_not_its_end() -> None:
    assert [Period(5, since).is_empty for since in (4, 5, 6, None)] == [True, True, False, False]
    assert [time_ms in Period(until_ms=7) for time_ms in (-1, 6, 7)] == [True, True, False]
