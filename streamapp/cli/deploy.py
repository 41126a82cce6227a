"""``streamapp deploy``."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import click

from streamapp.cli.here import import_from_here
from streamapp.cli.options import bootstrap_option, json_option, store_option

__all__ = ["command"]


@click.command("deploy")
@click.argument("name")
@click.argument("bundle")
@click.option("--challenger", is_flag=True, help="Let the gate judge it against the champion.")
@click.option(
    "--partitions",
    type=click.IntRange(min=1),
    metavar="N",
    help="Of NAME.requests, if it is new.  [default: 4]",
)
@bootstrap_option
@store_option
@json_option
def command(
    name: str,
    bundle: str,
    *,
    challenger: bool,
    partitions: int | None,
    bootstrap: str,
    store: str,
    as_json: bool,
) -> None:
    """Make BUNDLE, a folder or URL, the champion of deployment NAME.

    Checks the bundle (hashes, seal, golden rows), creates the topics that are missing, and puts it into the
    store. Roles that run take it over without a restart. Doing it again changes nothing.

    \b
    Example:
      streamapp deploy bikes model/
      streamapp deploy bikes model-2/ --challenger
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    from streamapp.runtime.deploy import deploy  # noqa: PLC0415  # not needed for --help
    from streamapp.settings import Settings  # noqa: PLC0415

    settings = Settings.of(name=name, bootstrap=bootstrap, store=store)
    import_from_here()
    done = asyncio.run(deploy(settings, bundle, challenger=challenger, partitions=partitions))
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(done)))
        return
    if done.topics:
        click.echo(f"created {len(done.topics)} topics on {bootstrap}")
    role = "the champion" if done.state == "champion" else "a challenger"
    click.echo(f"{done.version} is {role} of {name}{'' if done.changed else ' already'}: {done.bundle}")
    if done.replaced:
        click.echo(
            f"it replaces {done.replaced}; with --challenger the gate would have judged it against that one "
            f"first (streamapp models {name} rollback undoes this)"
        )
    for note in done.notes:
        click.echo(f"note: {note}")
    if done.topics:
        click.echo(f"next: streamapp run {name}")
