"""How far an answered row lies outside the reference: a look at its values, one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamapp.profile import Profile
from streamapp.profile.column import ColumnProfile, level_hash
from streamapp.profile.columns import level_text
from streamapp.profile.kinds import ColumnKind

__all__ = ["Novelty"]

_NUMBERS = frozenset({float, int, bool})


class Novelty:
    """The share of a row's columns in which its value lies outside the reference.

    Numbers do below the smallest reference value or above the largest, names if they were never seen there.
    Columns of ids, texts and times are left out: new values are usual there. So are personal ones, which
    answers lack. What is new only as a combination of columns is not seen.

    Parameters
    ----------
    profile
        Of the version that answered.

    Examples
    --------
    >>> import numpy as np
    >>> temp, weather = np.linspace(0.0, 1.0, 100), np.repeat(["mist", "sun"], 50)
    >>> novelty = Novelty(Profile.fit({"temp": temp, "weather": weather}, ordered=False))
    >>> novelty.share({"temp": 0.5, "weather": "sun"}), novelty.share({"temp": 7.0, "weather": "sun"})
    (0.0, 0.5)
    """

    __slots__ = ("_names", "_ranges")

    def __init__(self, profile: Profile) -> None:
        self._ranges: list[tuple[str, float, float]] = []
        self._names: list[tuple[str, frozenset[str], frozenset[int]]] = []
        for column in profile.columns:
            if column.kind is ColumnKind.ID_LIKE or column.is_personal:
                continue
            if column.is_numbers and len(column.edges):
                self._ranges.append((column.name, float(column.edges[0]), float(column.edges[-1])))
            elif _has_all_names(column):
                seen = frozenset(column.seen.tolist())
                self._names.append((column.name, frozenset(column.levels), seen))

    def share(self, features: Mapping[str, Any] | None) -> float:
        """Return the share for the features of one answer, in [0, 1]; 0 where they were left out."""
        columns = len(self._ranges) + len(self._names)
        if not features or not columns:
            return 0.0
        get, outside = features.get, 0
        value: Any
        for name, low, high in self._ranges:
            value = get(name)
            if type(value) in _NUMBERS and not low <= value < high:
                outside += 1
        for name, levels, seen in self._names:
            value = get(name)
            if value is None:
                continue
            text = level_text(value)
            outside += text not in levels and level_hash(text) not in seen
        return outside / columns


def _has_all_names(column: ColumnProfile) -> bool:
    return column.is_names and column.knows_unseen
