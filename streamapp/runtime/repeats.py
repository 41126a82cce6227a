"""Lines of a log that repeat: told once a minute, with how often."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from streamapp.runtime.log_fields import IDS, POSITIONS

__all__ = ["Repeats"]

_EVERY_S = 60.0


@dataclass(slots=True)
class _Seen:
    until: float
    last: logging.LogRecord | None = None
    withheld: int = 0


class Repeats:
    """Holds back what was said a moment ago.

    Two records are the same line if level, logger, message and ids are; where in a topic, and how many, may
    differ. The first is let through. Those that follow within `every_s` are counted, and the next one after
    that, or the last of them if no next one comes, has the count as its field ``repeated``. Debug records
    are all let through.

    Parameters
    ----------
    every_s
        Seconds.
    clock
        Monotonic, seconds: the wall clock may be set back, and lines would be withheld for as long.
    """

    def __init__(self, every_s: float = _EVERY_S, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock = clock
        self._seen: dict[object, _Seen] = {}  # the oldest first, as all are kept equally long

    def admit(self, record: logging.LogRecord) -> list[logging.LogRecord]:
        """Return what is to be written now that `record` has come."""
        if record.levelno <= logging.DEBUG:
            return [record]
        key, now, told = _key(record), self._clock(), []
        while self._seen and (oldest := next(iter(self._seen.items())))[1].until <= now:
            del self._seen[oldest[0]]
            if oldest[0] == key and oldest[1].withheld:
                record.repeated = oldest[1].withheld
            else:
                told += _summary(oldest[1])
        known = self._seen.get(key)
        if known is None:
            self._seen[key] = _Seen(now + self._every_s)
            told.append(record)
        else:
            known.withheld, known.last = known.withheld + 1, _text_of(record)
        return told

    def rest(self) -> list[logging.LogRecord]:
        """Return what is to be written at the end."""
        left = [record for seen in self._seen.values() for record in _summary(seen)]
        self._seen.clear()
        return left


def _summary(seen: _Seen) -> list[logging.LogRecord]:
    if seen.last is None:
        return []
    seen.last.repeated = seen.withheld
    return [seen.last]


def _text_of(record: logging.LogRecord) -> logging.LogRecord:
    """Return what is written of a record, without what it holds on to: arguments, and frames with batches."""
    kept = copy.copy(record)
    kept.msg, kept.args = record.getMessage(), None
    kept.exc_info = kept.exc_text = kept.stack_info = None
    return kept


def _key(record: logging.LogRecord) -> object:
    ids = (getattr(record, name, None) for name in IDS if name not in POSITIONS)
    return (record.name, record.levelno, record.getMessage(), *ids)
