"""The history of a deployment's versions: who served when, and why each was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamapp.messages import Alert, Champion, Model, ModelState, Retrain, format_time
from streamapp.rollout.states import effective_state

__all__ = ["Reign", "VersionStory", "tell"]

_ORDER: tuple[ModelState, ...] = ("champion", "challenger", "candidate", "retired", "rejected")


@dataclass(frozen=True, slots=True)
class Reign:
    """One time for which a version served.

    Attributes
    ----------
    from_ms, until_ms
        As the pointers say: stream time where JUDGE moved it, wall clock where a command did. None: still.
    """

    from_ms: int
    until_ms: int | None


@dataclass(frozen=True, slots=True)
class VersionStory:
    """What is known of a version.

    Attributes
    ----------
    model
        Its record, with the state that the pointer gives it.
    reigns
        When it served, the earliest first, as far back as ``models`` still knows.
    event
        The reason for which it was trained; None if a person brought it, or the event is gone.
    alert
        The alert behind that, as it opened.
    snapshot_of
        The version that has gone on learning, if this is a snapshot of it.
    """

    model: Model
    reigns: tuple[Reign, ...] = ()
    event: Retrain | None = None
    alert: Alert | None = None
    snapshot_of: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the record's fields, and beside them ``reigns``, ``event`` and ``alert``."""
        return {
            **self.model.model_dump(mode="json"),
            "reigns": [
                {
                    "from": format_time(reign.from_ms),
                    "until": None if reign.until_ms is None else format_time(reign.until_ms),
                }
                for reign in self.reigns
            ],
            "event": None if self.event is None else self.event.model_dump(mode="json"),
            "alert": None if self.alert is None else self.alert.model_dump(mode="json", by_alias=True),
        }


def tell(
    versions: Mapping[str, Model],
    pointers: Sequence[Champion],
    events: Sequence[Retrain] = (),
    alerts: Sequence[Alert] = (),
) -> list[VersionStory]:
    """Return the stories of all versions: the champion's, those on trial, those that served, the rejected.

    Within each of these the latest comes first.

    Parameters
    ----------
    versions
        Records by version.
    pointers
        What the pointer has been, oldest first.
    events, alerts
        As they stand in ``retrain-events`` and ``drift-alerts``; of an alert the first state counts.

    Examples
    --------
    >>> fields = {"bundle": "u", "sha256": "s", "format": "joblib"}
    >>> new = Model(version="b", state="champion", caused_by="e", **fields)
    >>> old = Model(version="a", state="retired", **fields)
    >>> pointers = [Champion(version="a", at=0), Champion(version="b", at=5_000)]
    >>> first, second = tell({"a": old, "b": new}, pointers, [Retrain(id="e", reason="age")])
    >>> first.model.version, first.event.reason, second.reigns
    ('b', 'age', (Reign(from_ms=0, until_ms=5000),))
    """
    champion = pointers[-1] if pointers else None
    reasons = {event.id: event for event in events}
    causes: dict[str, Alert] = {}
    for alert in alerts:
        causes.setdefault(alert.id, alert)
    last = {pointer.version: i for i, pointer in enumerate(pointers)}
    stories = []
    for model in versions.values():
        event = reasons.get(model.caused_by or "")
        stories.append(
            VersionStory(
                model.model_copy(update={"state": effective_state(model, champion)}),
                _reigns(model.version, pointers),
                event,
                causes.get(event.caused_by or "") if event is not None else None,
                model.caused_by if model.caused_by in versions else None,
            )
        )
    stories.sort(
        key=lambda story: (
            last.get(story.model.version, -1),
            story.model.trained_at or 0,
            story.model.version,
        ),
        reverse=True,
    )
    return sorted(stories, key=lambda story: _ORDER.index(story.model.state))


def _reigns(version: str, pointers: Sequence[Champion]) -> tuple[Reign, ...]:
    found: list[Reign] = []
    serving = False
    for pointer in pointers:
        if pointer.version == version and not serving:
            found.append(Reign(pointer.at, None))
        elif pointer.version != version and serving:
            found[-1] = Reign(found[-1].from_ms, pointer.at)
        serving = pointer.version == version
    return tuple(found)
