"""Streams of labelled rows as arrays, in the order in which their labels come."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from streamapp.models.losses import Floats
from streamapp.quality.answer_windows import AnswerWindows
from streamapp.quality.labelled_rows import LabelledRows, as_objects

CLASSES = ("calm", "busy")


class Stream:
    """`rows` answers, one per second over `partitions`; class, whether right, and when the label comes.

    Times in s; labels that come after `until` are not there.
    """

    def __init__(
        self,
        y: npt.ArrayLike,
        right: npt.ArrayLike,
        delays: npt.ArrayLike,
        *,
        partitions: int = 1,
        until: float = np.inf,
    ) -> None:
        self.y, self.right = np.asarray(y, dtype=np.intp), np.asarray(right, dtype=np.float64)
        at = np.arange(len(self.y))
        came = at + np.asarray(delays, dtype=np.float64)
        order = np.argsort(came, kind="stable")
        self.order = order[came[order] <= until]
        n = len(self.order)
        labels = as_objects([CLASSES[label] for label in self.y[self.order]])
        self.rows = LabelledRows(
            offsets=np.arange(n),
            times_ms=at[self.order] * 1_000,
            versions=as_objects(["v1"] * n),
            predictions=labels,
            labels=labels,
            probabilities=[None] * n,
            features=[None] * n,
            persons=np.zeros(n, dtype=np.bool_),
            revisions=np.zeros(n, dtype=np.int64),
            review_probabilities=np.full(n, np.nan),
            review_dropped=np.zeros(n, dtype=np.int64),
            partitions=at[self.order] % partitions,
            request_offsets=at[self.order] // partitions,
            request_rows=np.zeros(n, dtype=np.int64),
            labelled_at_ms=(came[self.order] * 1_000).astype(np.int64),
        )

    @property
    def marks(self) -> Floats:
        """Whether each row's answer was right."""
        return self.right[self.order]

    def feed(self, windows: AnswerWindows, start: int = 0, end: int | None = None) -> AnswerWindows:
        """Give rows `start` to `end` to `windows`, which is returned."""
        chosen = np.arange(len(self.rows))[start:end]
        windows.add(self.rows.take(chosen), 1.0 - self.marks[chosen], self.marks[chosen], CLASSES)
        return windows


def two_classes(rows: int, seed: int, means_s: tuple[float, float] = (500, 3_000), **fields: Any) -> Stream:
    """A stream whose second class is answered worse, and labelled later: exponential delays."""
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < 0.4).astype(int)
    right = rng.random(rows) >= np.array([0.05, 0.25])[y]
    return Stream(y, right, rng.exponential(np.array(means_s)[y]), **fields)
