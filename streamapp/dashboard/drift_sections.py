"""The sections that lay the newest requests beside the reference: inputs, outputs, correlations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from streamapp.dashboard.charts import bars_chart
from streamapp.dashboard.elements import Chart, Text, box, fill_table, link_button, section
from streamapp.dashboard.view import Change, Drift
from streamapp.dashboard.words import between, many

__all__ = ["ColumnsSection", "CorrelationsSection", "OutputsSection"]

_SLOTS = 6
_OUTPUTS = 3
_KEY = "grey as in the reference, blue now"


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
        if drift.uncompared:
            self._note.show(f"{drift.uncompared[0].upper()}{drift.uncompared[1:]}.")
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
                f"{pair.then:z.2f}",
                f"{pair.now:z.2f}",
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
