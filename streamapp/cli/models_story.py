"""What ``streamapp models`` prints for people: all versions in a table, or the story of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from streamapp.cli.wrapping import hanging
from streamapp.errors import shown
from streamapp.messages import format_time
from streamapp.models.personal import not_learned_line
from streamapp.wording import many

if TYPE_CHECKING:
    from streamapp.messages import Model
    from streamapp.rollout.history import VersionStory

__all__ = ["age_lines", "privacy_lines", "story_lines", "table_lines"]

_COLUMNS = (
    ("version", 12), ("state", 10), ("served from", 16), ("reason", 8), ("data until", 10), ("loss", 6),
    ("beside", 6),
)  # fmt: skip
_LABEL = 10
_LONGEST = 4_000
_AGES = ((86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"))


def table_lines(stories: Sequence[VersionStory], *, width: int) -> Iterator[str]:
    """Yield a line of facts for each version, and below it why it is in this state.

    Parameters
    ----------
    stories
        In their order.
    width
        Of the terminal; facts take 80 columns.
    """
    yield "  ".join(f"{name:<{size}}" for name, size in _COLUMNS).rstrip()
    for story in stories:
        yield "  ".join(
            f"{shown(cell):<{size}}" for cell, (_, size) in zip(_cells(story), _COLUMNS, strict=True)
        ).rstrip()
        if story.model.note:
            yield from hanging("  ", shown(story.model.note, _LONGEST), width)


def _cells(story: VersionStory) -> tuple[str, ...]:
    model = story.model
    loss, beside = _losses(model) or ("", "")
    return (
        model.version,
        model.state,
        _when(story.reigns[-1].from_ms) if story.reigns else "-",
        _reason(story),
        _when(model.newest_training_data_at)[:10],
        loss,
        beside,
    )


def age_lines(stories: Sequence[VersionStory], *, now_ms: int) -> Iterator[str]:
    """Yield how old the champion is, at wall clock `now_ms`: its training, and what it has learned from."""
    for model in (story.model for story in stories if story.model.state == "champion"):
        times = (("trained", model.trained_at), ("newest data", model.newest_training_data_at))
        ages = [f"{what} {_age(now_ms - at)} ago" for what, at in times if at is not None]
        if ages:
            yield f"{shown(model.version)}: {', '.join(ages)}"


def privacy_lines(stories: Sequence[VersionStory]) -> Iterator[str]:
    """Yield what is off because the champion needs personal columns."""
    for model in (story.model for story in stories if story.model.state == "champion"):
        if model.withheld:
            yield not_learned_line(model.withheld)


def story_lines(story: VersionStory, *, now_ms: int, width: int) -> Iterator[str]:
    """Yield the story of one version, a labelled paragraph for each thing.

    Parameters
    ----------
    story
        Of the version.
    now_ms
        Wall clock, for its age.
    width
        Of the terminal.
    """
    for label, text in _paragraphs(story, now_ms):
        yield from hanging(f"{label:<{_LABEL}}", shown(text, _LONGEST), width)


def _paragraphs(story: VersionStory, now_ms: int) -> Iterator[tuple[str, str]]:
    model = story.model
    yield "version", f"{model.version}, {model.state}, {model.format}"
    for i, reign in enumerate(story.reigns):
        until = "until now" if reign.until_ms is None else f"until {_when(reign.until_ms)}"
        yield "served" if i == 0 else "", f"from {_when(reign.from_ms)} {until}"
    if model.since:
        offsets = ", ".join(
            f"{partition} from offset {offset:,}" for partition, offset in sorted(model.since.items())
        )
        yield "", f"last in partition {offsets}"
    yield "trained", f"{_when(model.trained_at)}, {_why(story)}"
    for i, part in enumerate(model.training_data):
        rows = f"offsets {part.start:,} to {part.end:,} ({part.end - part.start:,} records)"
        yield "data" if i == 0 else "", f"{part.topic} partition {part.partition}, {rows}"
    if model.newest_training_data_at is not None:
        age = _age(now_ms - model.newest_training_data_at)
        yield "newest", f"label given {_when(model.newest_training_data_at)}, {age} ago"
    scores = ", ".join(f"{name} {value:.4g}" for name, value in model.scores.items())
    if scores:
        yield "scores", scores
    if model.note:
        yield "outcome", model.note
    yield "bundle", model.bundle
    yield "sha256", model.sha256


def _reason(story: VersionStory) -> str:
    if story.model.caused_by is None:
        return "-"
    if story.snapshot_of is not None:
        return "snapshot"
    return "?" if story.event is None else story.event.reason


def _why(story: VersionStory) -> str:
    model, event, alert = story.model, story.event, story.alert
    if model.caused_by is None:
        return "brought by a person"
    if story.snapshot_of is not None:
        return f"snapshot of {story.snapshot_of}, which goes on learning"
    if event is None:
        return f"for event {model.caused_by}, which is gone"
    cause = f" ({alert.kind} alert on {alert.subject}: {alert.summary})" if alert is not None else ""
    return f"for {event.reason}{cause}, event {event.id}"


def _losses(model: Model) -> tuple[str, str] | None:
    """Return the loss of a version and that of the champion beside it, as they were compared."""
    for name, value in model.scores.items():
        beside = model.scores.get(f"champion-{name}")
        if beside is not None and name != "predict-ms":
            return f"{value:.4f}", f"{beside:.4f}"
    return None


def _when(time_ms: int | None) -> str:
    return "-" if time_ms is None else format_time(time_ms)[:16].replace("T", " ")


def _age(span_ms: int) -> str:
    for unit_ms, unit in _AGES:
        if span_ms >= unit_ms:
            return many(span_ms // unit_ms, unit)
    return "less than a minute"
