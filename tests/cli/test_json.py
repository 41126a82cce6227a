from __future__ import annotations

import click
import pytest

from streamapp.cli import COMMANDS, main

WITHOUT = {
    "demo": "writes a report with --report",
    "broker": "runs until it is ended",
    "run": "runs until it is ended",
    "gateway": "runs until it is ended",
    "dashboard": "runs until it is ended",
    "completion": "prints what a shell reads",
    "metrics": "prints what Prometheus and Grafana read",
    "metrics rules": "YAML",
    "metrics scrape": "YAML",
    "metrics grafana": "JSON",
}
"""Commands that print no data, and what they do instead."""


def commands() -> list[tuple[str, click.Command]]:
    """All commands, with those of groups."""
    context = click.Context(main)
    found = []
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {each}", inner) for each, inner in command.commands.items()]
    return found


@pytest.mark.parametrize(("name", "command"), commands())
def test_what_prints_data_takes_json(name: str, command: click.Command) -> None:
    flags = {flag: option for option in command.params for flag in option.opts}
    assert ("--json" in flags) == (name not in WITHOUT)
    assert "--json" not in flags or flags["--json"].is_flag  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "command"), commands())
def test_help_has_an_example(name: str, command: click.Command) -> None:
    assert f"streamapp {name}" in (command.help or "").partition("Example:")[2]
