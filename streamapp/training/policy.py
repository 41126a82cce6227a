"""When to train, and on which rows: decided from logs alone, so that a repeat decides the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streamapp.messages import Model, OffsetRange, Retrain

__all__ = ["Dropped", "Plan", "Start", "TrainingRules", "plan_training"]

_URGENT = frozenset({"accuracy", "user"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRules:
    """What the settings say.

    Attributes
    ----------
    min_rows
        Fewer labelled rows give no model.
    cooldown_rows
        Labelled rows between the newest that was trained on and the next training.
    max_rows
        At most this many of the newest labelled rows are trained on.
    """

    min_rows: int = 500
    cooldown_rows: int = 2_000
    max_rows: int = 100_000


@dataclass(frozen=True, slots=True)
class Start:
    """A training to start now.

    Attributes
    ----------
    event
        What the new version will name as its cause.
    data
        Offset ranges of ``labelled``.
    answers
        Ids of all events that it is the answer to.
    """

    event: Retrain
    data: tuple[OffsetRange, ...]
    answers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Dropped:
    """An event that no training will answer, and why, in one line for people."""

    event: Retrain
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of the events that wait.

    Attributes
    ----------
    start
        The training to start now, if one is.
    wait_rows
        How many more rows of ``labelled`` those that wait on want to see; 0 if none waits for rows.
    answered
        Ids of events that a version has answered already.
    dropped
        Events that are not to be answered.
    """

    start: Start | None = None
    wait_rows: int = 0
    answered: frozenset[str] = frozenset()
    dropped: tuple[Dropped, ...] = ()


def plan_training(
    events: Sequence[Retrain],
    models: Iterable[Model],
    *,
    topic: str,
    begin: int,
    end: int,
    rules: TrainingRules,
) -> Plan:
    """Return what becomes of retrain events.

    Events without data of their own are answered together, by one training on the newest rows. It is the
    answer to the first that is about accuracy or comes from a user, else to the first. It waits until
    `cooldown_rows` are newer than the newest row trained on: rows from before a change teach the world as it
    was. A user's wish does not wait. An event with data is answered by itself, on these.

    Parameters
    ----------
    events
        In log order.
    models
        All versions.
    topic
        Full name of ``labelled``.
    begin, end
        First offset that it still holds, and the offset of the next record.
    rules
        The settings.

    Examples
    --------
    >>> event = Retrain(id="e", reason="input")
    >>> rules = TrainingRules(min_rows=500, cooldown_rows=2_000, max_rows=10_000)
    >>> plan_training([event], [], topic="bikes.labelled", begin=0, end=1_500, rules=rules).wait_rows
    500
    >>> plan = plan_training([event], [], topic="bikes.labelled", begin=0, end=60_000, rules=rules)
    >>> [(part.start, part.end) for part in plan.start.data]
    [(50000, 60000)]
    """
    versions = list(models)
    answered = _answered(events, versions)
    waiting = [event for event in events if event.id not in answered]
    dropped: list[Dropped] = []
    for event in [event for event in waiting if event.data is not None]:
        why = _refused(event, topic, begin, end, rules)
        if why is None:
            start = Start(event, tuple(event.data or ()), frozenset({event.id}))
            return Plan(start, answered=answered, dropped=tuple(dropped))
        dropped.append(Dropped(event, why))
    waiting = [event for event in waiting if event.data is None]
    rows = min(end - begin, rules.max_rows)
    if rows < rules.min_rows:
        dropped += [
            Dropped(event, f"there are {rows:,} labelled rows and {rules.min_rows:,} are needed")
            for event in waiting
            if event.reason == "user"
        ]
        waiting = [event for event in waiting if event.reason != "user"]
    if not waiting:
        return Plan(answered=answered, dropped=tuple(dropped))
    cause = next((event for event in waiting if event.reason in _URGENT), waiting[0])
    wanted = rules.min_rows - rows
    if not any(event.reason == "user" for event in waiting):
        wanted = max(wanted, _trained_until(versions, topic, end) + rules.cooldown_rows - end)
    if wanted > 0:
        return Plan(wait_rows=wanted, answered=answered, dropped=tuple(dropped))
    data = OffsetRange(topic=topic, partition=0, start=end - rows, end=end)
    start = Start(cause, (data,), frozenset(event.id for event in waiting))
    return Plan(start, answered=answered, dropped=tuple(dropped))


def _answered(events: Sequence[Retrain], versions: Sequence[Model]) -> frozenset[str]:
    """Return the ids of events that have a version, and of those without data that waited before them."""
    causes = {model.caused_by for model in versions if model.caused_by is not None}
    last = max((i for i, event in enumerate(events) if event.id in causes and event.data is None), default=-1)
    return frozenset(
        event.id for i, event in enumerate(events) if event.id in causes or (i < last and event.data is None)
    )


def _trained_until(versions: Sequence[Model], topic: str, end: int) -> int:
    """Return the offset after the newest row that any version was trained on, 0 if none was."""
    ends = (part.end for model in versions for part in model.training_data if part.topic == topic)
    # Beyond the end it speaks of a topic that was made anew.
    return max((each for each in ends if each <= end), default=0)


def _refused(event: Retrain, topic: str, begin: int, end: int, rules: TrainingRules) -> str | None:
    """Return why no training is possible on an event's own data, None if one is."""
    parts = event.data or []
    for part in parts:
        if part.topic != topic or part.partition != 0:
            return f"its data are in {part.topic}, partition {part.partition}; they must be in {topic}, 0"
        if not begin <= part.start <= part.end <= end:
            return f"its data are offsets {part.start:,} to {part.end:,}; {topic} holds {begin:,} to {end:,}"
    rows = sum(part.end - part.start for part in parts)
    if rows < rules.min_rows:
        return f"its data are {rows:,} rows and {rules.min_rows:,} are needed"
    return None
