from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.errors import ConfigError, StoreError
from streamapp.messages import InRecord, header
from streamapp.quality.join import Join
from streamapp.quality.store import MemoryStore, Writes
from tests.quality.join_log import HORIZON, Reader, answer, ids_of, label, rows_of


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
