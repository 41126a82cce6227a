"""``streamapp delete``."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from streamapp.cli.options import bootstrap_option, json_option, store_option
from streamapp.errors import ConfigError, shown

if TYPE_CHECKING:
    from streamapp.runtime.deletion import Holdings

__all__ = ["command"]


@click.command("delete")
@click.argument("name")
@click.option("--bundles", is_flag=True, help="Delete its bundles in the store, too.")
@click.option("--dry-run", is_flag=True, help="Delete nothing, say what would be deleted.")
@click.option("--yes", is_flag=True, help="Do not ask for the name.")
@bootstrap_option
@store_option
@json_option
def command(
    name: str, *, bundles: bool, dry_run: bool, yes: bool, bootstrap: str, store: str, as_json: bool
) -> None:
    """Delete deployment NAME: its topics with all that is in them, its consumer groups, its state.

    Shows what there is, and asks for the name. While a role runs nothing is deleted. Bundles stay, unless
    --bundles is given; those that another deployment has, or that lie outside the store, stay in any case.

    \b
    Example:
      streamapp delete bikes --dry-run
      streamapp delete bikes --bundles
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    if as_json and not (dry_run or yes):
        raise click.UsageError("--json does not ask: give --dry-run or --yes with it")
    from streamapp.runtime.deletion import delete_deployment, find_holdings  # noqa: PLC0415  # not for --help
    from streamapp.settings import Settings  # noqa: PLC0415

    settings = Settings.of(name=name, bootstrap=bootstrap, store=store)
    holdings = asyncio.run(find_holdings(settings, bundles=bundles))
    if holdings.is_empty:
        raise ConfigError(f"there is nothing of {name} on {bootstrap} or in {settings.state_dir}")
    if as_json:
        fields = _fields(holdings)
    else:
        _show(holdings)
    if not dry_run:
        if not yes and not holdings.members:
            _ask(name)
        asyncio.run(delete_deployment(settings, holdings))
    if as_json:
        click.echo(json.dumps(fields | {"deleted": not dry_run}))
    elif not dry_run:
        click.echo(
            f"{name} is deleted; on other machines its state is left, in {name} of STREAMAPP_STATE_DIR"
        )


def _fields(holdings: Holdings) -> dict[str, Any]:
    return {
        "topics": holdings.topics,
        "groups": holdings.groups,
        "members": holdings.members,
        "folders": [str(folder) for folder in holdings.folders],
        "bundles": holdings.bundles,
        "kept": holdings.kept,
    }


def _show(holdings: Holdings) -> None:
    for topic in holdings.topics:
        click.echo(f"topic   {topic}")
    for group in holdings.groups:
        click.echo(f"group   {group}")
    for folder in holdings.folders:
        click.echo(f"state   {folder}")
    for url in holdings.bundles:
        click.echo(f"bundle  {shown(url)}")
    for url, why in holdings.kept.items():
        click.echo(f"kept    {shown(url)}: {shown(why)}")
    for member in holdings.members:
        click.echo(f"alive   {shown(member)}: as long as it runs nothing is deleted")


def _ask(name: str) -> None:
    click.echo(f"this cannot be undone; type {name} to delete all of it: ", nl=False, err=True)
    if sys.stdin.readline().strip() != name:
        raise ConfigError(f"nothing was deleted: that was not {name} (--yes does not ask)")
