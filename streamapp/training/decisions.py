"""What became of retrain events, as it is written down: each decision once, with its reason."""

from __future__ import annotations

from collections.abc import Sequence

from streamapp.messages import DecisionRecord, Model, Outcome, Retrain, TriedWindow, caused_id
from streamapp.training.policy import Plan, Start

__all__ = ["decision_id", "failed", "not_trained", "recovered", "trained"]


def decision_id(event: str, outcome: Outcome, brake: str = "") -> str:
    """Return the id of a decision: an event waits once for each brake, and has one end."""
    return caused_id("decision", event, outcome, brake)


def not_trained(plan: Plan, at_ms: int) -> list[DecisionRecord]:
    """Return what a plan says of events that give no training, or none yet.

    Parameters
    ----------
    plan
        As made now.
    at_ms
        Stream time.
    """
    dropped = [
        DecisionRecord(
            id=decision_id(each.event.id, "dropped"),
            at=at_ms,
            events=[each.event.id],
            outcome="dropped",
            reason=each.why,
            caused_by=each.event.caused_by,
            data=each.event.data or [],
        )
        for each in plan.dropped
    ]
    waiting = [
        DecisionRecord(
            id=decision_id(each.event.id, "waiting", each.brake),
            at=at_ms,
            events=[each.event.id],
            outcome="waiting",
            reason=each.why,
            caused_by=each.event.caused_by,
        )
        for each in plan.waiting
    ]
    return dropped + waiting


def trained(start: Start, model: Model, tried: Sequence[TriedWindow], at_ms: int) -> DecisionRecord:
    """Return the record of a training that gave a version."""
    best = min(tried, key=lambda each: each.loss, default=None)
    chosen = "" if best is None or len(tried) < 2 else f"; of {len(tried)} windows, {best.window} were best"
    return _ended(start, "trained", f"{start.why}{chosen}", at_ms).model_copy(
        update={"candidates": list(tried), "version": model.version}
    )


def recovered(event: Retrain, model: Model) -> DecisionRecord:
    """Return the record of a version whose process ended before it could write one."""
    return DecisionRecord(
        id=decision_id(event.id, "trained"),
        at=model.newest_training_data_at or model.trained_at or 0,
        events=[event.id],
        outcome="trained",
        reason="the process ended before it could say why",
        caused_by=event.caused_by,
        data=model.training_data,
        version=model.version,
    )


def failed(start: Start, why: str, at_ms: int) -> DecisionRecord:
    """Return the record of a training that gave none."""
    return _ended(start, "failed", why, at_ms)


def _ended(start: Start, outcome: Outcome, why: str, at_ms: int) -> DecisionRecord:
    first = start.event.id
    return DecisionRecord(
        id=decision_id(first, outcome),
        at=at_ms,
        events=[first, *sorted(start.answers - {first})],
        outcome=outcome,
        reason=why,
        caused_by=start.event.caused_by,
        data=list(start.data),
    )
