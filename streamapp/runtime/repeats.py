"""Lines of a log that repeat: told once a minute, with how often."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from streamapp.runtime.log_fields import IDS, POSITIONS

__all__ = ["Repeats"]

_EVERY_S = 60.0


@dataclass(slots=True)
class _Seen:
    until: float
    last: logging.LogRecord
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
    """

    def __init__(self, every_s: float = _EVERY_S) -> None:
        self._every_s = every_s
        self._seen: dict[object, _Seen] = {}  # the oldest first, as all are kept equally long

    def admit(self, record: logging.LogRecord) -> list[logging.LogRecord]:
        """Return what is to be written now that `record` has come."""
        if record.levelno <= logging.DEBUG:
            return [record]
        key, now, told = _key(record), record.created, []
        while self._seen and (oldest := next(iter(self._seen.items())))[1].until <= now:
            del self._seen[oldest[0]]
            if oldest[0] == key and oldest[1].withheld:
                record.repeated = oldest[1].withheld
            else:
                told += _summary(oldest[1])
        known = self._seen.get(key)
        if known is None:
            self._seen[key] = _Seen(now + self._every_s, record)
            told.append(record)
        else:
            known.withheld, known.last = known.withheld + 1, record
        return told

    def rest(self) -> list[logging.LogRecord]:
        """Return what is to be written at the end."""
        left = [record for seen in self._seen.values() for record in _summary(seen)]
        self._seen.clear()
        return left


def _summary(seen: _Seen) -> list[logging.LogRecord]:
    if not seen.withheld:
        return []
    seen.last.repeated = seen.withheld
    return [seen.last]


def _key(record: logging.LogRecord) -> object:
    ids = (getattr(record, name, None) for name in IDS if name not in POSITIONS)
    return (record.name, record.levelno, record.getMessage(), *ids)
