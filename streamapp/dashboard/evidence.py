"""What stands behind an entry of the timeline: the numbers of its messages, in words."""

from __future__ import annotations

from streamapp.dashboard.view import Evidence, Feature, WindowBars
from streamapp.dashboard.words import between, many, number, percent, when
from streamapp.messages import Alert, DecisionRecord, DriftedFeature, Model, OffsetRange, Retrain

__all__ = ["alert_evidence", "score_lines", "training_evidence", "version_evidence"]

_FEATURES = 20
_RANGES = 8
_Facts = tuple[tuple[str, str], ...]
_MEASURES = {"predict-ms": "time to predict a hundred rows, ms"}
_OF_LABELS = frozenset({"accuracy", "target"})
_IN_SD = frozenset({"location", "scale", "length", "length spread"})


def alert_evidence(
    first: Alert, last: Alert, found: WindowBars, related: tuple[tuple[str, str], ...]
) -> Evidence:
    """Return what an alert rests on.

    Parameters
    ----------
    first, last
        As it was said first, and last.
    found
        The distributions in its window.
    related
        Other entries.
    """
    facts = [("Severity", last.severity), ("Opened", when(last.opened_at))]
    if last.state == "resolved":
        facts.append(("Over since", when(last.updated_at)))
    if first.window is not None:
        window = first.window
        facts += [
            ("Window", f"{between(window.from_, window.to)}, {many(window.events, 'request')}"),
            ("Offsets", _offsets(window.partitions)),
        ]
    if last.verdict is not None:
        facts.append(("Why", last.verdict.sentence))
    if last.model is not None:
        facts.append(("Model", last.model.version))
    if first.false_alarm_every is not None:
        counted = "labelled row" if first.kind in _OF_LABELS else "request"
        facts.append(("Alarms are set to", f"one false alarm in {many(first.false_alarm_every, counted)}"))
    features = last.features or first.features  # of an alert that is over the last one names none
    return Evidence(
        tuple(facts), tuple(map(_feature, features[:_FEATURES])), found.bars, _part(first, found), related
    )


def training_evidence(
    event: Retrain, decision: DecisionRecord | None, related: tuple[tuple[str, str], ...]
) -> Evidence:
    """Return what was decided about a reason to train, and on what was trained."""
    facts: list[tuple[str, str]] = [("Reason", event.reason)]
    if event.since is not None:
        facts.append(("The change began", f"at offset {event.since:,} of labelled"))
    if decision is not None:
        facts += [("Decided", when(decision.at)), ("Because", decision.reason)]
        facts += _ranges(decision.data)
        if decision.version:
            facts.append(("Version", decision.version))
        facts += [
            (f"Tried {tried.window}", f"loss {number(tried.loss)}, fitted on {many(tried.rows, 'row')}")
            for tried in decision.candidates
        ]
    return Evidence(tuple(facts), related=related)


def version_evidence(
    version: str, model: Model | None, before: str, related: tuple[tuple[str, str], ...]
) -> Evidence:
    """Return what the gate saw of a version, and what that was made from."""
    facts = [("Version", version)]
    if before:
        facts.append(("Before it", before))
    if model is None:
        return Evidence((*facts, ("Record", "no longer in the topic")), related=related)
    facts += score_lines(model)
    if model.trained_at is not None:
        facts.append(("Trained", when(model.trained_at)))
    if model.newest_training_data_at is not None:
        facts.append(("Newest label learned from", when(model.newest_training_data_at)))
    facts += [*_ranges(model.training_data), ("Format", model.format)]
    if model.note:
        facts.append(("Said of it", model.note))
    return Evidence(tuple(facts), related=related)


def score_lines(model: Model) -> _Facts:
    """Return the numbers behind the gate's verdict."""
    scores = dict(model.scores)
    lines = []
    for name in [name for name in scores if name.startswith("champion-")]:
        loss = name.removeprefix("champion-")
        if loss in scores:
            what = _MEASURES.get(loss, f"{loss} loss")
            lines.append((f"Its {what}", number(scores.pop(loss))))
            lines.append((f"The champion's {what}", number(scores.pop(name))))
    if "rows" in scores:
        lines.append(("Labelled rows compared", number(scores.pop("rows"))))
    if "e-value" in scores:
        lines.append(("Evidence (e-value)", number(scores.pop("e-value"))))
    return (*lines, *((name, number(value)) for name, value in scores.items()))


def _part(alert: Alert, found: WindowBars) -> str:
    if not found.bars or alert.window is None or found.requests >= alert.window.events:
        return ""
    return f"{found.requests:,} of its {many(alert.window.events, 'request')}"


def _feature(one: DriftedFeature) -> Feature:
    name = one.name if one.with_ is None else f"{one.name} with {one.with_}"
    effect = f"{one.effect:+.2f}" + (" sd" if one.aspect in _IN_SD else "")
    psi = "" if one.psi is None else number(one.psi)
    return Feature(name, one.aspect, effect, psi, percent(one.share))


def _offsets(partitions: dict[str, tuple[int, int]]) -> str:
    shown = [f"{name}: {first:,} to {end:,}" for name, (first, end) in list(partitions.items())[:_RANGES]]
    return "; ".join(shown) + (" …" if len(partitions) > _RANGES else "")


def _ranges(data: list[OffsetRange]) -> _Facts:
    if not data:
        return ()
    rows = sum(part.end - part.start for part in data)
    shown = [f"{part.topic} {part.start:,} to {part.end:,}" for part in data[:_RANGES]]
    more = " …" if len(data) > _RANGES else ""
    return (("Trained on", f"{many(rows, 'row')}: {'; '.join(shown)}{more}"),)
