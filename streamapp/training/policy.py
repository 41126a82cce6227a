"""When to train, and on which rows: decided from logs alone, so that a repeat decides the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from streamapp.messages import Model, OffsetRange, Retrain
from streamapp.training.brakes import ALARMS, Brakes, TrainingRules, Waiting, trained_until
from streamapp.training.harm import Harm

__all__ = ["Dropped", "Plan", "Start", "plan_training"]


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
    since
        Offset of ``labelled`` at which the world last changed, as far as events tell.
    why
        Why now, in one line for people.
    """

    event: Retrain
    data: tuple[OffsetRange, ...]
    answers: frozenset[str]
    since: int | None = None
    why: str = ""


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
    waiting
        Events that are held back, and by what.
    answered
        Ids of events that a version has answered already.
    dropped
        Events that are not to be answered.
    """

    start: Start | None = None
    waiting: tuple[Waiting, ...] = ()
    answered: frozenset[str] = frozenset()
    dropped: tuple[Dropped, ...] = ()

    @property
    def wait_rows(self) -> int:
        """How many more rows of ``labelled`` one of them at least wants to see; 0 if none waits for rows."""
        return min((each.rows for each in self.waiting if each.rows), default=0)


def plan_training(
    events: Sequence[Retrain],
    models: Iterable[Model],
    *,
    topic: str,
    begin: int,
    end: int,
    rules: TrainingRules,
    now_ms: int | None = None,
    harm: Mapping[str, Harm] | None = None,
    done: Collection[str] = (),
) -> Plan:
    """Return what becomes of retrain events.

    Events without data of their own are answered together, by one training on the newest rows. It is the
    answer to the first that is an alarm or comes from a user, else to the first.

    An alarm waits until there are rows since the change, `min_rows` of them: what is older teaches the world
    as it was. Everything else waits until then, too, and for the brakes. A user's wish does not wait. An
    event on inputs is dropped if labels show that their drift did no harm. An event with data is answered by
    itself, on these.

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
    now_ms
        Stream time by the labels; None: brakes in time do not hold.
    harm
        What labels say of the drift behind events on inputs, by the event's id; without an entry it may have
        done harm.
    done
        Ids of events that need no answer any more; they may still tell of a change.

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
    versions, harm = list(models), harm or {}
    answered = _answered(events, versions, topic, end, rules) - frozenset(done)
    open_ = [event for event in events if event.id not in answered and event.id not in done]
    dropped: list[Dropped] = []
    for event in [event for event in open_ if event.data is not None]:
        why = _refused(event, topic, begin, end, rules)
        if why is None:
            start = Start(event, tuple(event.data or ()), frozenset({event.id}), why="on the data it names")
            return Plan(start, answered=answered, dropped=tuple(dropped))
        dropped.append(Dropped(event, why))
    open_ = [event for event in open_ if event.data is None]
    rows = min(end - begin, rules.max_rows)
    brakes = Brakes(versions, topic=topic, end=end, rows=rows, now_ms=now_ms, rules=rules)
    ready: list[Retrain] = []
    waiting: list[Waiting] = []
    for event in open_:
        known = harm.get(event.id) if event.reason == "input" else None
        held = brakes.of(event)
        if known is not None and known.verdict == "none":
            dropped.append(Dropped(event, f"drift without harm: {known.why}"))
        elif held is not None and event.reason == "user":
            dropped.append(Dropped(event, held.why))
        elif known is not None and known.verdict == "unknown":
            waiting.append(Waiting(event, "harm", known.why))
        elif held is not None:
            waiting.append(held)
        else:
            ready.append(event)
    if any(each.brake == "change" for each in waiting):
        why = "a change was seen, and rows since then are waited for"
        waiting += [Waiting(event, "change", why) for event in ready if event.reason not in _NOW]
        ready = [event for event in ready if event.reason in _NOW]
    if not ready:
        return Plan(waiting=tuple(waiting), answered=answered, dropped=tuple(dropped))
    cause = next((event for event in ready if event.reason in _NOW), ready[0])
    taken = [each.event for each in waiting if each.brake != "change" or each.event.since is None]
    data = OffsetRange(topic=topic, partition=0, start=end - rows, end=end)
    since = max((event.since for event in events if event.since is not None), default=None)
    start = Start(
        cause,
        (data,),
        frozenset(event.id for event in (*ready, *taken)),
        since=since if since is not None and data.start < since < end else None,
        why=_why(cause),
    )
    left = tuple(each for each in waiting if each.event not in taken)
    return Plan(start, waiting=left, answered=answered, dropped=tuple(dropped))


_NOW = ALARMS | {"user"}
"""Reasons that do not wait for a change that others tell of."""

_WHY = {
    "accuracy": "the loss has grown",
    "input": "inputs have moved, and labels do not say that it did no harm",
    "target": "labels come in other shares",
    "age": "what the champion has learned from is old",
    "schedule": "the schedule says so",
    "user": "a user asked for it",
}


def _why(event: Retrain) -> str:
    return _WHY[event.reason]


def _answered(
    events: Sequence[Retrain], versions: Sequence[Model], topic: str, end: int, rules: TrainingRules
) -> frozenset[str]:
    """Return the ids of events that have a version, and of those without data that waited before them.

    An alarm has waited for rows since the change: a version without these is no answer to it.
    """
    until: dict[str, int] = {}
    for model in versions:
        if model.caused_by is not None:
            until[model.caused_by] = max(until.get(model.caused_by, 0), trained_until(model, topic, end))
    reached, found = -1, set()
    for event in reversed(events):
        if event.id in until:
            found.add(event.id)
            if event.data is None:
                reached = max(reached, until[event.id])
        elif event.data is None and reached >= _needed(event, rules):
            found.add(event.id)
    return frozenset(found)


def _needed(event: Retrain, rules: TrainingRules) -> int:
    return 0 if event.since is None else event.since + rules.min_rows


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
