from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamapp.messages import Label
from streamapp.messages.base import FIRST_MS, LAST_MS
from streamapp.quality.entries import (
    META_KEY,
    Answer,
    GivenLabel,
    Place,
    Waiting,
    add_place,
    answer_key,
    arrival_key,
    arrivals_before,
    drop_place,
    hash_id,
    index_key,
    places_of,
    waiting_bounds,
)

times = st.integers(FIRST_MS, LAST_MS)
offsets = st.integers(0, 2**63 - 1)
partitions = st.integers(0, 2**31 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
hashes = st.binary(min_size=16, max_size=16)
labels: st.SearchStrategy[Label] = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-9, 9) | texts
given_labels = st.builds(GivenLabel, labels, texts, times, partitions, offsets)
places = st.builds(Place, times, offsets)
headers = st.lists(st.tuples(texts, st.none() | st.binary(max_size=8)), max_size=3)

answers = st.builds(
    Answer,
    hashes,
    times,
    offsets,
    times,
    texts,
    st.none() | st.binary(max_size=8),
    st.binary(max_size=8),
    st.integers(0, 9),
    st.dictionaries(partitions, offsets, max_size=3),
    st.lists(given_labels, max_size=3).map(lambda some: {label.source: label for label in some}),
)
waiting = st.builds(
    Waiting,
    hashes,
    partitions,
    offsets,
    times,
    times,
    st.none() | st.binary(max_size=8),
    st.none() | st.binary(min_size=1, max_size=8),
    headers,
)


@given(answers)
def test_an_answer_comes_back_as_it_was(answer: Answer) -> None:
    assert Answer.decode(answer.store_key, answer.encode()) == answer


@given(waiting)
def test_a_waiting_label_comes_back_as_it_was(label: Waiting) -> None:
    read = Waiting.decode(label.store_key, label.encode())
    assert read.headers == label.headers
    assert read.value == (label.value or b"")  # only records with a value ever wait
    assert (read.id_hash, read.partition, read.offset, read.timestamp, read.arrived_ms, read.key) == (
        label.id_hash,
        label.partition,
        label.offset,
        label.timestamp,
        label.arrived_ms,
        label.key,
    )


@given(st.lists(places, max_size=6), places)
def test_an_index_holds_places_once_and_in_order(some: list[Place], dropped: Place) -> None:
    index = None
    for place in [*some, *some]:
        index = add_place(index, place)
    assert places_of(index) == sorted(set(some))
    left = drop_place(index, dropped)
    assert places_of(left) == sorted(set(some) - {dropped})
    assert left is None or left


def test_an_index_keeps_the_newest_thousand() -> None:
    index = None
    for i in range(1_005):
        index = add_place(index, Place(i, 0))
    assert [place.time_ms for place in places_of(index)] == list(range(5, 1_005))


@given(answers)
def test_an_answer_lies_at_its_place(answer: Answer) -> None:
    assert answer.store_key == answer_key(answer.id_hash, answer.place)
    assert places_of(add_place(None, answer.place)) == [answer.place]


@given(answers, waiting, hashes)
def test_the_kinds_of_keys_keep_apart(answer: Answer, label: Waiting, other: bytes) -> None:
    low, high = waiting_bounds(label.id_hash)
    assert low <= label.store_key < high
    assert not low <= answer.store_key < high
    if other != label.id_hash:
        low, high = waiting_bounds(other)
        assert not low <= label.store_key < high
    kinds = [answer.store_key[:1], label.store_key[:1], index_key(answer.id_hash)[:1], META_KEY]
    assert len(set(kinds)) == len(kinds)


@given(times, times, st.binary(max_size=4))
def test_arrivals_lie_in_the_order_of_their_times(arrived_ms: int, bound_ms: int, key: bytes) -> None:
    low, high = arrivals_before(bound_ms)
    assert (low <= arrival_key(arrived_ms, key) < high) == (arrived_ms < bound_ms)


def test_ids_are_told_apart() -> None:
    assert hash_id("1") != hash_id("1 ") != hash_id("")
    assert len(hash_id("\ud800")) == 16
