"""``streamapp doctor``."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import click

from streamapp.cli.options import bootstrap_option, json_option, store_option

if TYPE_CHECKING:
    from streamapp.runtime.checks import Line
    from streamapp.settings import Settings

__all__ = ["command"]

_COLOURS = {"ok": "green", "warn": "yellow", "FAIL": "red"}


@click.command("doctor")
@click.argument("name")
@bootstrap_option
@store_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    *,
    bootstrap: str,
    store: str,
    as_json: bool,
) -> None:
    """Examine deployment NAME, and say what to do.

    A line for each thing that was looked at: ok, warn or FAIL. Ends with 1 if anything FAILs.

    \b
    Example:
      streamapp doctor bikes
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    from streamapp.settings import Settings  # noqa: PLC0415  # not needed for --help

    settings = Settings.of(name=name, bootstrap=bootstrap, store=store)
    lines = asyncio.run(_examine(settings, as_json=as_json))
    if as_json:
        click.echo(json.dumps([_fields(line) for line in lines]))
    if failed := sum(line.status == "FAIL" for line in lines):
        click.echo(f"{ctx.command_path}: {failed} of {len(lines)} findings FAIL", err=True)
        ctx.exit(1)


def _fields(line: Line) -> dict[str, str]:
    return {"check": line.check, "status": line.status, "message": line.message}


async def _examine(settings: Settings, *, as_json: bool) -> list[Line]:
    from streamapp.runtime.checks import Case, run_checks  # noqa: PLC0415

    lines = []
    async for line in run_checks(Case(settings)):
        lines.append(line)
        if not as_json:
            mark = click.style(f"{line.status:<4}", fg=_COLOURS[line.status])
            click.echo(f"{mark}  {line.check:<14}  {' '.join(line.message.split())}")
    return lines
