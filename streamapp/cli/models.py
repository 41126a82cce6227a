"""``streamapp models``."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from streamapp.cli.options import bootstrap_option, json_option

if TYPE_CHECKING:
    from streamapp.messages import Model
    from streamapp.runtime.client import Models

__all__ = ["command"]


@click.command("models")
@click.argument("name")
@click.argument("action", type=click.Choice(["promote", "rollback"]), required=False)
@click.argument("version", required=False)
@bootstrap_option
@json_option
def command(name: str, action: str | None, version: str | None, *, bootstrap: str, as_json: bool) -> None:
    """List the versions of deployment NAME, or change which one is champion.

    `promote` takes a version or its first digits. `rollback` goes back to the champion before this one; done
    twice, it comes back.

    \b
    Example:
      streamapp models bikes
      streamapp models bikes promote 7c1f0d2a9b44
      streamapp models bikes rollback
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    if (action == "promote") != (version is not None):
        raise click.UsageError("write: promote VERSION, rollback, or neither")
    from streamapp.runtime.client import latest_models  # noqa: PLC0415  # not needed for --help
    from streamapp.runtime.deploy import promote, rollback  # noqa: PLC0415
    from streamapp.settings import Settings  # noqa: PLC0415

    settings = Settings.of(name=name, bootstrap=bootstrap)
    if action is None:
        models = asyncio.run(latest_models(bootstrap, settings.topics))
        listed = _listed(models)
        if as_json:
            click.echo(json.dumps(listed))
        else:
            _show(name, models, listed)
        return
    change = rollback(settings) if version is None else promote(settings, version)
    before, after = asyncio.run(change)
    if as_json:
        click.echo(json.dumps({"before": before, "champion": after}))
    elif before == after:
        click.echo(f"{after} is the champion of {name} already")
    else:
        click.echo(f"{after} is the champion of {name}" + (f", no longer {before}" if before else ""))


def _listed(models: Models) -> dict[str, Any]:
    """Return what ``--json`` prints: the pointer, and every version with the state that holds now."""
    from streamapp.runtime.deploy import effective_state  # noqa: PLC0415

    champion = models.champion
    return {
        "champion": None if champion is None else champion.model_dump(mode="json"),
        "versions": [
            model.model_copy(update={"state": effective_state(model, champion)}).model_dump(mode="json")
            for model in sorted(models.versions.values(), key=_age, reverse=True)
        ],
    }


def _age(model: Model) -> tuple[int, str]:
    return model.trained_at or 0, model.version


def _show(name: str, models: Models, listed: dict[str, Any]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    if not models.versions:
        click.echo(f"{name} has no versions yet: streamapp deploy {name} BUNDLE")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("version", "state", "trained", "newest data", "since", "scores", "format", "note"):
        table.add_column(column, no_wrap=column in {"version", "state"})
    for model in listed["versions"]:
        is_champion = model["state"] == "champion"
        table.add_row(
            model["version"],
            model["state"],
            model["trained_at"] or "-",
            model["newest_training_data_at"] or "-",
            ", ".join(f"{partition}:{offset}" for partition, offset in model["since"].items()) or "-",
            ", ".join(f"{score} {value:.4g}" for score, value in model["scores"].items()) or "-",
            model["format"],
            model["note"] or "",
            style="green" if is_champion else None,
        )
    # Off a terminal, nobody wants lines cut to some assumed width.
    width = None if sys.stdout.isatty() else 1_000
    Console(markup=False, highlight=False, width=width).print(table)
    if models.champion is None:
        click.echo(f"no champion: streamapp models {name} promote VERSION")
    elif models.serving is None:
        click.echo(f"the champion is {models.champion.version}, of which no record is known")
