"""The page: built once for each browser, then shown what is new every second."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, RedirectResponse
from nicegui import ui

from streamapp.dashboard.boards import Boards
from streamapp.dashboard.dialog import Evidences
from streamapp.dashboard.drift_sections import ColumnsSection, CorrelationsSection, OutputsSection
from streamapp.dashboard.elements import Text, box
from streamapp.dashboard.guard import HEALTH
from streamapp.dashboard.navigation import Navigation
from streamapp.dashboard.sections import (
    AccuracySection,
    AnswersSection,
    ModelsSection,
    TimelineSection,
    TrafficSection,
)
from streamapp.dashboard.view import Contact, Entry, Evidence
from streamapp.messages import format_time

__all__ = ["create_app"]

_EVERY_S = 1.0
_STYLE = Path(__file__).with_name("style.css")
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path fill="#1f6feb" '
    'd="M3 17l5-6 4 3 6-9 3 2-8 12-4-3-3 4z"/></svg>'
)


def create_app(boards: Boards) -> FastAPI:
    """Return the application that serves a page for each of `boards`.

    NiceGUI knows one application in a process; the last one that was made is it.
    """
    app = FastAPI(openapi_url=None)
    style = f"<style>{_STYLE.read_text(encoding='utf-8')}</style>"

    @app.get(HEALTH)
    async def health() -> PlainTextResponse:
        fault = boards.fault()
        return PlainTextResponse(f"{fault or 'ok'}\n", 200 if fault is None else 503)

    @ui.page("/")
    def first() -> RedirectResponse | None:
        if boards.names:
            return RedirectResponse(f"/{boards.names[0]}")
        ui.add_head_html(style)
        _none()
        return None

    @ui.page("/{name}")
    def page(name: str) -> None:
        ui.add_head_html(style)
        if name not in boards.names:
            _unknown(name, boards.names)
            return
        ui.page_title(f"{name}: streamapp")
        _Page(name, boards)

    ui.run_with(
        app,
        title="streamapp",
        favicon=_ICON,
        dark=None,  # as the browser is set
        language="en-US",
        binding_refresh_interval=None,
        tailwind=False,
        show_welcome_message=False,
    )
    return app


class _Page:
    def __init__(self, name: str, boards: Boards) -> None:
        self._name = name
        self._boards = boards
        self._entries: dict[str, Entry] = {}
        with box("header", classes="top"):
            Text("h1", name)
            self._navigation = Navigation(name)
            self._champion = Text("p", classes="status")
            self._status = Text("p", classes="status").props("role=status")
        self._dialog = Evidences(self._entries.get, self._evidence_of)
        with box(classes="page") as self._body:
            self._answers = AnswersSection()
            with box(classes="columns"):
                with box(classes="main"):
                    self._accuracy = AccuracySection()
                    self._traffic = TrafficSection()
                    self._columns = ColumnsSection(self._dialog.open_column)
                    self._outputs = OutputsSection()
                    self._models = ModelsSection()
                    self._correlations = CorrelationsSection()
                with box(classes="side"):
                    self._timeline = TimelineSection(self._dialog.open_entry)
        ui.skip_link("To what happened", target=self._timeline.made)
        self._show()
        ui.timer(_EVERY_S, self._show, immediate=False)

    def _show(self) -> None:
        board = self._boards.get(self._name)
        view = board.view()
        self._navigation.show({other: self._boards.tone(other) for other in self._boards.names})
        self._entries.clear()
        self._entries.update((entry.id, entry) for entry in view.timeline)
        self._status.show(_status(view.contact))
        champion = view.models.champion
        self._champion.show("" if champion is None else f"champion {champion.version}")
        self._body.classes(replace="page gone" if view.contact.state in {"gone", "failed"} else "page")
        self._answers.show(view.answers)
        self._accuracy.show(view.accuracy)
        self._traffic.show(view.traffic)
        self._columns.show(view.drift)
        self._outputs.show(view.drift)
        self._correlations.show(view.drift)
        self._models.show(view.models, view.drift.to_ms or board.now_ms)
        self._timeline.show(view.timeline)

    def _evidence_of(self, entry_id: str) -> Evidence | None:
        return self._boards.get(self._name).state.evidence(entry_id)


def _status(contact: Contact) -> str:
    at = "" if contact.at_ms is None else f"{format_time(contact.at_ms)[11:16]} UTC"
    if contact.state == "gone":
        return f"No contact with Kafka{f' since {at}' if at else ''}"
    if contact.state == "failed":
        return f"Cannot be shown{f' since {at}' if at else ''}"
    return "Reading the topics" if contact.state == "reading" else f"Live, {at}"


def _none() -> None:
    with box("header", classes="top"):
        Text("h1", "No deployment")
    Text("p", "There is none on this cluster now: streamapp deploy NAME BUNDLE creates one.")


def _unknown(name: str, names: tuple[str, ...]) -> None:
    with box("header", classes="top"):
        Text("h1", "No such deployment")
    Text("p", f"{name} is not shown here. There are:")
    with box("ul"):
        for other in names:
            with box("li"):
                Text("a", other).props(f'href="/{other}"')
