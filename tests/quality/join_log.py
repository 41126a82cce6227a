"""Answers and labels as they lie in their topics, and a process that joins them."""

from __future__ import annotations

from typing import Any

import orjson

from streamapp.messages import (
    InRecord,
    Labelled,
    ModelRef,
    Prediction,
    RequestRef,
    answer_id,
    event_headers,
    header,
)
from streamapp.quality.join import Join, Joined
from streamapp.quality.store import MemoryStore

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

    def expire(self, limit: int = 1_000, now_ms: int | None = None) -> Joined:
        return self._done(self.join.expire(now_ms=now_ms, limit=limit))

    def pass_time(self, offset: int, ms: int) -> Joined:
        """Let stream time move, by three answers."""
        return self.answers(*[answer(offset + i, f"later-{offset + i}", at=ms) for i in range(3)])


def family(count: int) -> dict[int, Reader]:
    """Readers of `count` partitions in one process."""
    siblings: dict[int, Join] = {}
    readers = {p: Reader(partition=p, partitions=count, siblings=siblings) for p in range(count)}
    siblings.update({p: reader.join for p, reader in readers.items()})
    return readers
