"""What kind of column a column is: decided once, on the reference."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from streamapp.errors import ProfileError

__all__ = ["ColumnKind", "read_kinds"]


class ColumnKind(StrEnum):
    """Kind of a column, which decides how its drift is measured."""

    CONTINUOUS = "continuous"
    """Numbers, hardly any of them twice: quantile bins and tails."""
    DISCRETE = "discrete"
    """Numbers with few levels or strong ties: a bin for each level, or quantile bins merged on ties."""
    BOOLEAN = "boolean"
    """Two values, 0 and 1."""
    CATEGORICAL = "categorical"
    """Names: a bin for each frequent level, the rest together."""
    HIGH_CARDINALITY = "high-cardinality"
    """Names most of which are rare: these are watched in groups, and the share of unseen ones."""
    TEXT = "text"
    """Strings that people wrote, hardly any of them twice: how long they are, and of which characters."""
    DATETIME = "datetime"
    """Times, or strings that are: they move forward, and only hours and weekdays come again."""
    CONSTANT = "constant"
    """One value (or none) in the reference: whatever else comes is watched."""
    MIXTURE = "mixture"
    """No column of the rows but a random sum of those that are numbers; see ``profile.mixtures``."""
    ID_LIKE = "id-like"
    """A new value in nearly every row, or one that goes on with the rows (numbers, serials, keys, times as
    numbers): moves by nature, only its absence is watched."""

    @property
    def is_numeric(self) -> bool:
        """Whether values are ordered numbers that vary, so that ranks and correlations mean something."""
        return self in (ColumnKind.CONTINUOUS, ColumnKind.DISCRETE, ColumnKind.BOOLEAN)


_FOUND = (ColumnKind.CONSTANT, ColumnKind.BOOLEAN, ColumnKind.MIXTURE)
"""Kinds that values are of or are not: there is nothing to choose."""


def read_kinds(kinds: Mapping[str, str] | None, columns: Collection[str]) -> dict[str, ColumnKind]:
    """Return the kinds that were chosen for some of `columns`.

    Raises
    ------
    ProfileError
        If a column is not among them, or a kind is none that can be chosen.
    """
    choices = [str(kind) for kind in ColumnKind if kind not in _FOUND]
    for name, kind in (kinds or {}).items():
        if name not in columns:
            some = ", ".join(list(columns)[:8])
            raise ProfileError(f"kinds names column {name!r}, which the rows do not have (they have {some})")
        if kind not in choices:
            raise ProfileError(
                f"column {name!r} cannot be of kind {kind!r}; choose one of {', '.join(choices)}"
            )
    return {name: ColumnKind(kind) for name, kind in (kinds or {}).items()}
