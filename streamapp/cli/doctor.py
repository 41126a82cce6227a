"""``streamapp doctor``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamapp.cli.options import bootstrap_option, json_option, store_option
from streamapp.cli.wrapping import hanging, terminal_width
from streamapp.errors import shown

if TYPE_CHECKING:
    from streamapp.runtime.checks import Line
    from streamapp.settings import Settings

__all__ = ["command"]

_LONGEST = 4_000
_COLOURS = {"ok": "green", "warn": "yellow", "FAIL": "red"}


@click.command("doctor")
@click.argument("name")
@click.option(
    "--drift-test", is_flag=True, help="Inject drifts into recent rows, see how soon they are found."
)
@click.option(
    "--rows",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.csv",
    help="For the drift test: take rows from a file, not from the newest answers.",
)
@click.option("--column", "columns", multiple=True, metavar="NAME",
              help="For the drift test: test this one. Repeatable.  [default: the first 20]")  # fmt: skip
@click.option(
    "--runs",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="R",
    help="For the drift test: of each drift.",
)
@click.option(
    "--false-alarm-every",
    type=click.IntRange(min=100),
    metavar="N",
    help="For the drift test: as if this were set.  [default: STREAMAPP_FALSE_ALARM_EVERY, else 100000]",
)
@click.option(
    "--look-every",
    type=click.IntRange(min=1),
    metavar="N",
    help="For the drift test: requests between two looks.  [default: as now; the more traffic, the more]",
)
@bootstrap_option
@store_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    *,
    drift_test: bool,
    rows: Path | None,
    columns: tuple[str, ...],
    runs: int,
    false_alarm_every: int | None,
    look_every: int | None,
    bootstrap: str,
    store: str,
    as_json: bool,
) -> None:
    """Examine deployment NAME, and say what to do.

    A line for each thing that was looked at: ok, warn or FAIL. Ends with 1 if anything FAILs.

    With --drift-test, drifts of known size are put into copies of recent rows, in memory, and requests are
    counted until an alert opens, for this model's profile and these settings. What has drifted already is
    said apart.

    \b
    Example:
      streamapp doctor bikes
      streamapp doctor bikes --drift-test --column temp --column weather
      streamapp doctor bikes --drift-test --rows recent.csv
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    if not drift_test and (rows or columns or false_alarm_every or look_every):
        raise click.UsageError("--rows, --column, --false-alarm-every and --look-every need --drift-test")
    from streamapp.settings import Settings  # noqa: PLC0415  # not needed for --help

    settings = Settings.of(name=name, bootstrap=bootstrap, store=store, false_alarm_every=false_alarm_every)
    if drift_test:
        from streamapp.cli.drift_table import run_drift_test  # noqa: PLC0415

        run_drift_test(
            settings, file=rows, names=columns or None, look_every=look_every, runs=runs, as_json=as_json
        )
        return
    lines = asyncio.run(_examine(settings, as_json=as_json))
    if as_json:
        click.echo(json.dumps([_fields(line) for line in lines]))
    if failed := sum(line.status == "FAIL" for line in lines):
        click.echo(f"{ctx.command_path}: {failed} of {len(lines)} findings FAIL", err=True)
        ctx.exit(1)


def _fields(line: Line) -> dict[str, Any]:
    return {
        "check": line.check,
        "status": line.status,
        "mistake": line.mistake,
        "message": line.message,
        "figures": line.figures,
    }


async def _examine(settings: Settings, *, as_json: bool) -> list[Line]:
    from streamapp.runtime.checks import Case, run_checks  # noqa: PLC0415

    lines = []
    async for line in run_checks(Case(settings)):
        lines.append(line)
        if not as_json:
            _say(line)
    return lines


def _say(line: Line) -> None:
    mark, text = f"{line.status:<4}", shown(" ".join(line.message.split()), _LONGEST)
    label, width = f"{mark}  {line.check:<14}  ", terminal_width()
    said = "\n".join(hanging(label, text, width)) if width else f"{label}{text}"
    click.echo(click.style(mark, fg=_COLOURS[line.status]) + said.removeprefix(mark))
