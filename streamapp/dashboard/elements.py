"""The few kinds of elements that the page is made of: plain HTML, so that its structure can be heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from streamapp.dashboard.view import Tone

__all__ = ["ICONS", "Chart", "Text", "box", "fill_table", "icon", "link_button", "section"]

ICONS: dict[Tone, str] = {
    "good": "check_circle",
    "attention": "warning",
    "bad": "error",
    "unknown": "help",
    "info": "info",
}


class Text(TextElement):
    """An element with text, always shown as text, whatever stands in it.

    Parameters
    ----------
    tag
        Of HTML.
    text
        Its own.
    classes
        Of the style sheet.
    """

    def __init__(self, tag: str, text: str = "", *, classes: str = "") -> None:
        super().__init__(tag=tag, text=text)
        self.classes(classes)

    def show(self, text: str) -> None:
        """Change the text, if it is another."""
        if text != self.text:
            self.set_text(text)


def box(tag: str = "div", *, classes: str = "") -> ui.element:
    """Return an element for others."""
    return ui.element(tag).classes(classes)


def icon(name: str, *, classes: str = "") -> ui.icon:
    """Return an icon, which says nothing that the text beside it does not say."""
    return ui.icon(name).props("aria-hidden=true").classes(classes)


@contextmanager
def section(key: str, title: str, *, classes: str = "") -> Iterator[ui.element]:
    """Give a card with a heading, as a landmark."""
    with box("section", classes=f"card {classes}") as made:
        made.props(f"aria-labelledby=heading-{key}")
        Text("h2", title).props(f"id=heading-{key}")
        yield made


def link_button(text: str, on_click: Callable[[], Any], *, classes: str = "") -> ui.element:
    """Return a button with plain text."""
    button = Text("button", text, classes=f"link {classes}").props("type=button")
    button.on("click", on_click)
    return button


def fill_table(
    table: ui.element, caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: int = 0
) -> None:
    """Fill a table anew.

    Parameters
    ----------
    table
        An element of that tag.
    caption
        Read out, not seen.
    heads
        Of the columns.
    rows
        Texts; the first cell of a row is its heading.
    numbers
        So many columns at the end are numbers.
    """
    table.clear()
    first_number = len(heads) - numbers
    with table:
        Text("caption", caption, classes="unseen")
        with box("thead"), box("tr"):
            for i, head in enumerate(heads):
                Text("th", head, classes="number" if i >= first_number else "").props("scope=col")
        with box("tbody"):
            for row in rows:
                with box("tr"):
                    for i, cell in enumerate(row):
                        if i == 0:
                            Text("th", cell).props("scope=row")
                        else:
                            Text("td", cell, classes="number" if i >= first_number else "")


class Chart:
    """A chart that is changed in place, with a sentence for those who do not see it.

    Parameters
    ----------
    classes
        Of the style sheet.
    """

    def __init__(self, *, classes: str = "chart") -> None:
        self._options: dict[str, Any] = {}
        self._element = ui.echart({"series": []}, renderer="svg").classes(classes).props("role=img")

    def set_visibility(self, visible: bool) -> None:
        """Show it, or leave no room for it."""
        self._element.set_visibility(visible)

    def show(self, options: dict[str, Any], sentence: str) -> None:
        """Draw, if it is another picture."""
        if options == self._options:
            return
        self._options = options
        self._element.options.clear()
        self._element.options.update(options)
        self._element.props["aria-label"] = sentence
        self._element.update()
