from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from streamapp.cli import COMMANDS, main


@click.command("shows")
def shows() -> None:
    click.secho("ok", fg="green")


@pytest.mark.parametrize(("no_color", "shown"), [("", "\x1b[32mok\x1b[0m\n"), ("1", "ok\n")])
def test_there_are_no_colours_for_who_wants_none(
    no_color: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COMMANDS, "shows", (f"{__name__}:shows", "Show a colour."))
    monkeypatch.setenv("NO_COLOR", no_color)
    assert CliRunner().invoke(main, ["shows"], color=True).stdout == shown
