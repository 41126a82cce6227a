from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from streamapp.errors import ConfigError, StoreError
from streamapp.messages import Feedback, InRecord, Labelled, OutRecord, event_headers, header
from streamapp.messages.schemas import schema_of
from streamapp.quality.join import MAX_FEEDBACK_BYTES, Join
from streamapp.quality.matching import FORWARDED
from streamapp.quality.store import MemoryStore
from tests.quality.join_log import HORIZON, MINUTE, START, Reader, answer, family, ids_of, label, rows_of


def test_a_late_label_becomes_a_labelled_row() -> None:
    reader = Reader()
    assert reader.answers(answer(0, "a", at=1_000)).rows == []
    (row,) = reader.feedback(label(7, "a", "calm", at=MINUTE, source="person:jk")).rows
    fields = orjson.loads(row.value or b"")
    Draft202012Validator(schema_of("labelled")).validate(fields)
    assert fields == {
        **orjson.loads(answer(0, "a", at=1_000).value or b""),
        "label": "calm",
        "source": "person:jk",
        "labelled_at": "2011-05-02T08:01:00Z",
        "revision": 0,
    }
    assert row[:2] == (0, b"k")
    assert row.headers == event_headers(
        "bikes", "streamapp.labelled.v1", "bikes.requests-0-0+0-7", START + 1_000
    )


def test_an_early_label_waits_for_its_answer() -> None:
    reader = Reader()
    joined = reader.feedback(label(0, "a"))
    assert (joined.rows, joined.dead_letters, joined.counts) == ([], [], {"waiting": 1})
    assert reader.join.waiting == 1
    reader.answers(answer(0, "b"), answer(1, "a"))
    assert reader.rows == [("a", "calm", 0)]
    assert reader.join.waiting == 0
    assert len(list(reader.store.scan(b"w", b"x"))) == 0


def test_early_labels_join_in_their_order() -> None:
    reader = Reader()
    reader.feedback(label(0, "a", "calm"), label(1, "a", "busy"))
    reader.answers(answer(0, "a"))
    assert reader.rows == [("a", "calm", 0), ("a", "busy", 1)]


def test_a_correction_is_the_next_revision() -> None:
    reader = Reader()
    reader.answers(answer(0, "a"))
    reader.feedback(label(0, "a", "calm"), label(1, "a", "busy"))
    joined = reader.feedback(label(2, "a", 3.5))
    assert reader.rows == [("a", "calm", 0), ("a", "busy", 1), ("a", 3.5, 2)]
    assert len(set(reader.ids)) == 3
    assert joined.counts == {"corrected": 1}


def test_a_person_outranks_a_system_and_not_the_other_way() -> None:
    reader = Reader()
    reader.answers(answer(0, "a"))
    reader.feedback(label(0, "a", "calm", source="meter"), label(1, "a", "busy", source="person:jk"))
    joined = reader.feedback(label(2, "a", "calm", source="meter"))
    assert (joined.rows, joined.counts) == ([], {"outranked": 1})
    reader.feedback(label(3, "a", "full", source="person:xy"))
    assert reader.rows == [("a", "calm", 0), ("a", "busy", 1), ("a", "full", 2)]


@pytest.mark.parametrize(
    ("source", "is_person"), [("person:", True), ("person", False), ("Person:jk", False)]
)
def test_who_is_a_person(source: str, is_person: bool) -> None:
    reader = Reader()
    reader.answers(answer(0, "a"))
    reader.feedback(label(0, "a", 1, source=source), label(1, "a", 2))
    assert (len(reader.rows) == 1) == is_person


def test_a_label_names_its_request_by_position() -> None:
    reader = Reader()
    reader.answers(answer(0, "a"), answer(1, "a", at=10))
    reader.feedback(label(0, "a", request={"partition": 0, "offset": 0}))
    assert reader.ids == [b"bikes.requests-0-0+0-0"]
    joined = reader.feedback(label(1, "a", request={"partition": 0, "offset": 5}))
    assert joined.counts == {"waiting": 1}


def test_numbers_are_ids_as_they_are_written() -> None:
    reader = Reader()
    huge = "123456789012345678901234567890"
    reader.answers(answer(0, "17"), answer(1, huge))
    reader.feedback(label(0, 17), InRecord(0, 1, START, None, b'{"id":%b,"label":1}' % huge.encode()))
    assert [row[0] for row in reader.rows] == ["17", huge]


def test_of_reused_ids_the_latest_answer_before_the_label_has_it() -> None:
    reader = Reader()
    reader.answers(answer(0, "a", at=0), answer(1, "a", at=10 * MINUTE), answer(2, "a", at=20 * MINUTE))
    at = "2011-05-02T08:15:00Z"
    reader.feedback(label(0, "a", at=25 * MINUTE), label(1, "a", at=15 * MINUTE))
    value = orjson.dumps({"id": "a", "label": 1, "at": at})
    reader.feedback(InRecord(0, 2, START + 25 * MINUTE, None, value))
    assert reader.ids == [
        b"bikes.requests-0-2+0-0",
        b"bikes.requests-0-1+0-1",
        b"bikes.requests-0-1+0-2",
    ]


def test_a_label_from_before_every_answer_belongs_to_the_earliest() -> None:
    reader = Reader()
    reader.answers(answer(0, "a", at=MINUTE), answer(1, "a", at=2 * MINUTE))
    reader.feedback(label(0, "a", at=0))
    assert reader.ids == [b"bikes.requests-0-0+0-0"]


@pytest.mark.parametrize("at", ["soon", "2011-05-02T08:00:00", "2099-01-01T00:00:00Z", 1.5, {"no": "time"}])
def test_a_time_that_cannot_be_used_is_the_records_own(at: Any) -> None:
    reader = Reader()
    reader.answers(answer(0, "a"), answer(1, "a", at=10 * MINUTE))
    value = orjson.dumps({"id": "a", "label": 1, "at": at})
    joined = reader.feedback(InRecord(0, 0, START + MINUTE, None, value))
    assert joined.counts == {"joined": 1, "wrong-clock": 1}
    assert ids_of(joined) == [b"bikes.requests-0-0+0-0"]
    assert Labelled.decode(joined.rows[0].value).labelled_at == START + MINUTE


def test_without_a_time_in_it_the_header_of_a_label_counts() -> None:
    reader = Reader()
    reader.answers(answer(0, "a"), answer(1, "a", at=10 * MINUTE))
    plain = label(0, "a", at=20 * MINUTE)
    headers = [("ce_time", b"2011-05-02T08:05:00Z")]
    joined = reader.feedback(InRecord(0, 0, plain.timestamp, None, plain.value, headers))
    assert ids_of(joined) == [b"bikes.requests-0-0+0-0"]
    assert Labelled.decode(joined.rows[0].value).labelled_at == START + 5 * MINUTE


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "not-json"),
        (b"", "not-json"),
        (b"{", "not-json"),
        (b"\xff\xfe", "not-json"),
        (b"[1]", "not-an-object"),
        (b'{"id": "a"}', "wrong-type"),
        (b'{"label": 1}', "wrong-type"),
        (b'{"id": null, "label": 1}', "wrong-type"),
        (b'{"id": true, "label": 1}', "wrong-type"),
        (b'{"id": 1.0, "label": 1}', "wrong-type"),
        (b'{"id": "a", "label": null}', "wrong-type"),
        (b'{"id": "a", "label": {"x": 1}}', "wrong-type"),
        (b'{"id": "a", "label": 1, "request": 7}', "wrong-type"),
        (b'{"id": "a", "label": 1, "at": "soon", "request": 7}', "wrong-type"),
        (b'{"id": "a", "label": "' + b"x" * MAX_FEEDBACK_BYTES + b'"}', "too-large"),
    ],
)
def test_feedback_that_cannot_be_read_is_a_dead_letter(value: bytes | None, code: str) -> None:
    reader = Reader()
    reader.answers(answer(0, "a"))
    headers = [("x", b"1")]
    joined = reader.feedback(InRecord(0, 3, START, b"k", value, headers), label(4, "a"))
    (letter,) = joined.dead_letters
    assert letter[:3] == (0, b"k", value)
    assert letter.headers[0] == ("x", b"1")
    assert dict(letter.headers[1:]) == {
        "streamapp-error-code": code.encode(),
        "streamapp-error-message": header(letter.headers, "streamapp-error-message"),
        "streamapp-source-topic": b"bikes.feedback",
        "streamapp-source-partition": b"0",
        "streamapp-source-offset": b"3",
        "streamapp-source-timestamp": b"2011-05-02T08:00:00Z",
    }
    assert len(joined.rows) == 1
    assert joined.counts == {code: 1, "joined": 1}


def test_where_columns_are_personal_a_dead_letter_has_no_value() -> None:
    reader = Join(MemoryStore(), "bikes", HORIZON)
    misplaced = InRecord(0, 7, START, b"k", b'{"id": "r-1", "features": {"name": "jk"}}')
    assert reader.feedback([misplaced]).dead_letters[0].value == misplaced.value
    reader.is_private = True
    (letter,) = reader.feedback([misplaced]).dead_letters
    assert letter.value is None
    assert header(letter.headers, "streamapp-source-offset") == b"7"
    assert header(letter.headers, "streamapp-omitted-bytes") == b"41"
    assert not any(b"jk" in value for _, value in letter.headers)


def test_a_row_that_would_not_fit_its_topic_is_a_dead_letter() -> None:
    reader = Reader(max_bytes=2_000)
    reader.answers(answer(0, "a"))
    joined = reader.feedback(label(0, "a", "x" * 1_500), label(1, "a", "busy"))
    assert rows_of(joined) == [("a", "busy", 0)]
    (letter,) = joined.dead_letters
    assert header(letter.headers, "streamapp-error-code") == b"too-large"


@given(value=st.binary(max_size=60), timestamp=st.integers(-(2**63), 2**63 - 1))
def test_no_bytes_raise(value: bytes, timestamp: int) -> None:
    reader = Reader()
    record = InRecord(
        0, 0, timestamp, None, value, [("ce_time", value), ("ce_id", value), (FORWARDED, value)]
    )
    assert reader.answers(record).counts.total() == 1
    joined = reader.feedback(record)
    assert len(joined.dead_letters) == 1


@pytest.mark.parametrize(
    "value",
    [b"[]", b"7", b"{}", b'{"id": 1, "request": {"offset": 0}}', b'{"id": "a", "request": [0]}',
     b'{"id": "a", "request": {"offset": -1}}', b'{"id": "a", "request": {"offset": "0"}}', None],
)  # fmt: skip
def test_what_is_no_answer_is_counted_and_passed_over(value: bytes | None) -> None:
    reader = Reader()
    record = InRecord(0, 0, START, None, value, [("ce_id", b"x")])
    assert reader.answers(record).counts == {"unreadable": 1}
    assert reader.join.positions().predictions == 1


def test_a_rejection_needs_no_label() -> None:
    reader = Reader()
    plain = answer(0, "a")
    headers = event_headers("bikes", "streamapp.rejection.v1", "x", START)
    rejection = InRecord(0, 0, START, None, plain.value, headers)
    assert reader.answers(rejection).counts == {"rejections": 1}
    assert reader.feedback(label(0, "a")).counts == {"waiting": 1}


def test_a_repeated_answer_is_one_answer() -> None:
    reader = Reader()
    reader.answers(answer(0, "a"))
    assert reader.answers(answer(1, "a", request=0)).counts == {"repeats": 1}
    reader.feedback(label(0, "a"))
    assert len(reader.rows) == 1


def test_a_label_whose_request_never_comes_ends_in_dead_letters() -> None:
    reader = Reader()
    reader.pass_time(0, 0)
    reader.feedback(label(5, "ghost"), label(6, "real"))
    reader.answers(answer(3, "real"))
    reader.pass_time(4, HORIZON)
    assert reader.expire().dead_letters == []
    reader.pass_time(7, HORIZON + 1)
    (letter,) = reader.expire().dead_letters
    assert letter[:3] == (0, b"k", label(5, "ghost").value)
    assert header(letter.headers, "streamapp-error-code") == b"unknown-id"
    assert header(letter.headers, "streamapp-source-offset") == b"5"
    assert reader.join.waiting == 0
    assert reader.expire().dead_letters == []


def test_what_is_over_its_horizon_is_forgotten_and_a_later_label_finds_nothing() -> None:
    reader = Reader()
    reader.answers(answer(0, "a"), answer(1, "b"), answer(2, "c"))
    reader.feedback(label(0, "a"))
    reader.pass_time(3, HORIZON + 1)
    assert reader.expire(limit=2).counts == {"unlabelled": 1}
    assert reader.expire().counts == {"unlabelled": 3}  # and the two that had not moved the time yet
    assert reader.feedback(label(1, "a")).counts == {"waiting": 1}
    assert len(list(reader.store.scan(b"v", b"w"))) == 1
    assert len(list(reader.store.scan(b"i", b"j"))) == 2, "ids of which nothing is known any more"


def test_an_answer_that_arrives_late_is_kept_for_a_horizon_all_the_same() -> None:
    reader = Reader()
    reader.pass_time(0, HORIZON)
    reader.answers(answer(3, "late", at=0))
    reader.pass_time(4, 2 * HORIZON)
    reader.expire()
    reader.feedback(label(0, "late"))
    assert reader.rows == [("late", "calm", 0)]


def test_one_stray_clock_makes_nothing_expire() -> None:
    reader = Reader()
    reader.pass_time(0, 0)
    reader.answers(answer(3, "a"), answer(4, "stray", at=100 * HORIZON))
    reader.expire()
    reader.feedback(label(0, "a"))
    assert reader.rows == [("a", "calm", 0)]


def test_what_is_forgotten_can_go_by_an_earlier_time() -> None:
    reader = Reader()
    reader.pass_time(0, 0)
    reader.answers(answer(3, "a", at=MINUTE))
    reader.pass_time(4, 2 * HORIZON)
    assert reader.expire(now_ms=START + HORIZON).counts == {}
    assert reader.expire(now_ms=START + HORIZON + 1).counts == {"unlabelled": 5}
    reader.feedback(label(0, "later-6", at=2 * HORIZON))
    assert reader.rows == [("later-6", "calm", 0)]


def test_labels_from_before_there_was_a_stream_time_are_given_up_a_horizon_after_it_began() -> None:
    reader = Reader()
    reader.feedback(*[label(i, f"ghost-{i}", at=50 * HORIZON) for i in range(5)])
    reader.pass_time(0, 0)
    reader.pass_time(3, HORIZON)
    assert reader.expire().dead_letters == []
    reader.pass_time(6, HORIZON + 1)
    assert [len(reader.expire(limit=3).dead_letters) for _ in range(3)] == [3, 2, 0]
    assert reader.join.waiting == 0


def test_after_a_restart_the_rest_is_forgotten_too() -> None:
    reader = Reader()
    reader.pass_time(0, 0)
    reader.pass_time(3, HORIZON + 1)
    assert reader.expire(limit=1).counts == {"unlabelled": 1}
    after = Reader(reader.store)
    assert after.expire().counts == {"unlabelled": 4}  # two more that came before time had moved
    assert after.expire().counts == {}


def test_a_store_of_another_layout_is_refused_with_the_remedy() -> None:
    store = MemoryStore()
    store.write({b"m": orjson.dumps({"positions": [1, 1], "time": [None], "waiting": 0})})
    with pytest.raises(StoreError, match="delete it, it is rebuilt from the topics"):
        Join(store, "bikes", HORIZON)


def test_a_row_has_the_headers_of_its_type_whatever_its_id_and_time() -> None:
    for time_ms in (START, START + 7):
        reader = Reader()
        given = answer(0, "a%b", at=time_ms - START, request=10**15)
        reader.answers(given)
        (row,) = reader.feedback(label(5, "a%b", at=MINUTE)).rows
        ce_id = f"bikes.requests-0-{10**15}+0-5"
        assert row.headers == event_headers("bikes", Labelled.ce_type, ce_id, time_ms)


@pytest.mark.parametrize("request_id", ["a", 'quo"te', "back\\slash", "é", "\u2028", "", "x" * 500])
def test_ids_of_all_kinds_find_their_labels(request_id: str) -> None:
    reader = Reader()
    reader.answers(answer(0, request_id))
    reader.feedback(label(0, request_id))
    assert reader.rows == [(request_id, "calm", 0)]


def test_without_stream_time_nothing_expires() -> None:
    reader = Reader()
    reader.feedback(label(0, "a"))
    joined = reader.expire()
    assert (joined.dead_letters, joined.batch.views) == ([], {})


def test_a_label_on_another_partition_of_the_process_is_joined_here_and_now() -> None:
    readers = family(2)
    readers[1].answers(answer(0, "a", partition=1))
    joined = readers[0].feedback(label(9, "a"))
    assert (rows_of(joined), joined.forwards) == ([("a", "calm", 0)], [])
    assert ids_of(joined) == [b"bikes.requests-1-0+0-9"]


def test_an_early_label_on_another_partition_of_the_process_waits_there() -> None:
    readers = family(2)
    readers[0].feedback(label(9, "a"))
    readers[1].answers(answer(0, "a", partition=1))
    assert readers[1].rows == [("a", "calm", 0)]
    assert readers[0].join.waiting == 0
    assert len(list(readers[0].store.scan(b"w", b"x"))) == 0
    assert len(list(readers[0].store.scan(b"i", b"j"))) == 0


@pytest.mark.parametrize(
    ("request_id", "more", "target"),
    [
        ("a", {"request": {"partition": 2, "offset": 0}}, 2),
        ("2-0", {}, 2),
        ("a", {}, None),
        ("0-5", {}, None),
        ("9-5", {}, None),
        ("a", {"request": {"partition": -1, "offset": 0}}, None),
        ("a", {"request": {"partition": 4, "offset": 0}}, None),
        ("99999999999-0", {}, None),
    ],
)
def test_a_label_is_forwarded_where_it_says_that_it_belongs(
    request_id: str, more: dict[str, Any], target: int | None
) -> None:
    reader = Reader(partition=0, partitions=4)
    record = label(9, request_id, **more)
    joined = reader.feedback(record)
    if target is None:
        assert (joined.forwards, joined.counts) == ([], {"waiting": 1})
        return
    (forward,) = joined.forwards
    assert forward == OutRecord.of(target or 0, b"k", record.value, [(FORWARDED, b"0-9")])
    assert joined.counts == {"forwarded": 1}


def test_a_label_is_forwarded_once_and_keeps_its_first_position() -> None:
    first, second = Reader(partition=0, partitions=4), Reader(partition=2, partitions=4)
    (forward,) = first.feedback(label(9, "2-0")).forwards
    arrived = InRecord(2, 55, START, forward.key, forward.value, forward.headers)
    again = InRecord(2, 56, START, forward.key, forward.value, forward.headers)
    third = Reader(partition=3, partitions=4)
    assert third.feedback(InRecord(3, 1, START, forward.key, forward.value, forward.headers)).forwards == []
    second.answers(answer(0, "2-0", partition=2))
    joined = second.feedback(arrived, again)
    assert ids_of(joined) == [b"bikes.requests-2-0+0-9"]
    assert joined.counts == {"joined": 1, "repeated": 1}


def test_while_the_number_of_partitions_is_unknown_nothing_is_forwarded() -> None:
    assert Reader(partition=0).feedback(label(9, "2-0")).forwards == []


@pytest.mark.parametrize("horizon_ms", [0, -1])
def test_a_horizon_must_be_above_zero(horizon_ms: int) -> None:
    with pytest.raises(ConfigError, match="must be above 0"):
        Join(MemoryStore(), "bikes", horizon_ms)


def test_feedback_as_the_type_writes_it_is_read() -> None:
    reader = Reader()
    reader.answers(answer(0, "a"))
    value = Feedback(id="a", label=True, source="person:jk", at=START + 5).encode()
    reader.feedback(InRecord(0, 0, START + MINUTE, None, value))
    assert reader.rows == [("a", True, 0)]
