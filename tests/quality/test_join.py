from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from streamapp.errors import ConfigError, StoreError
from streamapp.messages import (
    Feedback,
    InRecord,
    Labelled,
    ModelRef,
    Prediction,
    RequestRef,
    answer_id,
    event_headers,
    header,
)
from streamapp.messages.schemas import schema_of
from streamapp.quality.join import MAX_FEEDBACK_BYTES, Join, Joined
from streamapp.quality.matching import FORWARDED
from streamapp.quality.store import MemoryStore, Writes

MINUTE = 60_000
HORIZON = 60 * MINUTE
START = 1_304_323_200_000


def answer(
    offset: int, request_id: str | None = None, *, at: int = 0, partition: int = 0, request: int | None = None
) -> InRecord:
    """An answer at event time START + at, as serving writes it; its request lies at `request`."""
    position = offset if request is None else request
    time_ms = START + at
    prediction = Prediction(
        id=f"r-{offset}" if request_id is None else request_id,
        model=ModelRef(name="bikes", version="v1"),
        prediction="busy",
        features={"temp": 0.5},
        request=RequestRef(topic="bikes.requests", partition=partition, offset=position, timestamp=time_ms),
        predicted_at=time_ms + 4,
    )
    ce_id = answer_id("bikes.requests", partition, position)
    headers = event_headers("bikes", Prediction.ce_type, ce_id, time_ms)
    return InRecord(partition, offset, time_ms + 4, b"k", prediction.encode(), headers)


def label(offset: int, request_id: Any, value: Any = "calm", *, at: int = 0, **more: Any) -> InRecord:
    """Feedback whose record lies at START + at; `more` are further fields of it."""
    return InRecord(0, offset, START + at, b"k", orjson.dumps({"id": request_id, "label": value, **more}))


def rows_of(joined: Joined) -> list[tuple[str, Any, int]]:
    """Id, label and revision of the rows."""
    read = [Labelled.decode(row.value) for row in joined.rows]
    return [(row.id, row.label, row.revision) for row in read]


def ids_of(joined: Joined) -> list[bytes | None]:
    return [header(row.headers, "ce_id") for row in joined.rows]


class Reader:
    """A process that reads one partition, applies what comes, and remembers it."""

    def __init__(self, store: MemoryStore | None = None, **options: Any) -> None:
        self.store = MemoryStore() if store is None else store
        self.join = Join(self.store, "bikes", HORIZON, **options)
        self.rows: list[tuple[str, Any, int]] = []
        self.ids: list[bytes | None] = []

    def _done(self, joined: Joined) -> Joined:
        self.join.apply(joined.batch)
        self.rows += rows_of(joined)
        self.ids += ids_of(joined)
        return joined

    def answers(self, *records: InRecord) -> Joined:
        return self._done(self.join.answers(records))

    def feedback(self, *records: InRecord) -> Joined:
        return self._done(self.join.feedback(records))

    def expire(self, limit: int = 1_000) -> Joined:
        return self._done(self.join.expire(limit=limit))

    def pass_time(self, offset: int, ms: int) -> Joined:
        """Let stream time move, by three answers."""
        return self.answers(*[answer(offset + i, f"later-{offset + i}", at=ms) for i in range(3)])


def family(count: int) -> dict[int, Reader]:
    """Readers of `count` partitions in one process."""
    siblings: dict[int, Join] = {}
    readers = {p: Reader(partition=p, partitions=count, siblings=siblings) for p in range(count)}
    siblings.update({p: reader.join for p, reader in readers.items()})
    return readers


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
    assert len(list(reader.store.scan(b"a", b"b"))) == 1


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
    assert len(list(readers[0].store.scan(b"t", b"u"))) == 0


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
    assert forward == (target, b"k", record.value, [(FORWARDED, b"0-9")])
    assert joined.counts == {"forwarded": 1}


def test_a_label_is_forwarded_once_and_keeps_its_first_position() -> None:
    first, second = Reader(partition=0, partitions=4), Reader(partition=2, partitions=4)
    (forward,) = first.feedback(label(9, "2-0")).forwards
    arrived = InRecord(2, 55, START, forward.key, forward.value, forward.headers)
    again = InRecord(2, 56, START, forward.key, forward.value, forward.headers)
    third = Reader(partition=3, partitions=4)
    assert third.feedback(InRecord(3, 1, START, *forward[1:])).forwards == []
    second.answers(answer(0, "2-0", partition=2))
    joined = second.feedback(arrived, again)
    assert ids_of(joined) == [b"bikes.requests-2-0+0-9"]
    assert joined.counts == {"joined": 1, "repeated": 1}


def test_while_the_number_of_partitions_is_unknown_nothing_is_forwarded() -> None:
    assert Reader(partition=0).feedback(label(9, "2-0")).forwards == []


def test_what_was_read_is_not_read_again() -> None:
    reader = Reader()
    reader.answers(answer(0, "a"))
    reader.feedback(label(0, "a"))
    assert reader.join.positions() == (1, 1)
    after = Reader(reader.store)
    assert after.join.positions() == (1, 1)
    assert after.answers(answer(0, "a")).counts == {}
    assert after.feedback(label(0, "a"), label(1, "a")).counts == {"corrected": 1}
    assert after.rows == [("a", "calm", 1)]


def test_after_a_crash_between_delivery_and_apply_rows_come_again_with_their_ids() -> None:
    reader = Reader()
    reader.answers(answer(0, "a"), answer(1, "b"))
    records = [label(0, "a"), label(1, "b"), label(2, "a", "busy"), label(3, "ghost")]
    delivered = reader.join.feedback(records)
    after = Reader(reader.store)
    again = after.feedback(*records)
    assert again.rows == delivered.rows
    assert again.counts == delivered.counts


def test_a_batch_is_applied_once_and_in_its_turn() -> None:
    reader = Reader()
    old = reader.join.answers([answer(0, "a")])
    reader.answers(answer(0, "a"))
    with pytest.raises(ConfigError, match="out of order"):
        reader.join.apply(old.batch)
    other = Join(MemoryStore(), "bikes", HORIZON, partition=1)
    with pytest.raises(ConfigError, match="out of order"):
        reader.join.apply(other.answers([]).batch)


@pytest.mark.parametrize("horizon_ms", [0, -1])
def test_a_horizon_must_be_above_zero(horizon_ms: int) -> None:
    with pytest.raises(ConfigError, match="must be above 0"):
        Join(MemoryStore(), "bikes", horizon_ms)


class FullStore(MemoryStore):
    """A store whose disk is full after some writes: where a crash may come."""

    writes_left: int | None = None

    def write(self, writes: Writes) -> None:
        if self.writes_left is not None:
            if self.writes_left == 0:
                raise StoreError("no space left")
            self.writes_left -= 1
        super().write(writes)


Step = tuple[str, InRecord]


def run(stores: Mapping[int, FullStore], steps: Sequence[Step]) -> list[tuple[bytes | None, Any]]:
    """Let one process read `steps` from the positions in its stores; return ids and values of its rows."""
    joins: dict[int, Join] = {}
    for partition, store in stores.items():
        joins[partition] = Join(store, "bikes", HORIZON, partition=partition, partitions=2, siblings=joins)
    rows = []
    for topic, record in steps:
        join = joins[record.partition]
        joined = join.answers([record]) if topic == "predictions" else join.feedback([record])
        rows += [(header(row.headers, "ce_id"), row.value) for row in joined.rows]
        try:
            join.apply(joined.batch)
        except StoreError:
            return rows
    return rows


@pytest.mark.parametrize("crash_at", range(12))
def test_a_crash_between_two_stores_loses_no_label_and_no_rank(crash_at: int) -> None:
    steps = [
        ("feedback", label(0, "a", "busy", source="person:jk")),
        ("predictions", answer(0, "a", partition=1)),
        ("feedback", label(1, "a", "calm", source="meter")),
        ("predictions", answer(1, "b", partition=1)),
        ("feedback", label(2, "b", "calm")),
        ("feedback", label(3, "b", "busy")),
    ]
    stores = {0: FullStore(), 1: FullStore()}
    expected = run({0: FullStore(), 1: FullStore()}, steps)
    assert [(i, orjson.loads(v)["label"]) for i, v in expected] == [
        (b"bikes.requests-1-0+0-0", "busy"),
        (b"bikes.requests-1-1+0-2", "calm"),
        (b"bikes.requests-1-1+0-3", "busy"),
    ]
    before: list[tuple[bytes | None, Any]] = []
    for partition in (0, 1):
        # Whichever of the two is written first: after `crash_at` writes in all, one of them fails.
        stores[partition].writes_left = crash_at // 2 + (crash_at % 2 if partition == 0 else 0)
    before = run(stores, steps)
    for store in stores.values():
        store.writes_left = None
    rows = before + run(stores, steps)
    assert dict(rows) == dict(expected)
    assert sorted(set(rows)) == sorted(set(expected))


labels_and_answers = st.lists(
    st.tuples(
        st.sampled_from(["predictions", "feedback"]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["busy", "calm"]),
        st.sampled_from(["meter", "person:jk"]),
    ),
    max_size=12,
)


Entry = tuple[str, str, str, str]


def log(entries: list[Entry]) -> list[Step]:
    offsets = {"predictions": 0, "feedback": 0}
    steps = []
    for topic, request_id, value, source in entries:
        offset = offsets[topic]
        offsets[topic] += 1
        if topic == "predictions":
            steps.append((topic, answer(offset, request_id, at=offset)))
        else:
            steps.append((topic, label(offset, request_id, value, at=offset, source=source)))
    return steps


@settings(max_examples=100, deadline=None)
@given(entries=labels_and_answers, data=st.data())
def test_rows_do_not_depend_on_batches_or_on_crashes(entries: list[Entry], data: st.DataObject) -> None:
    steps = log(entries)
    one_by_one = Reader()
    for topic, record in steps:
        (one_by_one.answers if topic == "predictions" else one_by_one.feedback)(record)
    store = MemoryStore()
    reader = Reader(store)
    ids: list[bytes | None] = []
    rows: list[tuple[str, Any, int]] = []
    at = 0
    while at < len(steps):
        topic = steps[at][0]
        run_length = next((i for i, step in enumerate(steps[at:]) if step[0] != topic), len(steps) - at)
        end = at + data.draw(st.integers(1, run_length))
        records = [record for _, record in steps[at:end]]
        joined = (reader.join.answers if topic == "predictions" else reader.join.feedback)(records)
        if data.draw(st.booleans()):  # the process dies after delivery, before it wrote
            reader = Reader(store)
            joined = (reader.join.answers if topic == "predictions" else reader.join.feedback)(records)
        reader.join.apply(joined.batch)
        ids += ids_of(joined)
        rows += rows_of(joined)
        at = end
    assert (ids, rows) == (one_by_one.ids, one_by_one.rows)
    assert list(store.scan(b"", b"\xff")) == list(one_by_one.store.scan(b"", b"\xff"))


@given(entries=labels_and_answers)
def test_every_label_is_joined_outranked_or_waits(entries: list[Entry]) -> None:
    reader = Reader()
    for topic, record in log(entries):
        (reader.answers if topic == "predictions" else reader.feedback)(record)
    answered = {request_id for topic, request_id, *_ in entries if topic == "predictions"}
    waiting = [e for e in entries if e[0] == "feedback" and e[1] not in answered]
    assert reader.join.waiting == len(waiting) == len(list(reader.store.scan(b"w", b"x")))
    by_request: dict[Any, list[int]] = {}
    for ce_id, (_, _, revision) in zip(reader.ids, reader.rows, strict=True):
        by_request.setdefault((ce_id or b"").split(b"+")[0], []).append(revision)
    assert all(revisions == list(range(len(revisions))) for revisions in by_request.values())
    assert len(set(reader.ids)) == len(reader.ids)


def test_feedback_as_the_type_writes_it_is_read() -> None:
    reader = Reader()
    reader.answers(answer(0, "a"))
    value = Feedback(id="a", label=True, source="person:jk", at=START + 5).encode()
    reader.feedback(InRecord(0, 0, START + MINUTE, None, value))
    assert reader.rows == [("a", True, 0)]
