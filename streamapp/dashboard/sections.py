"""The sections of the page. Each is built once, and afterwards shown what has changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from nicegui import ui

from streamapp.dashboard.charts import accuracy_chart, bars_chart, traffic_chart
from streamapp.dashboard.elements import ICONS, Chart, Text, box, fill_table, icon, link_button, section
from streamapp.dashboard.view import (
    Accuracy,
    Answer,
    Change,
    Drift,
    Entry,
    Models,
    Tone,
    Traffic,
    VersionLine,
)
from streamapp.dashboard.words import ago, between, lasting, many, number, percent, when

__all__ = [
    "AccuracySection",
    "AnswersSection",
    "ColumnsSection",
    "CorrelationsSection",
    "ModelsSection",
    "OutputsSection",
    "TimelineSection",
    "TrafficSection",
]

_SLOTS = 6
_OUTPUTS = 3
_KEY = "grey as in the reference, blue now"


class AnswersSection:
    """The four answers at the top."""

    def __init__(self) -> None:
        self._slots: list[tuple[ui.element, ui.icon, Text, Text, Text]] = []
        with box("section", classes="answers").props('aria-label="At a glance"'):
            for _ in range(4):
                with box(classes="answer") as made:
                    question = Text("h2")
                    with box("p", classes="word"):
                        sign = icon(ICONS["unknown"])
                        word = Text("strong")
                    text = Text("p", classes="why")
                self._slots.append((made, sign, question, word, text))

    def show(self, answers: tuple[Answer, ...]) -> None:
        """Show them."""
        for (made, sign, question, word, text), answer in zip(self._slots, answers, strict=True):
            made.classes(replace=f"answer {answer.tone}")
            sign.set_name(ICONS[answer.tone])
            question.show(answer.question)
            word.show(answer.word)
            text.show(answer.text)


class TrafficSection:
    """Requests a second, and latency."""

    def __init__(self) -> None:
        with section("traffic", "Requests", classes="traffic"):
            self._figures = _Figures("a second", "median latency", "99 % within", "rejected")
            self._chart = Chart()
            self._note = Text("p", classes="note")

    def show(self, traffic: Traffic) -> None:
        """Show it."""
        p50, p99 = traffic.latency_ms or (None, None)
        self._figures.show(
            number(traffic.per_s),
            "-" if p50 is None else f"{p50:,.0f} ms",
            "-" if p99 is None else f"{p99:,.0f} ms",
            percent(traffic.rejected_share),
        )
        self._chart.show(traffic_chart(traffic), f"Requests a second over time, now {number(traffic.per_s)}.")
        self._chart.set_visibility(bool(traffic.points))
        if traffic.points:
            whole = lasting(traffic.width_s * 1_000 * len(traffic.points))
            self._note.show(
                f"Requests a second in the last {whole}, {lasting(traffic.width_s * 1_000)} a point."
            )
        else:
            self._note.show("Nothing has been answered yet.")


class AccuracySection:
    """How often answers are right, and what is not known of that yet."""

    def __init__(self) -> None:
        with section("accuracy", "Accuracy", classes="accuracy"):
            self._figures = _Figures("mature window", "95 % interval", "holdout", "have labels")
            self._chart = Chart()
            self._note = Text("p", classes="note")
            with box("details") as self._more:
                Text("summary", "More numbers")
                self._table = box("table")
        self._rows: tuple[tuple[str, ...], ...] = ()

    def show(self, accuracy: Accuracy) -> None:
        """Show it."""
        shown = percent if accuracy.is_share else number
        mature = [window for window in accuracy.windows if window.is_mature]
        last = mature[-1] if mature else None
        holdout = accuracy.on_holdout
        self._figures.show(
            "-" if last is None else shown(last.mean),
            "-" if last is None else f"{_bare(shown(last.low))} to {shown(last.high)}",
            "-" if holdout is None else shown(holdout),
            "-" if accuracy.coverage is None else percent(accuracy.coverage),
        )
        sentence = f"{accuracy.measure} by window of answers: " + (
            ", ".join(shown(window.mean) for window in accuracy.windows) or "no labels yet"
        )
        self._chart.show(accuracy_chart(accuracy), sentence)
        self._chart.set_visibility(bool(accuracy.windows))
        self._note.show(_accuracy_note(accuracy))
        rows = tuple((name, number(value), many(accuracy.rows, "row")) for name, value in accuracy.numbers)
        rows += tuple((name, number(loss), many(count, "row")) for name, loss, count in accuracy.segments)
        self._more.set_visibility(bool(rows))
        if rows != self._rows:
            self._rows = rows
            fill_table(
                self._table,
                "Numbers of the newest labelled rows",
                ("newest labels", "value", "over"),
                rows,
                numbers=2,
            )


class ModelsSection:
    """The champion, its challengers, its age."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._shown: tuple[Models, str] | None = None
        with section("models", "Model"):
            self._inside = box()

    def show(self, models: Models) -> None:
        """Show it."""
        now_ms = self._now_ms()
        champion = models.champion
        age = (
            ""
            if champion is None or champion.newest_data_ms is None
            else ago(champion.newest_data_ms, now_ms)
        )
        if (models, age) == self._shown:
            return
        self._shown = models, age
        self._inside.clear()
        with self._inside:
            if champion is None:
                Text("p", "No version answers yet.")
            else:
                _version(champion, age)
            if models.challengers:
                Text("h3", "On trial")
                for challenger in models.challengers:
                    _version(challenger, "")
            if models.others:
                Text("p", f"{many(models.others, 'other version')}: streamapp models.", classes="note")


class ColumnsSection:
    """The columns that have changed most, then and now, and a line for every column."""

    def __init__(self, open_column: Callable[[Change], None]) -> None:
        self._open = open_column
        self._changes: dict[str, Change] = {}
        self._lines: dict[str, tuple[Text, Text, Text]] = {}
        with section("columns", "Inputs, then and now", classes="wide"):
            self._note = Text("p", classes="note")
            with box(classes="multiples"):
                self._slots = [_Multiple() for _ in range(_SLOTS)]
            with box("details") as self._all:
                self._summary = Text("summary", "All columns")
                self._table = box("table")

    def show(self, drift: Drift) -> None:
        """Show it."""
        _tell(self._note, drift)
        for i, slot in enumerate(self._slots):
            slot.show(drift.columns[i] if i < len(drift.columns) else None)
        self._all.set_visibility(bool(drift.columns))
        by_name = {change.name: change for change in sorted(drift.columns, key=lambda each: each.name)}
        self._changes = by_name
        self._summary.show(f"All {many(len(by_name), 'column')}")
        if list(by_name) != list(self._lines):
            self._build(by_name)
        for name, (state, size, text) in self._lines.items():
            change = by_name[name]
            state.show("drifts" if change.drifts else "")
            size.show(f"{change.size:.2f}")
            text.show(change.text)

    def _open_line(self, name: str) -> None:
        self._open(self._changes[name])

    def _build(self, changes: dict[str, Change]) -> None:
        self._table.clear()
        self._lines = {}
        with self._table:
            Text("caption", "Every column beside its reference", classes="unseen")
            with box("thead"), box("tr"):
                for head in ("column", "change", "size", ""):
                    Text("th", head, classes="number" if head == "size" else "").props("scope=col")
            with box("tbody"):
                for name in changes:
                    with box("tr"):
                        with box("th").props("scope=row"):
                            link_button(name, partial(self._open_line, name))
                        text = Text("td")
                        size = Text("td", classes="number")
                        self._lines[name] = (Text("td", classes="state"), size, text)


class OutputsSection:
    """What the model says, then and now."""

    def __init__(self) -> None:
        with section("outputs", "Outputs, then and now", classes="wide"):
            self._note = Text("p", classes="note")
            with box(classes="multiples"):
                self._slots = [_Multiple() for _ in range(_OUTPUTS)]

    def show(self, drift: Drift) -> None:
        """Show it."""
        if drift.requests and not drift.outputs:
            self._note.show("No baseline yet: the first 2,000 answers will be it.")
        else:
            _tell(self._note, drift)
        for i, slot in enumerate(self._slots):
            slot.show(drift.outputs[i] if i < len(drift.outputs) else None)


class CorrelationsSection:
    """The pairs of columns whose correlation has changed most."""

    def __init__(self) -> None:
        with section("correlations", "Correlations"):
            self._note = Text("p", classes="note")
            self._table = box("table")
        self._rows: list[tuple[str, str, str, str]] | None = None

    def show(self, drift: Drift) -> None:
        """Show it."""
        rows = [
            (
                f"{pair.first} ~ {pair.second}",
                "drifts" if pair.drifts else "",
                f"{pair.then:.2f}",
                f"{pair.now:.2f}",
            )
            for pair in drift.pairs
        ]
        if rows == self._rows:
            return
        self._rows = rows
        if not rows:
            self._note.show("There are no pairs of numeric columns to compare yet.")
            self._table.clear()
            return
        more = (
            f"The {len(rows)} most changed of {drift.watched_pairs:,}."
            if drift.watched_pairs > len(rows)
            else ""
        )
        self._note.show(f"Rank correlations in the reference and in the newest requests. {more}")
        fill_table(self._table, "Correlations", ("columns", "", "reference", "now"), rows, numbers=2)


class TimelineSection:
    """What happened, the latest first; each entry opens what stands behind it."""

    def __init__(self, open_entry: Callable[[str], None]) -> None:
        self._open = open_entry
        self._lines: dict[str, _Line] = {}
        with section("timeline", "What happened", classes="timeline") as self.made:
            self._empty = Text("p", "Nothing yet: no alert, no training.", classes="note")
            self._list = box("ol")

    def show(self, entries: tuple[Entry, ...]) -> None:
        """Show it: what is there already stays where a keyboard has found it."""
        self._empty.set_visibility(not entries)
        wanted = {entry.id: entry for entry in entries}
        for gone in self._lines.keys() - wanted.keys():
            self._lines.pop(gone).made.delete()
        for place, entry in enumerate(entries):
            line = self._lines.get(entry.id)
            if line is None:
                with self._list:
                    line = self._lines[entry.id] = _Line(self._open, entry.id)
                line.made.move(self._list, target_index=place)
            line.show(entry)


class _Line:
    def __init__(self, open_entry: Callable[[str], None], entry_id: str) -> None:
        self._tone: Tone | None = None
        with box("li") as self.made, box("button", classes="entry").props("type=button") as self._button:
            self._sign = icon(ICONS["info"])
            with box("span", classes="what"):
                self._title = Text("strong")
                self._text = Text("span", classes="why")
            with box("span", classes="aside"):
                self._state = Text("span", classes="state")
                self._when = Text("span")
        self._button.on("click", lambda: open_entry(entry_id))

    def show(self, entry: Entry) -> None:
        if entry.tone != self._tone:
            self._tone = entry.tone
            self._button.classes(replace=f"entry {entry.tone}")
            self._sign.set_name(ICONS[entry.tone])
        self._title.show(entry.title)
        self._text.show(entry.text)
        self._state.show(entry.state)
        self._when.show(when(entry.at_ms))


class _Figures:
    """Large numbers in a row, each with what it is."""

    def __init__(self, *names: str) -> None:
        self._values = []
        with box("dl", classes="figures"):
            for name in names:
                with box():
                    Text("dt", name)
                    self._values.append(Text("dd", "-"))

    def show(self, *values: str) -> None:
        for element, value in zip(self._values, values, strict=True):
            element.show(value)


class _Multiple:
    """One of several small charts."""

    def __init__(self) -> None:
        with box("figure", classes="multiple") as self._made:
            with box("figcaption"):
                self._name = Text("strong")
                self._state = Text("span", classes="state")
                self._text = Text("span", classes="why")
            self._chart = Chart(classes="chart small")
        self._made.set_visibility(False)

    def show(self, change: Change | None) -> None:
        self._made.set_visibility(change is not None)
        if change is None:
            return
        self._made.classes(replace="multiple drifts" if change.drifts else "multiple")
        self._name.show(change.name)
        self._state.show("drifts" if change.drifts else "")
        self._text.show(change.text)
        self._chart.show(bars_chart(change.bars), f"Distribution of {change.name}: {change.text}.")


def _tell(note: Text, drift: Drift) -> None:
    if not drift.requests or drift.from_ms is None or drift.to_ms is None:
        note.show(drift.unreadable or "There are no requests to compare yet.")
        return
    note.show(
        f"Shares in percent: {_KEY}, in {many(drift.requests, 'request')}, "
        f"{between(drift.from_ms, drift.to_ms)}."
    )


def _version(line: VersionLine, age: str) -> None:
    facts = [
        ("State", line.state),
        ("Since", "" if line.since_ms is None else when(line.since_ms)),
        ("Trained", "" if line.trained_ms is None else when(line.trained_ms)),
        (
            "Newest label learned from",
            "" if line.newest_data_ms is None else when(line.newest_data_ms) + (f", {age}" if age else ""),
        ),
        *line.scores,
    ]
    Text("p", line.version, classes="version")
    with box("dl", classes="facts"):
        for name, value in facts:
            if value:
                Text("dt", name)
                Text("dd", value)
    if line.note:
        Text("p", line.note, classes="note")


def _bare(share: str) -> str:
    return share.removesuffix(" %")


def _accuracy_note(accuracy: Accuracy) -> str:
    if accuracy.unreadable:
        return accuracy.unreadable
    told = []
    if accuracy.windows:
        told.append("Each point is a window of answers with its 95 % interval; hollow ones are early")
        if accuracy.on_holdout is not None:
            told.append("dashed: on the holdout")
        if accuracy.label_age_ms is not None:
            told.append(f"half of the labels come within {lasting(accuracy.label_age_ms)}")
    else:
        told.append("No labels yet")
    if accuracy.estimate is not None:
        mean, low, high, state = accuracy.estimate
        told.append(
            f"by confidence alone {percent(mean)} of the newest answers are right "
            f"({percent(low)} to {percent(high)}; {state})"
        )
    return "; ".join(told) + "."
