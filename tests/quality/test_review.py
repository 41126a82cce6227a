"""Draws for review in the join: the same after any crash, independent of each other, on the labelled row."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import orjson
import pytest
from jsonschema import Draft202012Validator

from streamapp.messages import InRecord, Labelled, OutRecord, Review, header
from streamapp.messages.schemas import schema_of
from streamapp.profile import Profile
from streamapp.quality.join import Join
from streamapp.quality.novelty import Novelty
from streamapp.quality.review import ReviewSampler, read_sent, uncertainty, uniforms
from streamapp.quality.review_rate import ReviewRate
from streamapp.quality.store import MemoryStore
from tests.quality.join_log import HORIZON, MINUTE, START, Reader, answer, label

NOVELTIES = {"v1": Novelty(Profile.fit({"temp": np.random.default_rng(0).random(200)}))}


def sampler(per_hour: float = 60.0, most: int | None = None, **options: Any) -> ReviewSampler:
    return ReviewSampler("bikes", ReviewRate(per_hour, most), **{"novelties": NOVELTIES} | options)


def one(offset: int, *, sure: float = 0.9, temp: float = 0.5, every_ms: int = 1_000) -> InRecord:
    """An answer `sure` of its class; one comes every second."""
    plain = answer(offset, at=offset * every_ms)
    fields = orjson.loads(plain.value or b"")
    fields |= {"probabilities": {"busy": sure, "calm": 1.0 - sure}, "features": {"temp": temp}}
    return InRecord(0, offset, plain.timestamp, plain.key, orjson.dumps(fields), plain.headers)


def stream(count: int) -> list[InRecord]:
    rng = np.random.default_rng(1)
    sure = np.maximum(rng.random(count), 0.5).round(3).tolist()
    temps = np.where(rng.random(count) < 0.02, 9.0, 0.5).tolist()
    return [one(i, sure=s, temp=t) for i, (s, t) in enumerate(zip(sure, temps, strict=True))]


def told(records: list[OutRecord]) -> list[tuple[bytes | None, bytes | None]]:
    return [(header(record.headers, "ce_id"), record.value) for record in records]


def test_a_review_is_the_prediction_with_the_reason_and_the_probability() -> None:
    reader = Reader(sampler=sampler(3_600.0))  # all are wanted
    joined = reader.answers(*[one(i) for i in range(200)])
    assert joined.counts["reviewed"] == len(joined.reviews) > 100
    record = joined.reviews[-1]
    review = Review.decode(record.value)
    Draft202012Validator(schema_of("review")).validate(orjson.loads(record.value or b""))
    offset = review.request.offset
    assert orjson.loads(record.value or b"") == {
        **orjson.loads(one(offset).value or b""),
        "reason": review.reason,
        "probability": review.probability,
        "dropped": 0,
    }
    assert record[:2] == (0, b"k")
    headers = {name: content.decode() for name, content in record.headers}
    assert headers["ce_type"] == "streamapp.review.v1"
    assert headers["ce_id"] == f"bikes.requests-0-{offset}+review"
    assert headers["ce_time"] == dict(one(offset).headers)["ce_time"].decode()


def test_the_probability_reaches_the_labelled_row_of_what_was_drawn_and_no_other() -> None:
    reader = Reader(sampler=sampler())
    joined = reader.answers(*stream(2_000))
    drawn = {review.request.offset: review.probability for review in map(decoded, joined.reviews)}
    assert 10 < len(drawn) < 100
    rows = reader.feedback(*[label(i, f"r-{i}", source="person:jk", at=2_000_000) for i in range(2_000)]).rows
    labelled = [Labelled.decode(row.value) for row in rows]
    assert {row.request.offset: row.review_probability for row in labelled if row.review_probability} == drawn
    assert {row.review_dropped for row in labelled} == {0, None}
    Draft202012Validator(schema_of("labelled")).validate(orjson.loads(rows[min(drawn)].value or b""))
    assert b"review" not in (rows[0].value or b"")


def decoded(record: OutRecord) -> Review:
    return Review.decode(record.value)


def test_an_early_label_meets_an_answer_that_was_drawn() -> None:
    reader = Reader(sampler=sampler(3_600.0))
    reader.feedback(*[label(i, f"r-{i}") for i in range(200)])
    joined = reader.answers(*[one(i) for i in range(200)])
    drawn = {review.id: review.probability for review in map(decoded, joined.reviews)}
    rows = [Labelled.decode(row.value) for row in joined.rows]
    assert {row.id: row.review_probability for row in rows if row.review_probability} == drawn


def test_each_reason_is_given_where_it_fits() -> None:
    reader = Reader(sampler=sampler())
    records = stream(20_000)
    reviews = [decoded(record) for record in reader.answers(*records).reviews]
    reasons = Counter(review.reason for review in reviews)
    assert reasons.total() == pytest.approx(60.0 * 20_000 / 3_600, rel=0.2)
    assert reasons["random"] == pytest.approx(reasons.total() / 2, rel=0.2)
    assert reasons["uncertain"] == pytest.approx(reasons.total() / 4, rel=0.3)
    assert reasons["novel"] == pytest.approx(reasons.total() / 4, rel=0.3)
    assert {(review.features or {})["temp"] for review in reviews if review.reason == "novel"} == {9.0}
    spread = [uncertainty(list((review.probabilities or {}).values())) for review in reviews]
    mean = {
        reason: np.mean(
            [score for score, review in zip(spread, reviews, strict=True) if reason == review.reason]
        )
        for reason in reasons
    }
    assert mean["uncertain"] > mean["random"] + 0.05


@pytest.mark.parametrize("sizes", [(1,), (7, 1, 100), (3_000,)])
def test_draws_do_not_depend_on_how_records_come_in_batches(sizes: tuple[int, ...]) -> None:
    records = stream(3_000)
    whole = told(Reader(sampler=sampler()).answers(*records).reviews)
    reader = Reader(sampler=sampler())
    found, at, turn = [], 0, 0
    while at < len(records):
        size = sizes[turn % len(sizes)]
        found += told(reader.answers(*records[at : at + size]).reviews)
        at, turn = at + size, turn + 1
    assert found == whole
    assert len(whole) > 20


def test_a_crash_before_the_write_repeats_the_same_draws_and_one_after_it_none() -> None:
    records = stream(3_000)
    whole = told(Reader(sampler=sampler()).answers(*records).reviews)
    store = MemoryStore()
    delivered: list[tuple[bytes | None, bytes | None]] = []
    for at in range(0, len(records), 100):
        lost = Join(store, "bikes", HORIZON, sampler=sampler()).answers(records[at : at + 100])
        delivered += told(lost.reviews)  # delivered, and then the process died
        join = Join(store, "bikes", HORIZON, sampler=sampler())
        joined = join.answers(records[max(at - 50, 0) : at + 100])
        delivered += told(joined.reviews)
        join.apply(joined.batch)
    assert list(dict.fromkeys(delivered)) == whole
    assert len(delivered) == 2 * len(whole)


def test_a_rebuilt_store_has_decided_the_same() -> None:
    records = stream(3_000)
    first, rebuilt = Reader(sampler=sampler()), Reader(sampler=sampler())
    for reader, step in ((first, 100), (rebuilt, 999)):
        for at in range(0, len(records), step):
            reader.answers(*records[at : at + step])
    assert dict(first.store.scan(b"", b"\xff")) == dict(rebuilt.store.scan(b"", b"\xff"))


@pytest.mark.parametrize(
    "other", [sampler(1_000.0, novelties={"v1": None}), None], ids=["another rate", "no reviews any more"]
)
def test_a_store_that_is_rebuilt_with_other_settings_keeps_what_was_sent(
    other: ReviewSampler | None,
) -> None:
    records = stream(3_000)
    first = told(Reader(sampler=sampler()).answers(*records).reviews)
    lying = [
        InRecord(0, i, START, b"k", value, [("ce_id", ce_id or b"")])
        for i, (ce_id, value) in enumerate(first)
    ]
    sent = read_sent(
        [*lying, InRecord(0, 0, START, None, b"{", []), InRecord(0, 0, START, None, b"{}", [])], 0
    )
    assert len(sent) == len(first) > 20
    assert read_sent(lying, 1) == {}
    reader = Reader(sampler=other)
    reader.join.apply(reader.join.answers(records, sent=sent).batch)
    labels = [label(i, f"r-{i}", source="person:jk", at=4_000_000) for i in range(3_000)]
    rows = [Labelled.decode(row.value) for row in reader.feedback(*labels).rows]
    assert {
        f"bikes.requests-0-{row.request.offset}+review": (row.review_probability, row.review_dropped)
        for row in rows
        if row.review_probability is not None
    } == sent


def test_a_repeated_answer_is_drawn_once_and_counts_once() -> None:
    reader, plain = Reader(sampler=sampler(3_600.0)), Reader(sampler=sampler(3_600.0))
    records = [one(i) for i in range(100)]
    joined = reader.answers(*records, *[InRecord(0, 100 + r.offset, *_rest(r)) for r in records])
    assert told(joined.reviews) == told(plain.answers(*records).reviews)
    assert joined.counts["repeats"] == 100


def _rest(record: InRecord) -> tuple[Any, ...]:
    return record.timestamp, record.key, record.value, record.headers


def test_the_cap_keeps_back_and_what_is_drawn_later_says_so() -> None:
    capped = Reader(sampler=sampler(600.0, 20))
    free = Reader(sampler=sampler(600.0, 10_000))
    records = stream(5_000)  # more than an hour
    kept, all_ = capped.answers(*records), free.answers(*records)
    assert [decoded(r).request.offset for r in kept.reviews[:20]] == [
        decoded(r).request.offset for r in all_.reviews[:20]
    ]
    assert kept.counts["reviewed"] == 40
    assert kept.counts["reviewed"] + kept.counts["review-dropped"] == all_.counts["reviewed"]
    dropped = [decoded(record).dropped for record in kept.reviews]
    assert dropped[:20] == [0] * 20
    assert min(dropped[20:]) > 0
    last = decoded(kept.reviews[-1])
    (row,) = capped.feedback(label(0, last.id, source="person:jk", at=5_000_000)).rows
    assert Labelled.decode(row.value).review_dropped == last.dropped


def test_what_does_not_fit_its_topic_counts_as_kept_back() -> None:
    reader = Reader(sampler=sampler(3_600.0, max_bytes=300))
    joined = reader.answers(*[one(i) for i in range(100)])
    assert joined.reviews == []
    assert joined.counts["review-dropped"] > 50


def test_a_version_that_is_not_known_yet_is_named_and_reading_again_draws_with_it() -> None:
    novelties: dict[str, Novelty | None] = {}
    reader = Reader(sampler=sampler(novelties=novelties))
    records = stream(3_000)
    assert reader.join.answers(records).unknown_versions == {"v1"}
    novelties |= NOVELTIES
    joined = reader.answers(*records)
    assert joined.unknown_versions == set()
    assert told(joined.reviews) == told(Reader(sampler=sampler()).answers(*records).reviews)
    gone = Reader(sampler=sampler(novelties={"v1": None})).answers(*records)
    assert gone.unknown_versions == set()
    assert "novel" not in {decoded(record).reason for record in gone.reviews}


@pytest.mark.parametrize(
    "change",
    [
        {"prediction": None, "outputs": []},
        {"model": {"name": "bikes"}},
        {"model": None},
        {"probabilities": {"busy": "often", "calm": None}},
        {"probabilities": [0.5, 0.5]},
        {"features": [1]},
        {"features": {"temp": "x"}},
        {"request": {"offset": 3}},
    ],
)
def test_no_answer_breaks_the_draw(change: dict[str, Any]) -> None:
    reader = Reader(sampler=sampler(3_600.0))
    reader.answers(*[one(i) for i in range(3)])
    fields = orjson.loads(one(3).value or b"") | change
    if fields["prediction"] is None:
        del fields["prediction"]
    record = InRecord(0, 3, START, b"k", orjson.dumps(fields), one(3).headers)
    assert reader.answers(record).counts["answers"] == 1


def test_without_a_sampler_nothing_is_drawn_and_a_store_from_before_is_read() -> None:
    store = MemoryStore()
    assert Reader(store).answers(*stream(100)).reviews == []
    meta = orjson.loads(store.get(b"m") or b"")
    del meta["review"]  # as versions before wrote it
    store.write({b"m": orjson.dumps(meta)})
    reader = Reader(store, sampler=sampler(3_600.0))
    assert reader.answers(*[one(100 + i) for i in range(100)]).reviews


def test_before_stream_time_is_known_nothing_is_drawn() -> None:
    reader = Reader(sampler=sampler(1e5))
    joined = reader.answers(*[one(i, every_ms=10 * MINUTE) for i in range(4)])
    assert {decoded(record).request.offset for record in joined.reviews} <= {3}


def test_hashes_are_uniform_and_draws_independent() -> None:
    """Over 2,000 deployments that answer the same 40 requests with the same probabilities."""
    numbers = np.array(
        [[uniforms(b"d%d.requests-0-%d" % (d, i))[0] for i in range(40)] for d in range(2_000)]
    )
    assert numbers.min() >= 0.0
    assert numbers.max() < 1.0
    counts = np.histogram(numbers, bins=20, range=(0.0, 1.0))[0]
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 43.8  # chi², 19 degrees, 1 in 1,000
    drawn = numbers < np.linspace(0.05, 0.9, 40)
    assert np.abs(drawn.mean(axis=0) - np.linspace(0.05, 0.9, 40)).max() < 0.045
    together = np.asarray(np.corrcoef(drawn.T))[np.triu_indices(40, 1)]
    assert np.abs(together).max() < 5 / np.sqrt(2_000)
    assert together.std() == pytest.approx(1 / np.sqrt(2_000), rel=0.1)
    assert uniforms(b"x") == uniforms(b"x")
