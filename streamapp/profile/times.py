"""Times: hour of the day and day of the week, which is all of a time that can come again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np

from streamapp.profile.columns import level_text
from streamapp.profile.legendre import mid_ranks

__all__ = ["HOURS", "SLOTS", "TimeCoder", "TimeProfile", "are_times", "fit_times", "seconds_of"]

HOURS = 24
SLOTS = 7 * HOURS
"""Bins of a time: the hours of a week, from Monday on. Behind them: not to be read, missing."""
_UNREADABLE, _MISSING = SLOTS, SLOTS + 1

_TIME_SHARE = 0.95
"""From this share of reference rows on that can be read as times, a column of strings is one of times."""
_LOOK = 200
_DAY = 86_400
_HOUR_DAYS, _WEEKDAY_DAYS = 2, 14
"""Days that a reference must cover for the shares of hours, or of weekdays, to be any."""
_ADVANCE = 0.9
"""Rank correlation of times with the rows' order from which on they are taken to advance with it."""
_FORM = re.compile(r"\d{4}-\d\d-\d\d(?:([T ])\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d(?::?\d\d)?)?)?")


@dataclass(frozen=True, slots=True)
class TimeProfile:
    """What is watched of a column of times, and how they are written."""

    form: str
    """For strftime, that of most strings; empty where times came as such."""
    watched: tuple[str, ...]
    """``hour``, ``weekday``, both or none."""
    why_not: str
    """Why one of them is not, for people."""

    @property
    def why(self) -> str:
        """Say for people what is watched."""
        names = {"hour": "hour of the day, ", "weekday": "day of the week, "}
        watched = "".join(names[part] for part in self.watched)
        return f"{watched}unreadable, missing{'; ' if self.why_not else ''}{self.why_not}"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Return what :meth:`to_dict` returned."""
        return cls(fields["form"], tuple(fields["watched"]), fields["why_not"])


def are_times(values: Sequence[str]) -> bool:
    """Whether strings, at least one, are ISO 8601 dates or times in nearly all rows (extended form).

    Examples
    --------
    >>> are_times(["2013-05-02T08:00:00Z", "2013-05-02"]), are_times(["20130502", "1-2-2013"])
    (True, False)
    """
    head = values[:: -(-len(values) // _LOOK)]
    return all(
        sum(_slot(value) != _UNREADABLE for value in some) >= _TIME_SHARE * len(some)
        for some in (head, values)
    )


def seconds_of(values: Sequence[str]) -> np.ndarray:
    """Return the seconds since the epoch of each string, (n,) float64; NaN where it is no time.

    Those without an offset are taken as UTC.
    """
    seconds = np.full(len(values), np.nan)
    for i, value in enumerate(values):
        if _slot(value) != _UNREADABLE:
            time = datetime.fromisoformat(value)
            seconds[i] = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    return seconds


def fit_times(seconds: np.ndarray, slots: np.ndarray, texts: Sequence[str], *, ordered: bool) -> TimeProfile:
    """Decide what of the reference's times can be watched.

    Parameters
    ----------
    seconds
        (n,) since the epoch, NaN where there is no time, in the order of the rows.
    slots
        (n,) their bins.
    texts
        How they were written; empty if they came as times.
    ordered
        Whether rows stand in the order in which they came.

    Notes
    -----
    A window of the stream is short. Where times advance with the rows, its hours are those at which it was
    taken: they say nothing of drift. Times that scatter (booked for, born on) do.
    """
    form = Counter(map(_form_of, texts[:_LOOK])).most_common(1)[0][0] if texts else ""
    known = np.isfinite(seconds)
    if not known.any():
        return TimeProfile(form, (), "there is none in the reference")
    times = seconds[known]
    if ordered and _advance(times):
        return TimeProfile(form, (), "not hour and weekday, since times advance with the rows")
    low, high = np.quantile(times, [0.005, 0.995])  # a stray makes no month
    days = float(high - low) / 0.98 / _DAY
    dated = not (slots[slots < SLOTS] % HOURS).any()
    parts, why_not = [], []
    if dated:
        why_not.append("they have no time of day")
    elif days < _HOUR_DAYS:
        why_not.append(f"not hour, since the reference covers {days:.1f} days, less than {_HOUR_DAYS}")
    else:
        parts.append("hour")
    if days < _WEEKDAY_DAYS:
        why_not.append(f"not weekday, since the reference covers {days:.1f} days, less than {_WEEKDAY_DAYS}")
    else:
        parts.append("weekday")
    return TimeProfile(form, tuple(parts), "; ".join(why_not))


class TimeCoder:
    """Finds the bins of one column of times: strings, or milliseconds since the epoch.

    Parameters
    ----------
    name
        Of the column.
    start
        Number of the column's first bin.

    Notes
    -----
    Hour and weekday of a string are those that are written in it, whatever its offset: it is by them that
    people live. Those of milliseconds are of UTC.
    """

    def __init__(self, name: str, start: int) -> None:
        self.name = name
        self._start = start

    def codes(self, values: np.ndarray) -> list[int]:
        """Return the bin of each value of (n,) objects or numbers."""
        start = self._start
        if values.dtype != object:
            codes: list[int] = (start + _slots(values.astype(np.float64, copy=False))).tolist()
            return codes
        missing = start + _MISSING
        return [
            missing
            if value is None or value != value  # noqa: PLR0124  # NaN
            else start + _slot(value if isinstance(value, str) else level_text(value))
            for value in values.tolist()
        ]


def _slot(text: str) -> int:
    # The basic form (20130502) is left to numbers and serials.
    if text[4:5] != "-":
        return _UNREADABLE
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return _UNREADABLE
    return time.weekday() * HOURS + time.hour


def _slots(ms: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        hour = np.mod(np.floor(ms / 3_600_000), HOURS)
        day = np.mod(np.floor(ms / 86_400_000) + 3, 7)  # the epoch began on a Thursday
        slots = np.asarray(day * HOURS + hour)
    slots[~np.isfinite(ms)] = _UNREADABLE
    slots[np.isnan(ms)] = _MISSING
    return np.asarray(slots, dtype=np.int64)


def _advance(times: np.ndarray) -> bool:
    _, places, counts = np.unique(times, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        return False
    r = np.corrcoef(mid_ranks(counts)[places.ravel()], np.arange(len(times)))[0, 1]
    return bool(abs(r) >= _ADVANCE)


def _form_of(text: str) -> str:
    match = _FORM.fullmatch(text)
    if match is None:
        return "%Y-%m-%dT%H:%M:%S"
    between, seconds, fraction, offset = match.groups()
    if between is None:
        return "%Y-%m-%d"
    clock = f"%H:%M{':%S' if seconds else ''}"
    if fraction:
        clock += "." + "0" * (len(fraction) - 1)
    return f"%Y-%m-%d{between}{clock}{offset or ''}"
