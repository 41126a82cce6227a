from __future__ import annotations

import orjson

from streamapp.drift import Silence
from streamapp.messages import ModelRef

MODEL = ModelRef(name="bikes", version="v1")


def test_before_the_first_pane_nothing_is_said() -> None:
    silence = Silence("bikes", 1_000)
    assert silence.tick(10**9) is None
    silence.load(orjson.loads(orjson.dumps(silence.to_dict())), 10**9)
    assert silence.tick(2 * 10**9) is None


def test_it_opens_once_and_resolves_with_the_next_pane() -> None:
    silence = Silence("bikes", 120_000)
    assert silence.hear(5_000, MODEL) is None
    assert silence.tick(124_999) is None
    opened = silence.tick(125_000)
    assert opened is not None
    assert (opened.state, opened.kind, opened.subject, opened.model) == (
        "opened",
        "no-data",
        "requests",
        MODEL,
    )
    assert opened.from_clock
    assert "for 2 minutes, since 1970-01-01 00:00:05 UTC" in opened.summary
    assert silence.tick(500_000) is None
    resolved = silence.hear(600_000, MODEL)
    assert resolved is not None
    assert (resolved.id, resolved.state, resolved.resolution) == (opened.id, "resolved", "cleared")
    assert (resolved.opened_at, resolved.updated_at) == (125_000, 600_000)
    assert silence.alert is None
    again = silence.tick(720_000)
    assert again is not None
    assert again.id != opened.id


def test_it_is_the_same_after_a_restart_and_counts_from_there() -> None:
    silence, again = Silence("bikes", 1_000), Silence("bikes", 1_000)
    silence.hear(0, MODEL)
    again.load(orjson.loads(orjson.dumps(silence.to_dict())), 50_000)
    assert again.tick(50_999) is None
    opened = again.tick(51_000)
    assert opened is not None
    restarted = Silence("bikes", 1_000)
    restarted.load(orjson.loads(orjson.dumps(again.to_dict())), 90_000)
    assert restarted.tick(10**9) is None
    resolved = restarted.hear(91_000, MODEL)
    assert resolved is not None
    assert resolved.id == opened.id


def read_again(silence: Silence, now_ms: int) -> Silence:
    restarted = Silence("bikes", 3_600_000)
    restarted.load(orjson.loads(orjson.dumps(silence.to_dict())), now_ms)
    return restarted


def test_restarts_do_not_put_it_off() -> None:
    minute_ms, silence = 60_000, Silence("bikes", 3_600_000)
    silence.hear(0, MODEL)
    for minutes in range(20, 61, 20):
        assert silence.tick(minutes * minute_ms - 1) is None
        silence = read_again(silence, minutes * minute_ms)
    # What was written while nobody listened is read first.
    assert silence.tick(65 * minute_ms - 1) is None
    opened = silence.tick(65 * minute_ms)
    assert opened is not None
    assert opened.summary == "nothing has been answered for 65 minutes, since 1970-01-01 00:00:00 UTC"


def test_after_a_restart_what_was_written_meanwhile_is_heard() -> None:
    silence = Silence("bikes", 3_600_000)
    silence.hear(0, MODEL)
    silence = read_again(silence, 10_000_000)
    assert silence.hear(9_000_000, MODEL) is None
    assert silence.tick(12_599_999) is None
    assert silence.tick(12_600_000) is not None


def test_a_state_without_the_time_of_the_last_pane_counts_from_the_restart() -> None:
    silence, state = Silence("bikes", 1_000), {"model": MODEL.model_dump(), "alert": None}
    silence.load(state, 7_000)
    assert silence.tick(7_999) is None
    assert silence.tick(8_000) is not None


def test_an_old_record_that_is_read_late_does_not_set_the_clock_back() -> None:
    silence = Silence("bikes", 1_000)
    silence.hear(9_000, MODEL)
    silence.hear(2_000, MODEL)
    assert silence.tick(9_999) is None


def test_it_can_be_turned_off() -> None:
    silence = Silence("bikes", None)
    silence.hear(0, MODEL)
    assert silence.tick(10**12) is None
