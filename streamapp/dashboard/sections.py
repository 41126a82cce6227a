"""The sections of the page. Each is built once, and afterwards shown what has changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from nicegui import ui

from streamapp.dashboard.charts import accuracy_chart, latency_chart, traffic_chart
from streamapp.dashboard.elements import ICONS, Chart, Text, box, fill_table, icon, section
from streamapp.dashboard.view import (
    Accuracy,
    Answer,
    Entry,
    Models,
    Tone,
    Traffic,
    VersionLine,
)
from streamapp.dashboard.words import ago, estimated, lasting, many, measured, number, percent, ranged, when

__all__ = [
    "AccuracySection",
    "AnswersSection",
    "ModelsSection",
    "TimelineSection",
    "TrafficSection",
    "accuracy_note",
]


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
    """Requests a second, latency, and what waits."""

    def __init__(self) -> None:
        with section("traffic", "Requests", classes="traffic"):
            self._figures = _Figures("a second", "median latency", "99 % within", "rejected", "waiting")
            self._chart = Chart()
            self._note = Text("p", classes="note")
            self._latency = Chart()
            self._latency_note = Text(
                "p", "Latency in ms: blue half of the answers, grey 99 % of them.", classes="note"
            )

    def show(self, traffic: Traffic) -> None:
        """Show it."""
        p50, p99 = ("-", "-") if traffic.latency_ms is None else map(_ms, traffic.latency_ms)
        self._figures.show(
            number(traffic.per_s),
            p50,
            p99,
            percent(traffic.rejected_share) if traffic.per_s else "-",
            "-" if traffic.waiting is None else f"{traffic.waiting:,}",
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
        is_timed = any(point.latency_ms for point in traffic.points)
        self._latency.set_visibility(is_timed)
        self._latency_note.set_visibility(is_timed)
        if is_timed:
            self._latency.show(
                latency_chart(traffic), f"Latency over time, now half within {p50}, 99 % {p99}."
            )


class AccuracySection:
    """How often answers are right, and what is not known of that yet."""

    def __init__(self) -> None:
        with section("accuracy", "Accuracy", classes="accuracy"):
            self._figures = _Figures(
                "mature window", "95 % interval", "newest, early", "holdout", "have labels"
            )
            self._chart = Chart()
            self._note = Text("p", classes="note")
            with box("details") as self._more:
                Text("summary", "More numbers")
                self._table = box("table")
        self._rows: tuple[tuple[str, ...], ...] = ()

    def show(self, accuracy: Accuracy) -> None:
        """Show it."""
        shown = partial(measured, is_share=accuracy.is_share)
        last = accuracy.mature
        holdout = accuracy.on_holdout
        early = accuracy.own[-1] if accuracy.own and not accuracy.own[-1].is_mature else None
        self._figures.show(
            "-" if last is None else shown(last.mean),
            "-" if last is None else ranged(last.low, last.high, is_share=accuracy.is_share),
            "" if early is None else shown(early.mean),
            "-" if holdout is None else shown(holdout),
            "-" if accuracy.coverage is None else percent(accuracy.coverage),
        )
        sentence = f"{accuracy.measure} by window of answers: " + (
            ", ".join(shown(window.mean) for window in accuracy.windows) or accuracy.unmeasured
        )
        self._chart.show(accuracy_chart(accuracy), sentence)
        self._chart.set_visibility(bool(accuracy.windows))
        self._note.show(accuracy_note(accuracy))
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

    def __init__(self) -> None:
        self._shown: tuple[Models, str] | None = None
        with section("models", "Model"):
            self._inside = box()

    def show(self, models: Models, now_ms: int) -> None:
        """Show it at stream time `now_ms`: in a replay the wall clock makes everything old."""
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


class TimelineSection:
    """What happened, the latest first; each entry opens what stands behind it."""

    def __init__(self, open_entry: Callable[[str], None]) -> None:
        self._open = open_entry
        self._lines: dict[str, _Line] = {}
        with section("timeline", "What happened", classes="timeline") as self.made:
            Text("p", "Times are in UTC.", classes="note")
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
    """Large numbers in a row, each with what it is; those without a value are left out."""

    def __init__(self, *names: str) -> None:
        self._values = []
        with box("dl", classes="figures"):
            for name in names:
                with box() as made:
                    Text("dt", name)
                    self._values.append((made, Text("dd", "-")))

    def show(self, *values: str) -> None:
        for (made, element), value in zip(self._values, values, strict=True):
            made.set_visibility(bool(value))
            element.show(value)


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


def _ms(latency_ms: float) -> str:
    return f"{latency_ms:,.0f} ms"


def accuracy_note(accuracy: Accuracy) -> str:
    """Return what stands below the chart: how to read it, and what it leaves out."""
    if accuracy.unreadable:
        return accuracy.unreadable
    told = []
    if accuracy.windows:
        told.append("Each point is a window of answers with its 95 % interval; hollow ones are early")
        if accuracy.on_holdout is not None:
            told.append("dashed: on the holdout")
        if accuracy.label_age_ms is not None:
            told.append(f"half of the labels come within {lasting(accuracy.label_age_ms)}")
        if accuracy.read_from_ms is not None:
            told.append(
                f"labels of {when(accuracy.read_from_ms)} and later are read here, "
                "so windows are not cut where those of /quality are"
            )
    else:
        told.append(accuracy.unmeasured[0].upper() + accuracy.unmeasured[1:])
    if accuracy.estimate is not None:
        told.append(estimated(*accuracy.estimate))
    return "; ".join(told) + "."
