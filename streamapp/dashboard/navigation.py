"""The links to the other deployments, each with how it is there."""

from __future__ import annotations

from collections.abc import Mapping

from nicegui import ui

from streamapp.dashboard.elements import ICONS, Text, box, icon
from streamapp.dashboard.view import Tone

__all__ = ["Navigation"]

_WORDS: dict[Tone, str] = {
    "good": "well",
    "attention": "needs attention",
    "bad": "bad",
    "unknown": "not known here yet",
    "info": "well",
}


class Navigation:
    """Links, changed in place: a keyboard stays where it is.

    Parameters
    ----------
    current
        The deployment whose page this is.
    """

    def __init__(self, current: str) -> None:
        self._current = current
        self._links: dict[str, _Link] = {}
        self._inside = box("nav").props('aria-label="Deployments"')

    def show(self, tones: Mapping[str, Tone]) -> None:
        """Show the deployments, each with the worst of what its page answers; one alone needs no link."""
        if list(tones) != list(self._links):
            self._inside.clear()
            with self._inside:
                self._links = {name: _Link(name, is_current=name == self._current) for name in tones}
            self._inside.set_visibility(len(tones) > 1)
        for name, tone in tones.items():
            self._links[name].show(tone)


class _Link:
    def __init__(self, name: str, *, is_current: bool) -> None:
        self._tone: Tone | None = None
        self._made = ui.element("a").props(f'href="/{name}"' + (' aria-current="page"' if is_current else ""))
        with self._made:
            self._sign = icon(ICONS["unknown"])
            Text("span", name)
            self._word = Text("span", classes="unseen")

    def show(self, tone: Tone) -> None:
        if tone == self._tone:
            return
        self._tone = tone
        self._made.classes(replace=tone)
        self._made.props(f'title="{_WORDS[tone]}"')
        self._sign.set_name(ICONS[tone])
        self._word.show(f", {_WORDS[tone]}")
