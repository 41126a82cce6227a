from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from streamapp.drift import Period, Recorded, Replay, event_id, opened_in, unmatched
from streamapp.messages import Alert, InRecord, Verdict, event_headers
from streamapp.profile.policy import write_policy
from tests.drift.logs import eventful, profile_of

ALWAYS = Period()


@pytest.fixture(scope="module")
def said() -> list[Alert]:
    """Messages of alerts that open, resolve, and open again."""
    replay = Replay("bikes", profile_of, false_alarm_every=20_000, clear_after=400)
    for each in eventful():
        replay.fold(each.encode())
    assert len(replay.alerts) >= 5
    return replay.alerts


def record(alert: Alert, offset: int) -> InRecord:
    headers = event_headers("bikes", alert.ce_type, event_id(alert), alert.updated_at)
    return InRecord(0, offset, 0, alert.key, alert.encode(), headers)


def recorded(alerts: Iterable[Alert], *, offsets: Sequence[int] | None = None) -> Recorded:
    listed = list(alerts)
    return Recorded(
        record(alert, offset) for alert, offset in zip(listed, offsets or range(len(listed)), strict=True)
    )


def changed(alert: Alert, **fields: object) -> Alert:
    return alert.model_copy(update=fields)


def test_the_same_messages_agree(said: list[Alert]) -> None:
    agreement = recorded(said).compare(said, ALWAYS)
    assert (agreement.same, agreement.messages, agreement.compacted) == (len(said), len(said), 0)
    assert agreement.differences == ()


def test_a_message_written_twice_counts_once(said: list[Alert]) -> None:
    agreement = recorded([*said, said[0], said[-1]]).compare(said, ALWAYS)
    assert (agreement.same, agreement.messages) == (len(said), len(said))


def test_a_verdict_is_no_difference_and_another_field_is(said: list[Alert]) -> None:
    first = changed(said[0], verdict=Verdict(cause="inputs"))
    assert recorded([first, *said[1:]]).compare(said, ALWAYS).differences == ()
    first = changed(said[0], summary="otherwise", severity="info")
    (difference,) = recorded([first, *said[1:]]).compare(said, ALWAYS).differences
    assert (difference.alert, difference.how) == (first, "other-fields")
    assert difference.fields == ("severity", "summary")


def test_what_one_side_alone_has_is_named_earliest_first(said: list[Alert]) -> None:
    ours = recorded(said[1:-1]).compare(said[:-2], ALWAYS)
    assert [(each.alert, each.how) for each in ours.differences] == [
        (said[0], "not-recorded"),
        (said[-2], "not-repeated"),
    ]
    assert (ours.same, ours.messages) == (len(said) - 3, len(said) - 1)


def test_what_is_later_than_all_that_is_recorded_may_be_recorded_yet(said: list[Alert]) -> None:
    last = max(alert.updated_at for alert in said)
    before = [alert for alert in said if alert.updated_at < last]
    differences = recorded(before).compare(said, ALWAYS).differences
    assert {each.how for each in differences} == {"not-recorded-yet"}
    assert len(differences) == len(said) - len(before) > 0
    assert {each.how for each in Recorded().compare(said, ALWAYS).differences} == {"not-recorded-yet"}


def test_compaction_is_no_difference(said: list[Alert]) -> None:
    offsets = {alert.key: i for i, alert in enumerate(said)}
    kept = sorted(offsets.values())
    assert len(kept) < len(said)
    compacted = recorded([said[i] for i in kept], offsets=kept)
    agreement = compacted.compare(said, ALWAYS)
    assert (agreement.same, agreement.compacted) == (len(kept), len(said) - len(kept))
    assert agreement.differences == ()
    # Without a gap in the offsets nothing can have been taken.
    assert recorded([said[i] for i in kept]).compare(said, ALWAYS).differences != ()
    # Compaction leaves the newest of each key.
    newest = compacted.compare([*said, changed(said[kept[-1]], updated_at=10**10)], ALWAYS)
    assert [each.how for each in newest.differences] == ["not-recorded-yet"]


def test_a_period_selects_what_is_compared(said: list[Alert]) -> None:
    middle = sorted(alert.updated_at for alert in said)[len(said) // 2]
    since = [alert for alert in said if alert.updated_at >= middle]
    assert recorded(since).compare(said, Period(middle)).differences == ()
    assert recorded(since).compare(said, Period(middle)).messages == len(since)
    assert recorded(since).compare(said, ALWAYS).differences != ()


def test_what_no_summary_of_requests_says_is_left_out(said: list[Alert]) -> None:
    others = [changed(said[0], kind=kind, false_alarm_every=7) for kind in ("accuracy", "target")]
    values = [None, b"", b"{}", *(other.encode() for other in others)]
    rubbish = [InRecord(0, i, 0, b"k", value, []) for i, value in enumerate(values)]
    assert Recorded(rubbish).messages == {}
    assert Recorded(rubbish).false_alarm_every is None


def test_a_record_without_ce_id_has_the_one_that_follows_from_it(said: list[Alert]) -> None:
    plain = InRecord(0, 0, 0, said[0].key, said[0].encode(), [])
    assert list(Recorded([plain]).messages) == [event_id(said[0])]


def test_the_setting_is_that_of_the_newest_alert_that_names_it(said: list[Alert]) -> None:
    told = [said[0], changed(said[1], false_alarm_every=300), changed(said[2], false_alarm_every=None)]
    assert recorded(told).false_alarm_every == 300
    assert Recorded().false_alarm_every is None


def test_clearing_and_choices_are_those_of_the_newest_alert_with_settings(said: list[Alert]) -> None:
    choices = {"temp": {"floor": 0.3}}
    older = [changed(each, clear_after=None, drift=None) for each in said]
    assert (recorded(older).clear_after, recorded(older).policy) == (None, None)
    told = [changed(said[0], drift=choices), *older[1:]]
    assert recorded(told).clear_after == 400
    assert write_policy(recorded(told).policy or {}) == choices
    assert recorded([*told[:2], said[2]]).policy == {}
    # What older versions did not write is no difference.
    assert recorded(older).compare(said, ALWAYS).differences == ()
    differing = recorded([changed(said[0], drift=choices), *said[1:]]).compare(said, ALWAYS).differences
    assert [(each.how, each.fields) for each in differing] == [("other-fields", ("drift",))]


def alert(
    name: str, opened_at: int, resolved_at: int | None = None, *, kind: str = "input", subject: str = "x"
) -> Alert:
    return Alert.parse(
        {
            "id": name,
            "state": "opened" if resolved_at is None else "resolved",
            "kind": kind,
            "subject": subject,
            "summary": "",
            "opened_at": opened_at,
            "updated_at": opened_at if resolved_at is None else resolved_at,
        }
    )


def test_alerts_are_listed_once_by_their_last_message(said: list[Alert]) -> None:
    again = opened_in(said, ALWAYS)
    assert len(again) == len({each.id for each in said}) < len(said)
    assert [each.opened_at for each in again] == sorted(each.opened_at for each in again)
    assert all(each == [one for one in said if one.id == each.id][-1] for each in again)
    listed = [alert("b", 20), alert("a", 10), alert("a", 10, 30)]
    assert opened_in(listed, Period(0, 20)) == [alert("a", 10, 30)]
    assert opened_in(listed, ALWAYS) == [alert("a", 10, 30), alert("b", 20)]


@pytest.mark.parametrize(
    ("other", "matches"),
    [
        (alert("b", 12, 15), True),
        (alert("b", 5, 10, subject="y"), True),  # met what else drifts first
        (alert("b", 5), True),
        (alert("b", 20), True),
        (alert("b", 21), False),
        (alert("b", 5, 9), False),
        (alert("b", 10, 20, kind="missing"), False),
    ],
)
def test_alerts_of_two_settings_match_by_kind_and_time(other: Alert, *, matches: bool) -> None:
    one = alert("a", 10, 20)
    assert unmatched([one], [other]) == ([] if matches else [one])
    assert unmatched([other], [one]) == ([] if matches else [other])
    assert unmatched([one], []) == [one]
