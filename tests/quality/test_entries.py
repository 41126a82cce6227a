from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamapp.messages import Label
from streamapp.messages.base import FIRST_MS, LAST_MS
from streamapp.quality.entries import (
    LOGS,
    META_KEY,
    Answer,
    GivenAnswer,
    GivenLabel,
    KnownId,
    Waiting,
    arrival_of,
    id_key,
    log_key,
    log_offset,
)

times = st.integers(FIRST_MS, LAST_MS)
offsets = st.integers(0, 2**63 - 1)
partitions = st.integers(0, 2**31 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
labels: st.SearchStrategy[Label] = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-9, 9) | texts
given_labels = st.builds(GivenLabel, labels, texts, times, partitions, offsets)
headers = st.lists(st.tuples(texts, st.none() | st.binary(max_size=8)), max_size=3)
some_bytes = st.binary(max_size=8)
arrivals = st.none() | times

answers = st.builds(Answer, times, offsets, offsets, times)
given_answers = st.builds(
    GivenAnswer, st.binary(max_size=33), times, st.binary(max_size=300), st.none() | some_bytes, some_bytes
)
waiting = st.builds(
    Waiting,
    partitions,
    offsets,
    st.integers(-(2**63), 2**63 - 1),
    st.none() | some_bytes,
    st.binary(min_size=1, max_size=8),  # only records with a value ever wait
    headers,
)


@given(
    st.lists(st.tuples(answers, st.lists(given_labels, max_size=3)), max_size=3),
    st.lists(offsets, max_size=3),
)
def test_what_is_known_of_an_id_comes_back_as_it_was(
    some: list[tuple[Answer, list[GivenLabel]]], waits: list[int]
) -> None:
    known = KnownId()
    for answer, notes in some:
        for label in notes:
            answer.revision += answer.note(label)
        known.add(answer)
    for offset in waits:
        known.wait(offset)
    again = KnownId.decode(known.encode())
    assert again.encode() == known.encode()
    assert again.waiting == known.waiting
    for before, after in zip(known.answers, again.answers, strict=True):
        assert (after.time_ms, after.offset, after.position, after.timestamp_ms, after.revision) == (
            before.time_ms,
            before.offset,
            before.position,
            before.timestamp_ms,
            before.revision,
        )
        assert list(map(tuple, after.seen)) == list(map(tuple, before.seen))
        assert list(after.labels) == list(before.labels)


def test_an_answer_that_an_older_version_kept_is_read() -> None:
    assert KnownId.decode(b"[[[1,2,3,4]],[5]]") == KnownId([Answer(1, 2, 3, 4)], [5])


def test_an_answer_is_forgotten_by_its_position() -> None:
    known = KnownId([Answer(1, 0, 5, 1), Answer(2, 1, 6, 2)])
    known.answers[1].note(GivenLabel("calm", "meter", 3, 0, 0))
    assert not known.forget(7)
    assert not known.forget(6), "it has a label"
    assert known.forget(5)
    assert known.encode() is None


def test_of_an_id_of_which_nothing_is_known_nothing_is_kept() -> None:
    assert KnownId().encode() is None
    assert KnownId.decode(None) == KnownId()


@given(given_answers, arrivals)
def test_an_answer_comes_back_as_it_was(answer: GivenAnswer, arrived_ms: int | None) -> None:
    entry = answer.encode(arrived_ms)
    assert GivenAnswer.decode(entry) == answer
    assert arrival_of(entry) == arrived_ms


@given(waiting, arrivals)
def test_a_waiting_label_comes_back_as_it_was(label: Waiting, arrived_ms: int | None) -> None:
    entry = label.encode(arrived_ms)
    assert Waiting.decode(label.partition, label.offset, entry) == label
    assert arrival_of(entry) == arrived_ms


@given(st.lists(answers, max_size=6))
def test_answers_to_an_id_lie_in_the_order_of_their_times(some: list[Answer]) -> None:
    known = KnownId()
    for answer in some:
        known.add(answer)
    assert known.answers == sorted(some, key=lambda each: (each.time_ms, each.offset))
    assert all(known.has(answer.time_ms, answer.offset) for answer in some)
    assert not known.has(LAST_MS + 1, 0)


def test_of_an_id_the_newest_thousand_answers_and_waiting_labels_are_known() -> None:
    known = KnownId()
    for i in range(1_005):
        known.add(Answer(i, 0, i, 0))
        known.wait(i)
    assert [answer.time_ms for answer in known.answers] == list(range(5, 1_005))
    assert known.waiting == list(range(5, 1_005))


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_ids_are_told_apart_by_keys_of_bounded_length(one: bytes, other: bytes) -> None:
    assert (id_key(one) == id_key(other)) == (one == other)
    assert len(id_key(one)) <= 33


def test_a_long_id_is_not_taken_for_the_short_one_that_its_hash_looks_like() -> None:
    hashed = id_key(b"x" * 100)
    assert id_key(hashed[1:]) != hashed


@given(offsets, offsets)
def test_the_entries_of_a_log_lie_in_the_order_of_their_offsets(one: int, other: int) -> None:
    for log in LOGS:
        assert (log_key(log, one) < log_key(log, other)) == (one < other)
        assert log_offset(log_key(log, one)) == one
    assert len({log[:1] for log in LOGS} | {META_KEY[:1], id_key(b"")[:1]}) == 4
