"""One window of answers: the rows of those that have labels, as short numbers."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from streamapp.drift.packing import pack, unpack
from streamapp.models.losses import Floats
from streamapp.quality.labelled_rows import Ints

__all__ = ["AnswerWindow", "coded"]

_PER_LOG = 200.0
_LOSS_STEPS = 1_000.0
_NO_CLASS = 2
_COLUMNS = (
    ("partitions", "q"), ("offsets", "q"), ("times_ms", "q"),
    ("ages", "H"), ("classes", "B"), ("losses", "H"), ("right", "B"),
)  # fmt: skip
_TIME = 2
_CORRECTED = ("classes", "losses", "right")


def coded(ages_ms: Ints, losses: Floats, right: Floats) -> tuple[Ints, Ints, Ints]:
    """Return ages (to half a percent), losses (to 1e-3), ``right`` (2 for NaN) as they are kept, (n,)."""
    return (
        (np.log1p(ages_ms) * _PER_LOG).astype(np.int64),
        np.where(np.isnan(losses), 0.0, losses * _LOSS_STEPS).round().astype(np.int64),
        np.where(np.isnan(right), _NO_CLASS, right).astype(np.int64),
    )


@dataclass(slots=True)
class AnswerWindow:
    """One run of answers, and the rows of those that have labels.

    Attributes
    ----------
    first
        Of each partition its first offset in the window.
    stride
        Of so many answers one is kept, by a hash of its position.
    unit_ms
        Event times are kept in steps of this: not more than lies between two answers.
    answers
        How many there are, with a label or without.
    is_closed
        Whether no more answers come in; labels do.
    columns
        By name, one number per row: where the request lies, its time in units, and the rest as :func:`coded`.
    """

    first: dict[int, int]
    stride: int
    unit_ms: int = 1
    answers: int = 0
    is_closed: bool = False
    columns: dict[str, array[int]] = field(
        default_factory=lambda: {name: array(code) for name, code in _COLUMNS}
    )
    _index: dict[tuple[int, int], int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._index)

    def close(self, most: float) -> None:
        """Take no more answers, and keep a sample of at most so many of them, if there are more."""
        self.is_closed = True
        if self.answers <= most * self.stride:
            return
        while self.answers > most * self.stride:
            self.stride *= 2
        rows = np.array(list(self.columns.values()), dtype=np.int64).T
        self._fill(rows[self._is_kept(rows)])

    def _fill(self, rows: Ints) -> None:
        """Hold `rows` (n, 7), and no others."""
        parts = zip(_COLUMNS, rows.T.tolist(), strict=True)
        self.columns = {name: array(code, values) for (name, code), values in parts}
        self._index = {(partition, offset): i for i, (partition, offset) in enumerate(rows[:, :2].tolist())}

    def take(self, rows: Ints, revisions: Ints) -> int:
        """Take rows (n, 7) of the columns' numbers, see :func:`coded`, and return how many are new.

        The rest are corrections; those of rows that are not there are ignored.
        """
        index, kept = self._index, self._is_kept(rows)
        is_new, changes, new = [False] * len(rows), [], 0
        for i, (partition, offset, revision) in enumerate(
            zip(rows[:, 0].tolist(), rows[:, 1].tolist(), revisions.tolist(), strict=True)
        ):
            at = index.get((partition, offset))
            if at is not None:
                changes.append((at, i))
            elif revision == 0:
                new += 1
                if kept[i]:
                    index[partition, offset] = len(index)
                    is_new[i] = True
        taken = rows[is_new]
        taken[:, _TIME] //= self.unit_ms
        for column, values in zip(self.columns.values(), taken.T.tolist(), strict=True):
            column.extend(values)
        for at, i in changes:
            for name, value in zip(_CORRECTED, rows[i, -len(_CORRECTED) :].tolist(), strict=True):
                self.columns[name][at] = value
        return new

    def _is_kept(self, rows: Ints) -> list[bool]:
        """Return which answers are among the one in `stride`, a power of two, by a hash of their positions.

        By the offset alone, streams with a rhythm would be sampled at one beat of it.
        """
        mixed = (rows[:, 1] + (rows[:, 0] << 40)).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        return ((mixed >> np.uint64(17)) % np.uint64(self.stride) == 0).tolist()  # type: ignore[no-any-return]

    def rows(self) -> dict[str, Floats]:
        """Return the columns by name, (n,) each, in the order of positions.

        Ages are in ms and losses in [0, 1], as exact as they are kept; ``right`` is NaN for regressors.
        """
        found = {name: column.astype(np.float64) for name, column in self._ordered().items()}
        found["ages"] = np.expm1(found["ages"] / _PER_LOG)
        found["times_ms"] *= self.unit_ms
        found["losses"] /= _LOSS_STEPS
        found["right"][found["right"] == _NO_CLASS] = np.nan
        return found

    def _ordered(self) -> dict[str, Ints]:
        order = np.lexsort((self.columns["offsets"], self.columns["partitions"]))
        return {name: np.array(column, dtype=np.int64)[order] for name, column in self.columns.items()}

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able: rows in the order of their positions, which makes it short."""
        packed = self._ordered()
        for name in ("offsets", "times_ms"):
            packed[name] = np.diff(packed[name], prepend=0)
        return {
            "first": sorted(self.first.items()),
            "stride": self.stride,
            "unit": self.unit_ms,
            "answers": self.answers,
            "closed": self.is_closed,
            "columns": {name: pack(column) for name, column in packed.items()},
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Self:
        """Return what :meth:`snapshot` was taken from, with its rows in the order of their positions."""
        numbers = (snapshot[name] for name in ("stride", "unit", "answers", "closed"))
        window = cls(dict(map(tuple, snapshot["first"])), *numbers)
        columns = {name: unpack(text) for name, text in snapshot["columns"].items()}
        for name in ("offsets", "times_ms"):
            columns[name] = columns[name].cumsum()
        window._fill(np.column_stack([columns[name] for name, _ in _COLUMNS]))
        return window
