"""``streamapp models``."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import click

from streamapp.cli.models_story import age_lines, privacy_lines, story_lines, table_lines
from streamapp.cli.options import bootstrap_option, json_option
from streamapp.cli.wrapping import terminal_width
from streamapp.errors import ConfigError, shown
from streamapp.wording import many

if TYPE_CHECKING:
    from streamapp.rollout.history import VersionStory
    from streamapp.runtime.client import Models
    from streamapp.settings import Settings

__all__ = ["command"]

_ACTIONS = ("promote", "rollback")
_WIDTH = 100
"""Off a terminal."""


@click.command("models")
@click.argument("name")
@click.argument("action", metavar="[VERSION | promote VERSION | rollback]", required=False)
@click.argument("version", metavar="", required=False)
@bootstrap_option
@json_option
def command(name: str, action: str | None, version: str | None, *, bootstrap: str, as_json: bool) -> None:
    """List the versions of deployment NAME, tell the story of one, or change which one is champion.

    The list has the champion on top, with its loss and that of the champion it was compared with; VERSION,
    or its first digits, gives all that is known of one. `promote` takes a version or its first digits.
    `rollback` goes back to the champion before this one; done twice, it comes back.

    \b
    Example:
      streamapp models bikes
      streamapp models bikes 7c1f
      streamapp models bikes promote 7c1f0d2a9b44
      streamapp models bikes rollback
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    if (action == "promote") != (version is not None):
        raise click.UsageError("write: VERSION, promote VERSION, rollback, or nothing")
    from streamapp.settings import Settings  # noqa: PLC0415  # not needed for --help

    settings = Settings.of(name=name, bootstrap=bootstrap)
    if action in _ACTIONS:
        _change(settings, version, as_json=as_json)
        return
    from streamapp.runtime.history import read_history  # noqa: PLC0415

    models, stories = asyncio.run(read_history(settings.connection, settings.topics))
    if action is not None:
        _show_one(_find(stories, action), as_json=as_json)
    elif as_json:
        champion = models.champion
        pointer = None if champion is None else champion.model_dump(mode="json")
        click.echo(json.dumps({"champion": pointer, "versions": [story.to_json() for story in stories]}))
    else:
        _show(name, models, stories)


def _change(settings: Settings, version: str | None, *, as_json: bool) -> None:
    from streamapp.runtime.deploy import promote, rollback  # noqa: PLC0415

    change = rollback(settings) if version is None else promote(settings, version)
    before, after = asyncio.run(change)
    if as_json:
        click.echo(json.dumps({"before": before, "champion": after}))
    elif before == after:
        click.echo(f"{after} is the champion of {settings.name} already")
    else:
        click.echo(
            f"{after} is the champion of {settings.name}" + (f", no longer {before}" if before else "")
        )


def _find(stories: list[VersionStory], version: str) -> VersionStory:
    found = [story for story in stories if story.model.version.startswith(version)]
    exact = [story for story in found if story.model.version == version]
    if len(exact or found) != 1:
        known = ", ".join(story.model.version for story in found or stories) or "none"
        problem = "is the beginning of more than one" if found else "is unknown"
        raise ConfigError(f"version {version!r} {problem}; choose one of: {known}")
    return (exact or found)[0]


def _show_one(story: VersionStory, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(story.to_json()))
        return
    for line in story_lines(story, now_ms=time.time_ns() // 1_000_000, width=_width()):
        click.echo(line)


def _show(name: str, models: Models, stories: list[VersionStory]) -> None:
    if not stories:
        click.echo(f"{name} has no versions yet: streamapp deploy {name} BUNDLE")
        return
    for i, line in enumerate(table_lines(stories, width=_width())):
        click.secho(line, bold=i == 0, fg="green" if i == 1 and models.serving is not None else None)
    click.echo("loss: on the rows that it was compared on; beside: the champion's on the same rows")
    click.echo(f"{many(len(stories), 'version')}; streamapp models {name} VERSION tells more of one")
    for line in age_lines(stories, now_ms=time.time_ns() // 1_000_000):
        click.echo(line)
    for line in privacy_lines(stories):
        click.echo(line)
    if models.champion is None:
        click.echo(f"no champion: streamapp models {name} promote VERSION")
    elif models.serving is None:
        click.echo(f"the champion is {shown(models.champion.version)}, of which no record is known")


def _width() -> int:
    return terminal_width() or _WIDTH
