"""What holds a training back: too few new rows, the last one too near, a day's budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from streamapp.messages import Model, Retrain, format_time

__all__ = ["ALARMS", "Brakes", "TrainingRules", "Waiting"]

ALARMS = frozenset({"accuracy", "target"})
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRules:
    """What the settings say.

    Attributes
    ----------
    min_rows
        Fewer labelled rows give no model; after a change, as many since then are waited for.
    cooldown_rows
        Labelled rows between the newest that was trained on and the next training.
    cooldown_ms
        The same in stream time.
    per_day
        Trainings in a day of stream time, ≥ 1. Half of them are for alarms: others are at least two
        parts in `per_day` of a day apart.
    max_rows
        At most this many of the newest labelled rows are trained on.
    """

    min_rows: int = 500
    cooldown_rows: int = 2_000
    cooldown_ms: int = 0
    per_day: int = 24
    max_rows: int = 100_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that no training answers yet.

    Attributes
    ----------
    event
        Which.
    brake
        What holds it back.
    why
        For people.
    rows
        How many more rows of ``labelled`` it wants to see, if that is it.
    """

    event: Retrain
    brake: Literal["rows", "change", "cooldown", "budget", "harm"]
    why: str
    rows: int = 0


class Brakes:
    """What versions and rows say against a training now.

    Parameters
    ----------
    versions
        All there are.
    topic, end
        Full name of ``labelled``, and the offset of its next record.
    rows
        Rows that could be trained on.
    now_ms
        Stream time by the labels; None: brakes in time do not hold.
    rules
        The settings.
    """

    def __init__(
        self,
        versions: Sequence[Model],
        *,
        topic: str,
        end: int,
        rows: int,
        now_ms: int | None,
        rules: TrainingRules,
    ) -> None:
        self._end, self._rows, self._now_ms, self._rules = end, rows, now_ms, rules
        self._trained_until = max((trained_until(each, topic, end) for each in versions), default=0)
        known = {each.version for each in versions}
        # A training has no time in the stream but that of the newest label that it learned from. Snapshots of
        # a model that goes on learning, caused by a version, are no trainings.
        self._trained_ms = sorted(
            each.newest_training_data_at
            for each in versions
            if each.caused_by is not None
            and each.caused_by not in known
            and each.newest_training_data_at is not None
            and (now_ms is None or each.newest_training_data_at <= now_ms)
        )

    def of(self, event: Retrain) -> Waiting | None:
        """Return what holds an event without data of its own back, None if nothing does."""
        rules, missing = self._rules, self._rules.min_rows - self._rows
        if missing > 0:
            why = f"there are {self._rows:,} labelled rows and {rules.min_rows:,} are needed"
            return Waiting(event, "rows", why, missing)
        if event.reason == "user":
            return None
        if event.reason in ALARMS and event.since is not None:
            missing = event.since + rules.min_rows - self._end
            new = rules.min_rows - missing
            why = f"there are {new:,} rows since the change and {rules.min_rows:,} are needed"
            return Waiting(event, "change", why, missing) if missing > 0 else self._budget(event)
        missing = self._trained_until + rules.cooldown_rows - self._end
        if missing > 0:
            new = self._end - self._trained_until
            why = f"{new:,} rows are newer than the last training and {rules.cooldown_rows:,} are needed"
            return Waiting(event, "cooldown", why, missing)
        apart_ms = rules.cooldown_ms
        if event.reason not in ALARMS:
            apart_ms = max(apart_ms, 2 * _DAY_MS // rules.per_day)
        if self._trained_ms and self._now_ms is not None and self._now_ms < self._trained_ms[-1] + apart_ms:
            due = format_time(self._trained_ms[-1] + apart_ms)
            why = f"the last training is too near: this one may start at {due} of stream time"
            return Waiting(event, "cooldown", why)
        return self._budget(event)

    def _budget(self, event: Retrain) -> Waiting | None:
        if self._now_ms is None:
            return None
        recent = [time_ms for time_ms in self._trained_ms if time_ms > self._now_ms - _DAY_MS]
        if len(recent) < self._rules.per_day:
            return None
        free = format_time(recent[-self._rules.per_day] + _DAY_MS)
        why = (
            f"{len(recent):,} trainings in a day are the budget: the next may start at {free} of stream time"
        )
        return Waiting(event, "budget", why)


def trained_until(version: Model, topic: str, end: int) -> int:
    """Return the offset after the newest row of `topic` that a version was trained on, 0 for none."""
    # Beyond the end it speaks of a topic that was made anew.
    return max(
        (part.end for part in version.training_data if part.topic == topic and part.end <= end), default=0
    )
