from __future__ import annotations

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.messages import NO_VERSION, Distribution
from streamapp.models import Bundle
from streamapp.profile import Profile, Summary
from streamapp.serving.answers import Answers, Counted
from streamapp.serving.pane import read_pane
from streamapp.serving.panes import PaneBook, Restored, Save
from tests.serving.batches import TIME_MS, answer, body, request, row


def counted(first: int, count: int, *, rejected: int = 0, late: int = 0, time_ms: int = TIME_MS) -> Counted:
    """Requests without a model at `first` and after, the last of them rejected, the first late."""
    return Counted(
        np.arange(first, first + count),
        time_ms + np.arange(first, first + count),
        np.arange(count) >= count - rejected,
        np.arange(count) < late,
        np.zeros(0, np.intp),
        {},
        None,
    )


def observe(book: PaneBook, batch: Counted, *, now_ms: int = 0, version: str = NO_VERSION) -> int:
    return book.observe(3, batch, version=version, profile=None, now_ms=now_ms)


def only(saves: list[Save]) -> Save:
    (save,) = saves
    return save


def test_a_pane_closes_at_the_save_at_which_it_is_full() -> None:
    book = PaneBook(pane_events=10, pane_seconds=5)
    observe(book, counted(0, 9))
    assert only(book.save(0)).distribution is None
    observe(book, counted(9, 20, rejected=3, late=2))
    save = only(book.save(0))
    assert save.distribution == Distribution(
        version="none",
        partition=3,
        first_offset=0,
        next_offset=29,
        events=29,
        rejected=3,
        late=2,
        from_=TIME_MS,
        to=TIME_MS + 28,
    )
    assert save.distribution.key == b"none/3/0"


def test_a_pane_closes_when_it_is_old() -> None:
    book = PaneBook(pane_events=10, pane_seconds=5)
    observe(book, counted(0, 1), now_ms=1_000)
    assert only(book.save(5_999)).distribution is None
    assert only(book.save(6_000)).distribution is not None


def test_a_clock_that_was_set_back_keeps_no_pane_open_for_ever() -> None:
    book = PaneBook(pane_seconds=5)
    observe(book, counted(0, 1), now_ms=10**9)
    assert only(book.save(1_000)).distribution is None
    assert only(book.save(6_000)).distribution is not None


def test_what_has_not_changed_is_not_saved_again() -> None:
    book = PaneBook()
    assert book.save(0) == []
    observe(book, counted(0, 1))
    assert len(book.save(0)) == 1
    assert book.save(1) == []


def test_nothing_newer_is_saved_before_a_closed_pane_was_published() -> None:
    book = PaneBook(pane_events=1)
    observe(book, counted(0, 1))
    first = only(book.save(0))
    observe(book, counted(1, 1))
    assert book.save(0) == [first]
    assert book.saved_to(3) == 1
    book.published(3)
    second = only(book.save(0))
    assert second.distribution is not None
    assert second.distribution.key == b"none/3/1"
    assert book.saved_to(3) == 2


def test_what_was_counted_is_not_counted_again() -> None:
    book = PaneBook()
    assert observe(book, counted(0, 5)) == 5
    assert observe(book, counted(0, 5)) == 0
    assert observe(book, counted(3, 4)) == 2
    save = only(book.save(0, closing={3}))
    assert save.distribution is not None
    assert (save.distribution.events, save.distribution.next_offset) == (7, 7)


def test_a_pane_covers_the_event_times_of_all_its_requests() -> None:
    book = PaneBook()
    for first, time_ms in ((0, 5_000), (2, 1_000), (4, 9_000)):
        observe(book, counted(first, 2, time_ms=time_ms))
    save = only(book.save(0, closing={3}))
    assert save.distribution is not None
    assert (save.distribution.from_, save.distribution.to) == (1_002, 9_005)


def test_another_version_waits_until_the_pane_was_closed() -> None:
    book = PaneBook()
    assert not book.must_close_before(3, "v1")
    observe(book, counted(0, 5))
    assert not book.must_close_before(3, NO_VERSION)
    assert book.must_close_before(3, "v1")
    with pytest.raises(ValueError, match="close it"):
        observe(book, counted(5, 1), version="v1")
    assert observe(book, counted(0, 5), version="v1") == 0  # nothing new: nothing to refuse
    save = only(book.save(0, closing={3}))
    assert save.distribution is not None
    assert not book.must_close_before(3, "v1")


def test_commits_go_no_further_than_saves() -> None:
    book = PaneBook()
    assert book.saved_to(3) is None
    observe(book, counted(7, 2))
    assert book.saved_to(3) == 7
    book.save(0)
    assert book.saved_to(3) == 9
    observe(book, counted(9, 2))
    assert book.saved_to(3) == 9


def test_an_open_pane_is_continued_by_the_next_process() -> None:
    book, after = PaneBook(), PaneBook()
    observe(book, counted(0, 5), now_ms=1_000)
    data = only(book.save(1_000)).data
    assert after.restore(3, data, end_offset=5) is Restored.OPEN
    assert (after.saved_to(3), after.save(1_000)) == (5, [])
    assert observe(after, counted(0, 8)) == 3
    save = only(after.save(6_000))
    assert save.distribution is not None
    assert (save.distribution.first_offset, save.distribution.events) == (0, 8)


def test_a_closed_pane_is_published_again_with_the_same_content() -> None:
    book, after = PaneBook(pane_events=1), PaneBook(pane_events=1)
    observe(book, counted(0, 5))
    save = only(book.save(0))
    assert after.restore(3, save.data, end_offset=5) is Restored.CLOSED
    assert observe(after, counted(0, 7)) == 2
    assert after.save(99) == [save]


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_pane_beyond_the_end_of_the_topic_is_discarded(is_closed: bool) -> None:
    book, after = PaneBook(), PaneBook()
    observe(book, counted(0, 5))
    data = only(book.save(0, closing={3} if is_closed else frozenset())).data
    assert after.restore(3, data, end_offset=4) is Restored.BEYOND_END
    assert (after.saved_to(3), after.save(10**9)) == (None, [])
    assert observe(after, counted(0, 2)) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"partition": 4},
        {"partition": "x"},
        {"events": -1},
        {"opened_at": "soon"},
        {"summary": 7},
        {"next_offset": None},
    ],
)
def test_a_pane_that_cannot_be_read_is_discarded(change: dict[str, object]) -> None:
    book = PaneBook()
    observe(book, counted(0, 5))
    fields = orjson.loads(only(book.save(0)).data) | change
    assert PaneBook().restore(3, orjson.dumps(fields), end_offset=5) is Restored.UNREADABLE


@given(st.binary(max_size=40))
def test_no_bytes_in_the_table_raise(data: bytes) -> None:
    assert PaneBook().restore(3, data, end_offset=5) is Restored.UNREADABLE


def test_without_bytes_there_is_nothing_and_a_forgotten_partition_too() -> None:
    book = PaneBook()
    assert book.restore(3, None, end_offset=5) is Restored.NOTHING
    observe(book, counted(0, 5))
    book.forget(3)
    book.forget(3)
    book.published(3)
    assert (book.save(10**9), book.saved_to(3)) == ([], None)


def answers(bundle: Bundle, first: int, count: int) -> Answers:
    rows = [row(temp=0.1 * (first + i), weather="hail" if i % 3 == 0 else "mist") for i in range(count)]
    return answer([request(body(r), first + i) for i, r in enumerate(rows)], bundle)


def summary_of(save: Save, profile: Profile) -> Summary:
    assert save.distribution is not None
    assert save.distribution.summary is not None
    return Summary.from_dict(save.distribution.summary, profile.empty())


def test_a_pane_is_the_summary_of_its_rows_through_saves_and_restores(bundle: Bundle) -> None:
    version, profile = bundle.version, bundle.profile
    book = PaneBook()
    for first in (0, 4, 8):
        book.observe(3, answers(bundle, first, 4).counted, version=version, profile=profile, now_ms=0)
        data = only(book.save(0)).data
        book = PaneBook()
        assert book.restore(3, data, end_offset=first + 4) is Restored.OPEN
        assert not book.must_close_before(3, version, profile)
    bad = answer([request(b"{", 12)], bundle).counted
    book.observe(3, bad, version=version, profile=profile, now_ms=0)
    save = only(book.save(0, closing={3}))
    whole = [answers(bundle, first, 4).counted for first in (0, 4, 8)]
    expected = sum(
        (profile.summarize(c.columns, c.outputs) for c in whole[1:]),
        profile.summarize(whole[0].columns, whole[0].outputs),
    )
    assert summary_of(save, profile) == expected
    assert save.distribution is not None
    assert (save.distribution.events, save.distribution.rows, save.distribution.rejected) == (13, 12, 1)


def test_a_pane_of_rejections_alone_has_an_empty_summary(bundle: Bundle) -> None:
    book = PaneBook()
    batch = answer([request(b"{", 0)], bundle).counted
    book.observe(3, batch, version=bundle.version, profile=bundle.profile, now_ms=0)
    save = only(book.save(0, closing={3}))
    assert summary_of(save, bundle.profile) == bundle.profile.empty()


def test_a_pane_that_was_begun_against_another_profile_is_closed_as_it_is(bundle: Bundle) -> None:
    book, after = PaneBook(), PaneBook()
    batch = answers(bundle, 0, 4).counted
    book.observe(3, batch, version="v", profile=bundle.profile, now_ms=0)
    data = only(book.save(0)).data
    other = Profile.fit({"temp": np.arange(200.0)})
    after.restore(3, data, end_offset=4)
    assert after.must_close_before(3, "v", other)
    assert after.must_close_before(3, "v", None)
    save = only(after.save(0, closing={3}))
    assert summary_of(save, bundle.profile) == bundle.profile.summarize(batch.columns, batch.outputs)
    assert not after.must_close_before(3, "v", other)


def test_partitions_do_not_know_of_each_other() -> None:
    book = PaneBook(pane_events=2)
    book.observe(0, counted(0, 1), version=NO_VERSION, profile=None, now_ms=0)
    book.observe(1, counted(5, 2), version=NO_VERSION, profile=None, now_ms=0)
    saves = {save.partition: save for save in book.save(0)}
    assert saves[0].distribution is None
    assert saves[1].distribution is not None
    book.forget(1)
    assert book.saved_to(0) == 1


def test_bytes_say_what_the_pane_is() -> None:
    book = PaneBook()
    observe(book, counted(0, 5, rejected=2), now_ms=7)
    pane, is_closed = read_pane(only(book.save(8)).data)
    assert not is_closed
    assert (pane.events, pane.rejected, pane.opened_at_ms, pane.next_offset) == (5, 2, 7, 5)
