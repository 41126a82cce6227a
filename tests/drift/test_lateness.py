from __future__ import annotations

import orjson
import pytest

from streamapp.drift import Lateness
from streamapp.messages import Alert, Distribution


def pane(late: int, events: int = 100, *, first: int = 0) -> Distribution:
    return Distribution(
        version="v1", partition=2, first_offset=first, next_offset=first + events, events=events, late=late,
        from_=0, to=0,
    )  # fmt: skip


def opened(lateness: Lateness, at_ms: int) -> Alert:
    alert = lateness.hear(pane(50), at_ms)
    assert alert is not None
    return alert


@pytest.mark.parametrize(
    ("late", "events", "opens"), [(9, 9, False), (10, 10, True), (10, 1_000, True), (10, 1_001, False)]
)
def test_it_opens_at_one_in_a_hundred_and_not_for_less_than_ten(late: int, events: int, opens: bool) -> None:
    assert (Lateness("bikes", 1.0).hear(pane(late, events), 0) is not None) == opens


def test_a_minute_is_counted_over_all_panes_and_forgotten_after() -> None:
    lateness = Lateness("bikes", 1.0)
    assert lateness.hear(pane(9), 1_000) is None
    assert lateness.hear(pane(9), 61_000) is None
    assert lateness.hear(pane(0), 120_999) is None
    alert = lateness.hear(pane(1), 120_999)
    assert alert is not None
    assert alert.summary == "10 of the 300 requests answered in the last minute waited longer than 1 s for it"


def test_it_opens_once_and_resolves_after_five_minutes_in_time() -> None:
    lateness = Lateness("bikes", 0.2)
    alert = opened(lateness, 1_000)
    assert (alert.state, alert.kind, alert.subject, alert.key) == (
        "opened",
        "latency",
        "requests",
        b"latency/requests",
    )
    assert alert.model is not None
    assert (alert.model.name, alert.model.version, alert.from_clock) == ("bikes", "v1", True)
    assert lateness.hear(pane(50), 31_000) is None
    assert lateness.hear(pane(0), 90_999) is None  # a minute that is still one in four late
    assert lateness.hear(pane(0), 390_998) is None
    resolved = lateness.hear(pane(0), 390_999)
    assert resolved is not None
    assert (resolved.id, resolved.state, resolved.resolution) == (alert.id, "resolved", "cleared")
    assert (resolved.opened_at, resolved.updated_at) == (1_000, 390_999)
    assert lateness.alert is None
    assert opened(lateness, 900_000).state == "opened"


def test_what_is_read_again_says_the_same() -> None:
    first, again = Lateness("bikes", 1.0), Lateness("bikes", 1.0)
    heard = [(pane(4, first=100 * i), 7_000 * i) for i in range(4)]
    assert [first.hear(*each) for each in heard] == [again.hear(*each) for each in heard]


def test_it_goes_on_where_its_state_was_written() -> None:
    lateness, restarted = Lateness("bikes", 1.0), Lateness("bikes", 1.0)
    lateness.hear(pane(9), 1_000)
    restarted.load(orjson.loads(orjson.dumps(lateness.to_dict())))
    alert = restarted.hear(pane(1), 2_000)
    assert alert is not None
    once_more = Lateness("bikes", 1.0)
    once_more.load(orjson.loads(orjson.dumps(restarted.to_dict())))
    assert once_more.alert == alert
    resolved = once_more.hear(pane(0), 400_000)
    assert resolved is not None
    assert resolved.id == alert.id


def test_brokers_whose_clocks_differ_do_not_hide_a_pane() -> None:
    lateness = Lateness("bikes", 1.0)
    assert lateness.hear(pane(5), 9_000) is None
    assert lateness.hear(pane(5), 7_000) is not None


def test_turned_off_it_says_nothing_and_resolves_what_is_open() -> None:
    assert Lateness("bikes", None).hear(pane(100), 0) is None
    lateness, off = Lateness("bikes", 1.0), Lateness("bikes", None)
    opened(lateness, 0)
    off.load(lateness.to_dict())
    assert off.hear(pane(100), 299_999) is None
    resolved = off.hear(pane(100), 300_000)
    assert resolved is not None
    assert resolved.state == "resolved"
