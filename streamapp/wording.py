"""Numbers as people read them."""

from __future__ import annotations

__all__ = ["at_rate", "lasting", "many", "percent"]

_UNITS = (
    (31_536_000_000, "year"), (86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1_000, "second"),
)  # fmt: skip


def many(count: int, noun: str) -> str:
    """Return a number of things.

    Examples
    --------
    >>> many(1, "row"), many(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def percent(share: float) -> str:
    """Return a share, to a tenth of a percent.

    Examples
    --------
    >>> percent(0.7567), percent(1.0)
    ('75.7 %', '100 %')
    """
    return "100 %" if share == 1 else f"{100 * share:.1f} %"


def lasting(duration_ms: float) -> str:
    """Return a duration in its largest unit.

    Examples
    --------
    >>> lasting(90_000), lasting(3_600_000 * 30), lasting(20)
    ('2 minutes', '30 hours', 'less than a second')
    """
    for size, unit in _UNITS:
        if duration_ms >= 1.5 * size or (duration_ms >= size and unit == "second"):
            return many(round(duration_ms / size), unit)
    return "less than a second"


def at_rate(per_s: float, noun: str) -> str:
    """Return how many things there are in the smallest unit of time that has one, or in a day.

    Examples
    --------
    >>> at_rate(1190.4, "request"), at_rate(1.0, "request"), at_rate(0.04, "row"), at_rate(1e-6, "row")
    ('1,190 requests a second', '1 request a second', '2.4 rows a minute', '0.086 rows a day')
    """
    for size, unit in reversed(_UNITS[1:]):
        count = per_s * size / 1_000
        if count >= 0.995 or unit == "day":
            break
    text = f"{count:,.0f}" if count >= 10 else f"{count:.2g}"
    return f"{text} {noun}{'' if text == '1' else 's'} {'an' if unit == 'hour' else 'a'} {unit}"
