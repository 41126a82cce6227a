"""A view for a terminal: the same four answers, numbers and timeline as on the page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from streamapp.dashboard.view import Accuracy, Bars, Change, Models, Tone, Traffic, View
from streamapp.dashboard.words import ago, measured, percent, ranged, when
from streamapp.errors import shown

__all__ = ["render", "spark"]

_SIGNS: dict[Tone, tuple[str, str]] = {
    "good": ("✔", "green"),
    "attention": ("▲", "yellow"),
    "bad": ("✖", "bold red"),
    "unknown": ("?", "dim"),
    "info": ("•", "blue"),
}
"""A sign and a style for each tone: colour never says it alone."""

_CONTACTS = {
    "reading": "reading what is there",
    "live": "live",
    "gone": "no contact with Kafka",
    "failed": "cannot be shown",
}
_LEVELS = "▁▂▃▄▅▆▇█"
_COLUMNS = 6
_BINS = 24
_WIDE = 100
"""From so many characters on each bin has a bar of its own."""


def render(view: View, now_ms: int, *, width: int, entries: int = 8) -> RenderableType:
    """Return a view for rich's console; whatever messages say is shown as text, and obeyed by no terminal.

    What matters most is on top: a terminal may not be high enough for all of it.

    Parameters
    ----------
    view
        Of one deployment.
    now_ms
        The wall clock.
    width
        Of the terminal, in characters.
    entries
        How much of the timeline is shown.
    """
    parts: list[RenderableType] = [
        _head(view, now_ms),
        _answers(view),
        Padding(_numbers(view, now_ms), (1, 0, 0, 0)),
    ]
    if view.timeline:
        parts.append(Padding(_timeline(view, entries), (1, 0, 0, 0)))
    moved = [
        change for change in (*view.drift.columns, *view.drift.outputs) if change.drifts or change.size >= 0.2
    ]
    if moved:
        changes = _changes(moved[:_COLUMNS], is_narrow=width < _WIDE)
        parts.append(Padding(changes, (1, 0, 0, 0)))
    return Group(*parts)


def spark(shares: Sequence[float], most: float) -> str:
    """Return shares as a row of bars, each in eighths of `most`; 0 is a gap.

    Examples
    --------
    >>> spark([0, 1, 2, 4], 4)
    ' ▂▄█'
    """
    if most <= 0:
        return " " * len(shares)
    return "".join(
        " " if share <= 0 else _LEVELS[min(max(round(8 * share / most) - 1, 0), 7)] for share in shares
    )


def _text(text: str, style: str = "") -> Text:
    return Text(shown(text), style=style)


def _head(view: View, now_ms: int) -> RenderableType:
    contact = view.contact
    state = _CONTACTS[contact.state]
    is_stale = contact.state in {"gone", "failed"}
    if is_stale and contact.at_ms is not None:
        state += f" since {when(contact.at_ms)} UTC"
    line = Table.grid(expand=True)
    line.add_column()
    line.add_column(justify="right")
    line.add_row(_text(view.name, "bold"), _text(state, "bold red" if is_stale else "dim"))
    return line


def _answers(view: View) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for answer in view.answers:
        sign, style = _SIGNS[answer.tone]
        table.add_row(
            _text(answer.question, "dim"), _text(f"{sign} {answer.word}", style), _text(answer.text)
        )
    return table


def _numbers(view: View, now_ms: int) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_row(_text("requests", "dim"), _text(_traffic(view.traffic)))
    table.add_row(_text("accuracy", "dim"), _text(_accuracy(view.accuracy)))
    table.add_row(_text("model", "dim"), _text(_models(view.models, now_ms)))
    return table


def _traffic(traffic: Traffic) -> str:
    rates = [point.answered + point.rejected for point in traffic.points[-_BINS:]]
    line = f"{spark(rates, max(rates))} " if rates else ""
    line += f"{traffic.per_s:,.1f} a second"
    if traffic.per_s:
        line += f", {percent(traffic.rejected_share)} rejected"
    if traffic.waiting:
        line += f", {traffic.waiting:,} waiting"
    if traffic.latency_ms is None:
        return line
    half, most = traffic.latency_ms
    return f"{line}; half within {half:,.0f} ms, 99 % within {most:,.0f} ms"


def _accuracy(accuracy: Accuracy) -> str:
    if accuracy.unreadable or not accuracy.own:
        return accuracy.unreadable or accuracy.unmeasured
    newest = accuracy.mature or accuracy.own[-1]
    kind = "" if newest.is_mature else ", early"
    interval = ranged(newest.low, newest.high, is_share=accuracy.is_share)
    said = partial(measured, is_share=accuracy.is_share)
    line = f"{accuracy.measure} {said(newest.mean)} ({interval}{kind})"
    line += f", {percent(newest.coverage)} have labels"
    if newest is not accuracy.own[-1]:
        line += f"; in the newest window, early, {said(accuracy.own[-1].mean)}"
    return line if accuracy.on_holdout is None else f"{line}; {said(accuracy.on_holdout)} on the holdout"


def _models(models: Models, now_ms: int) -> str:
    champion = models.champion
    if champion is None:
        return "there is no champion yet"
    line = f"{champion.version}, {champion.format}"
    if champion.since_ms is not None:
        line += f", since {when(champion.since_ms)} UTC"
    if champion.newest_data_ms is not None:
        line += f"; its newest label is of {ago(champion.newest_data_ms, now_ms)}"
    if models.challengers:
        line += f"; on trial {', '.join(each.version for each in models.challengers[:3])}"
    return line


def _changes(changes: Sequence[Change], *, is_narrow: bool) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_row(*(_text(head, "dim") for head in ("then", "now", "")))
    for change in changes:
        then, now = _bars(change.bars, is_narrow=is_narrow)
        style = _SIGNS["attention"][1] if change.drifts else ""
        said = change.text if change.name in change.text else f"{change.name}: {change.text}"
        table.add_row(_text(then, "dim"), _text(now, "blue"), _text(said, style))
    return table


def _bars(bars: Bars, *, is_narrow: bool) -> tuple[str, str]:
    then, now = bars.then[:_BINS], bars.now[:_BINS]
    if is_narrow and len(then) > _BINS // 2:
        then, now = _in_pairs(then), _in_pairs(now)
    most = max((*then, *now), default=0.0)
    return spark(then, most), spark(now, most)


def _in_pairs(shares: Sequence[float]) -> tuple[float, ...]:
    return tuple(sum(shares[at : at + 2]) for at in range(0, len(shares), 2))


def _timeline(view: View, entries: int) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for entry in view.timeline[:entries]:
        sign, style = _SIGNS[entry.tone]
        line = _text(entry.title).append_text(_text(f"  {entry.text}" if entry.text else "", "dim"))
        line.no_wrap, line.overflow = True, "ellipsis"
        table.add_row(_text(when(entry.at_ms), "dim"), _text(sign, style), line, _text(entry.state, style))
    return table
