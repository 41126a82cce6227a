from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.errors import ConfigError
from streamapp.messages import InRecord
from streamapp.quality.review_queue import ReviewQueue
from tests.quality.join_log import START, answer


def drawn(offset: int, request_id: str | None = None, *, partition: int = 0) -> InRecord:
    plain = answer(offset, request_id, at=offset, partition=partition)
    fields = orjson.loads(plain.value or b"") | {"reason": "random", "probability": 0.1}
    return InRecord(0, offset, START, b"k%d" % offset, orjson.dumps(fields))


def said(source: str | None = "person:jk", **fields: Any) -> InRecord:
    given = {"label": "calm", **fields} | ({} if source is None else {"source": source})
    return InRecord(0, 0, START, None, orjson.dumps(given))


def queue(*records: InRecord, last: int = 100) -> ReviewQueue:
    made = ReviewQueue(last)
    made.add_reviews(records)
    return made


def ids(made: ReviewQueue) -> list[str]:
    return [one.review.id for one in made.open()]


def test_the_newest_draw_comes_first_and_repeats_count_once() -> None:
    made = queue(drawn(0), drawn(1), drawn(0), drawn(2))
    assert ids(made) == ["r-2", "r-1", "r-0"]
    assert made.open()[0].key == b"k2"
    assert made.since_ms == START


def test_what_a_person_has_labelled_is_gone_by_position_or_by_id() -> None:
    made = queue(*[drawn(i, partition=i % 2) for i in range(6)])
    made.add_feedback(
        [
            said(id="r-5", request={"partition": 1, "offset": 5}),
            said(id="r-4"),
            said(id="r-3", source="meter"),
            said(id="r-2", source=None),
            said(id="r-1", request={"partition": 0, "offset": 1}),  # another request with this id
        ]
    )
    assert ids(made) == ["r-3", "r-2", "r-1", "r-0"]


def test_a_label_may_be_read_before_its_draw() -> None:
    made = ReviewQueue(10)
    made.add_feedback([said(id="r-0", request={"partition": 0, "offset": 0})])
    made.add_reviews([drawn(0), drawn(1)])
    assert ids(made) == ["r-1"]


def test_only_the_newest_are_kept() -> None:
    made = queue(*[drawn(i) for i in range(10)], last=3)
    assert ids(made) == ["r-9", "r-8", "r-7"]
    made.add_reviews([drawn(10)])
    assert ids(made) == ["r-10", "r-9", "r-8"]


def test_numbers_and_escapes_are_read_as_what_they_mean() -> None:
    made = queue(drawn(0, "17"), drawn(1, "18"))
    made.add_feedback(
        [said(id=17), InRecord(0, 1, START, None, b'{"id": "18", "label": 1, "source": "\\u0070erson:jk"}')]
    )
    assert ids(made) == []


@given(value=st.one_of(st.none(), st.binary(max_size=40), st.just(b'["person:"]')))
def test_no_bytes_raise(value: bytes | None) -> None:
    record = InRecord(0, 0, START, None, value)
    made = queue(record, drawn(1))
    made.add_feedback([record])
    assert ids(made) == ["r-1"]


def test_nothing_was_drawn() -> None:
    assert (ReviewQueue(1).open(), ReviewQueue(1).since_ms) == ([], None)
    with pytest.raises(ConfigError, match="1 or more"):
        ReviewQueue(0)
