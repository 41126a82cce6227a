"""How far a join has come: what its store holds beside answers and labels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

import orjson

from streamapp.errors import StoreError
from streamapp.quality.review_rate import ReviewRate
from streamapp.quality.stream_time import StreamTime

__all__ = ["Positions", "Progress"]

_LAYOUT = 2
"""Of all that the store holds."""


class Positions(NamedTuple):
    """The next offset to read of each topic; None if nothing was read yet."""

    predictions: int | None = None
    feedback: int | None = None


@dataclass(slots=True)
class Progress:
    """What moves with each batch of a join.

    Attributes
    ----------
    positions
        Where reading goes on.
    time
        Stream time of the answers that were read.
    waiting
        How many labels wait for their answer.
    review
        State of the draws for review; None: none are drawn.
    """

    positions: Positions = field(default_factory=Positions)
    time: StreamTime = field(default_factory=StreamTime)
    waiting: int = 0
    review: ReviewRate | None = None

    def copy(self) -> Progress:
        """Return the same, to be changed by itself."""
        review = self.review
        return replace(
            self,
            time=StreamTime.restore(self.time.snapshot()),
            review=None if review is None else review.restored(review.snapshot()),
        )

    def encode(self) -> bytes:
        """Return the value in the store."""
        fields = {
            "layout": _LAYOUT,
            "positions": list(self.positions),
            "time": self.time.snapshot(),
            "waiting": self.waiting,
            "review": None if self.review is None else self.review.snapshot(),
        }
        return orjson.dumps(fields)

    @classmethod
    def decode(cls, value: bytes | None, *, partition: int, rate: ReviewRate | None) -> Self:
        """Return what the store of `partition` holds, the beginning if that is nothing.

        Parameters
        ----------
        value
            From the store.
        partition
            For the error.
        rate
            How often answers are drawn for review: its settings are taken, its state is that in the store.

        Raises
        ------
        StoreError
            If the store is laid out otherwise.
        """
        if value is None:
            return cls(review=None if rate is None else rate.restored(None))
        fields = orjson.loads(value)
        if fields.get("layout") != _LAYOUT:
            raise StoreError(
                f"the store of partition {partition} is laid out as {fields.get('layout', 1)}, and "
                f"{_LAYOUT} is wanted: delete it, it is rebuilt from the topics"
            )
        return cls(
            Positions(*fields["positions"]),
            StreamTime.restore(fields["time"]),
            fields["waiting"],
            None if rate is None else rate.restored(fields.get("review")),
        )
