"""Times, shares and numbers as people read them."""

from __future__ import annotations

from streamapp.messages import format_time
from streamapp.wording import lasting, many, percent

__all__ = [
    "ago",
    "between",
    "estimated",
    "lasting",
    "many",
    "measured",
    "number",
    "percent",
    "ranged",
    "when",
]


def when(time_ms: int) -> str:
    """Return a time to the minute, UTC.

    Examples
    --------
    >>> when(1_304_323_200_004)
    '2011-05-02 08:00'
    """
    return format_time(time_ms)[:16].replace("T", " ")


def between(from_ms: int, to_ms: int) -> str:
    """Return a stretch of time, UTC: of one day to the second, else to the minute.

    Examples
    --------
    >>> between(1_304_323_200_004, 1_304_323_261_000), between(0, 86_400_000)
    ('2011-05-02 08:00:00 to 08:01:01', '1970-01-01 00:00 to 1970-01-02 00:00')
    """
    first, last = (format_time(each)[:19].replace("T", " ") for each in (from_ms, to_ms))
    return f"{first} to {last[11:]}" if first[:10] == last[:10] else f"{when(from_ms)} to {when(to_ms)}"


def ago(time_ms: int, now_ms: int) -> str:
    """Return how long ago a time was.

    Examples
    --------
    >>> ago(0, 90_000), ago(5, 0)
    ('2 minutes ago', 'now')
    """
    return f"{lasting(now_ms - time_ms)} ago" if now_ms - time_ms >= 1_000 else "now"


def measured(value: float, *, is_share: bool) -> str:
    """Return a measure of accuracy: in percent, or a number.

    Examples
    --------
    >>> measured(0.7567, is_share=True), measured(0.21514, is_share=False)
    ('75.7 %', '0.215')
    """
    return percent(value) if is_share else number(value)


def ranged(low: float, high: float, *, is_share: bool) -> str:
    """Return an interval of such a measure.

    Examples
    --------
    >>> ranged(0.806, 0.839, is_share=True), ranged(0.19, 0.21, is_share=False)
    ('80.6 to 83.9 %', '0.190 to 0.210')
    """
    first, last = (measured(each, is_share=is_share) for each in (low, high))
    return f"{first.removesuffix(' %')} to {last}"


def estimated(accuracy: float, low: float, high: float, state: str) -> str:
    """Return what the confidence of the newest answers tells of their accuracy, as far as labels bear it out.

    Examples
    --------
    >>> estimated(0.84, 0.814, 0.865, "valid")
    'by confidence alone 84.0 % of the newest answers are right (81.4 to 86.5 %), and labels agree'
    >>> estimated(0.411, 0.39, 0.433, "invalid")
    '41.1 % of the newest labelled answers are right (39.0 to 43.3 %), which their confidence does not tell'
    """
    shown = f"({ranged(low, high, is_share=True)})"
    if state == "invalid":
        return (
            f"{percent(accuracy)} of the newest labelled answers are right {shown}, "
            "which their confidence does not tell"
        )
    said = f"by confidence alone {percent(accuracy)} of the newest answers are right {shown}"
    return f"{said}, and labels agree" if state == "valid" else f"{said}; labels have not confirmed it yet"


def number(value: float) -> str:
    """Return a number to three or more digits.

    Examples
    --------
    >>> number(0.21514), number(3000.0), number(12.345)
    ('0.215', '3,000', '12.3')
    """
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1 or value == 0 else f"{value:.3f}"
