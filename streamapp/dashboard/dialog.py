"""What opens above the page: the evidence behind an entry, or one column."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from nicegui import ui

from streamapp.dashboard.charts import bars_chart
from streamapp.dashboard.elements import ICONS, Chart, Text, box, fill_table, icon, link_button
from streamapp.dashboard.view import Bars, Change, Entry, Evidence
from streamapp.dashboard.words import when

__all__ = ["Evidences"]


class Evidences:
    """One dialog for all.

    Parameters
    ----------
    entry_of
        Finds an entry as it is now; None if it has gone.
    evidence_of
        Finds what stands behind it.
    """

    def __init__(
        self, entry_of: Callable[[str], Entry | None], evidence_of: Callable[[str], Evidence | None]
    ) -> None:
        self._entry_of = entry_of
        self._evidence_of = evidence_of
        with ui.dialog().props('aria-labelledby="dialog-title" transition-duration=0') as self._dialog:
            self._inside = box("article", classes="evidence")

    def open_entry(self, entry_id: str) -> None:
        """Open what stands behind an entry."""
        entry, evidence = self._entry_of(entry_id), self._evidence_of(entry_id)
        if entry is None or evidence is None:
            return
        self._inside.clear()
        with self._inside:
            self._head(entry.title)
            with box("p", classes=f"word {entry.tone}"):
                icon(ICONS[entry.tone])
                Text("strong", entry.state)
                Text("span", when(entry.at_ms))
            if entry.text:
                Text("p", entry.text)
            if evidence.features:
                rows = [(f.name, f.aspect, f.effect, f.psi, f.share) for f in evidence.features]
                heads = ("column", "what of it", "change", "PSI", "share")
                Text("h3", "What drifts, the most certain first")
                fill_table(box("table"), "What drifts", heads, rows, numbers=3)
            if evidence.bars:
                Text("h3", "Then and now, in the alert's window")
                note = "Shares in percent: grey as in the reference, blue in the window."
                partly = f" Partly: {evidence.part} are here." if evidence.part else ""
                Text("p", note + partly, classes="note")
                with box(classes="multiples"):
                    for bars in evidence.bars:
                        _multiple(bars)
            elif evidence.features:
                Text("p", "The distributions of its window are no longer kept by this page.", classes="note")
            Text("h3", "Facts")
            with box("dl", classes="facts"):
                for name, value in evidence.facts:
                    Text("dt", name)
                    Text("dd", value)
            self._related(evidence)
        self._dialog.open()

    def open_column(self, change: Change) -> None:
        """Open one column, then and now."""
        self._inside.clear()
        with self._inside:
            self._head(change.name)
            Text("p", f"{change.text}; effect size {change.size:.2f}, kind {change.kind}.")
            Text("p", "Shares in percent: grey as in the reference, blue now.", classes="note")
            Chart().show(bars_chart(change.bars), f"Distribution of {change.name} then and now.")
            rows = [
                (label, f"{then:.1f}", f"{now:.1f}")
                for label, then, now in zip(
                    change.bars.labels, change.bars.then, change.bars.now, strict=True
                )
            ]
            fill_table(box("table"), "Shares in percent", ("values", "reference", "now"), rows, numbers=2)
        self._dialog.open()

    def _head(self, title: str) -> None:
        with box("header"):
            Text("h2", title).props("id=dialog-title")
            link_button("Close", self._dialog.close, classes="close").props("autofocus")

    def _related(self, evidence: Evidence) -> None:
        found = [(what, self._entry_of(other)) for other, what in evidence.related]
        if not any(other for _, other in found):
            return
        Text("h3", "See also")
        with box("ul"):
            for what, other in found:
                if other is not None:
                    with box("li"):
                        Text("span", f"{what}: ")
                        link_button(other.title, partial(self.open_entry, other.id))


def _multiple(bars: Bars) -> None:
    with box("figure", classes="multiple"):
        with box("figcaption"):
            Text("strong", bars.name)
        Chart(classes="chart small").show(bars_chart(bars), f"Distribution of {bars.name} then and now.")
