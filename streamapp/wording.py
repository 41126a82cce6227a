"""Numbers as people read them."""

from __future__ import annotations

__all__ = ["many"]


def many(count: int, noun: str) -> str:
    """Return a number of things.

    Examples
    --------
    >>> many(1, "row"), many(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
