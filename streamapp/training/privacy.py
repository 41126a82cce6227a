"""What is said of reasons to train while the champion needs columns that answers do not show."""

from __future__ import annotations

from collections.abc import Sequence

from streamapp.messages import DecisionRecord, Model, Retrain
from streamapp.models.personal import not_learned_line
from streamapp.training.decisions import decision_id

__all__ = ["turned_off"]


def turned_off(events: Sequence[Retrain], champion: Model, at_ms: int) -> list[DecisionRecord]:
    """Return what is said of events while the champion is one that nothing can be learned beside.

    A user is answered each time. All other reasons are dropped by one decision for each champion, else the
    topic would say the same for ever.

    Parameters
    ----------
    events
        Without an end yet.
    champion
        Withholds personal columns.
    at_ms
        Stream time.
    """
    asked = [event for event in events if event.reason == "user"]
    others = [event for event in events if event.reason != "user"]
    why = not_learned_line(champion.withheld)
    ended = [(decision_id(event.id, "dropped"), [event]) for event in asked]
    if others:
        ended.append((decision_id(champion.version, "dropped", "personal"), others))
    return [
        DecisionRecord(
            id=id_,
            at=at_ms,
            events=[event.id for event in dropped],
            outcome="dropped",
            reason=why,
            caused_by=dropped[0].caused_by,
        )
        for id_, dropped in ended
    ]
