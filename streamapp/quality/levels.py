"""The levels of segment columns that rows have, and the loss of each level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamapp.drift.packing import pack, unpack
from streamapp.models.column import Array
from streamapp.models.losses import Floats
from streamapp.quality.metrics import mean_interval

__all__ = ["Levels", "SegmentLoss"]

_NONE = -1
_MOST_NAMES = 200
_MOST_COLUMNS = 20

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SegmentLoss:
    """Rows of one level of a segment column: how many, their mean loss, and its 95 % interval."""

    column: str
    level: str
    rows: int
    loss: float
    interval: tuple[float, float]


class Levels:
    """The level of each segment column, for rows in so many slots.

    Parameters
    ----------
    size
        How many slots.

    Notes
    -----
    Columns and levels are those of the model that judges: a later one may have others. Of a column that the
    newest rows do not have the old rows are kept as long as they stand, and no longer. At most twenty columns
    and two hundred levels of each are told apart; a bundle's levels are at most twenty-two.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._codes: dict[str, Codes] = {}
        self._names: dict[str, dict[str, int]] = {}

    def codes(self, levels: Mapping[str, Array], n: int) -> Codes:
        """Return what to :meth:`put` of n rows, whose levels by column are (n,) each, None for none."""
        for column in levels:
            if column not in self._names and len(self._names) == _MOST_COLUMNS:
                self._forget()
            if column not in self._names and len(self._names) < _MOST_COLUMNS:
                self._codes[column] = np.full(self._size, _NONE)
                self._names[column] = {}
        found = np.full((n, len(self._names)), _NONE)
        for at, (column, names) in enumerate(self._names.items()):
            if column not in levels:
                continue
            own = levels[column].tolist()
            for level in dict.fromkeys(own):
                if level is not None and level not in names and len(names) < _MOST_NAMES:
                    names[level] = len(names)
            found[:, at] = [names.get(level, _NONE) for level in own]
        return found

    def _forget(self) -> None:
        """Drop the columns that no row has."""
        for column in [column for column, codes in self._codes.items() if (codes == _NONE).all()]:
            del self._codes[column], self._names[column]

    def put(self, slots: Sequence[int], codes: Codes) -> None:
        """Set the levels of the rows in `slots`, (n,); of those in the same slot the last counts."""
        for column, own in zip(self._codes.values(), codes.T, strict=True):
            column[slots] = own

    def losses(self, losses: Floats) -> tuple[SegmentLoss, ...]:
        """Return what the rows in the first slots say, whose losses are (n,), by column and level."""
        found = []
        for column, codes in sorted(self._codes.items()):
            for level, code in sorted(self._names[column].items()):
                own = losses[codes[: len(losses)] == code]
                if len(own):
                    found.append(SegmentLoss(column, level, len(own), float(own.mean()), mean_interval(own)))
        return tuple(found)

    def snapshot(self) -> list[Any]:
        """Return the state, JSON-able."""
        return [[column, list(self._names[column]), pack(codes)] for column, codes in self._codes.items()]

    def restore(self, snapshot: list[Any]) -> None:
        """Become what :meth:`snapshot` was taken from."""
        self._codes = {column: unpack(codes) for column, _, codes in snapshot}
        self._names = {
            column: {name: code for code, name in enumerate(names)} for column, names, _ in snapshot
        }
