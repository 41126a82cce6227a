"""What kind of column a column is: decided once, on the reference."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ColumnKind"]


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
    ID_LIKE = "id-like"
    """A new value in every row (numbers, serials, keys): moves by nature, only its absence is watched."""

    @property
    def is_numeric(self) -> bool:
        """Whether values are ordered numbers that vary, so that ranks and correlations mean something."""
        return self in (ColumnKind.CONTINUOUS, ColumnKind.DISCRETE, ColumnKind.BOOLEAN)
