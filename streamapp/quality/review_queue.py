"""Which drawn answers no person has labelled yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from streamapp.errors import ConfigError, MessageError
from streamapp.messages import Record, Review
from streamapp.quality.reading import read_feedback

__all__ = ["OpenReview", "ReviewQueue"]

_BY_PERSON = b"person:"
_ESCAPE = b"\\"


class OpenReview(NamedTuple):
    """A drawn answer that waits for a label, and the key of its request."""

    review: Review
    key: bytes | None

    @property
    def position(self) -> tuple[int, int]:
        """Partition and offset of the request."""
        return self.review.request.partition, self.review.request.offset


class ReviewQueue:
    """Folds ``review`` and ``feedback`` into what is left to do.

    Parameters
    ----------
    last
        How many of the newest draws are looked at, ≥ 1.

    Notes
    -----
    A label belongs to the request whose position it names, else to those of its id. Labels by systems change
    nothing: a person was asked.
    """

    def __init__(self, last: int) -> None:
        if last < 1:
            raise ConfigError(f"the newest {last} reviews are none; ask for 1 or more")
        self._drawn: deque[OpenReview] = deque(maxlen=last)
        self._known: set[tuple[int, int]] = set()
        self._labelled: set[tuple[int, int]] = set()
        self._labelled_ids: set[str] = set()

    @property
    def since_ms(self) -> int | None:
        """From which record timestamp on there can be labels of the draws; None if there are none."""
        return min((one.review.request.timestamp for one in self._drawn), default=None)

    def add_reviews(self, records: Iterable[Record]) -> None:
        """Read consecutive records of ``review``; repeats count once, what cannot be read not at all."""
        for record in records:
            try:
                one = OpenReview(Review.decode(record.value), record.key)
            except MessageError:
                continue
            if one.position in self._known:
                continue
            if len(self._drawn) == self._drawn.maxlen:
                self._known.discard(self._drawn[0].position)
            self._known.add(one.position)
            self._drawn.append(one)

    def add_feedback(self, records: Iterable[Record]) -> None:
        """Read records of ``feedback``, in any order."""
        for record in records:
            value = record.value or b""
            if _BY_PERSON not in value and _ESCAPE not in value:
                continue  # most are by systems, and need not be parsed
            try:
                given = read_feedback(record, framing="confluent")  # JOIN says whether it may be
            except MessageError:
                continue
            if not given.source.startswith("person:"):
                continue
            if given.request is None:
                self._labelled_ids.add(given.request_id)
            else:
                self._labelled.add((given.request.partition, given.request.offset))

    def open(self) -> list[OpenReview]:
        """Return what no person has labelled, the newest draw first."""
        return [
            one
            for one in reversed(self._drawn)
            if one.position not in self._labelled and one.review.id not in self._labelled_ids
        ]
