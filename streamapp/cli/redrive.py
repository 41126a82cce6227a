"""``streamapp redrive``."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING

import click

from streamapp.cli.options import bootstrap_option, json_option, time_of
from streamapp.errors import shown
from streamapp.wording import many

if TYPE_CHECKING:
    from streamapp.runtime.redrive import Redriven

__all__ = ["command"]

_NAMED = 5
"""Letters that are named of those skipped for one reason."""


@click.command("redrive")
@click.argument("name")
@click.option(
    "--code", "codes", multiple=True, metavar="CODE", help="Only letters with this code. Repeatable."
)
@click.option("--since", metavar="TIME", help="Only letters written at this time or later.")
@click.option("--until", metavar="TIME", help="Only letters written before this time.")
@click.option("--dry-run", is_flag=True, help="Send nothing, say what would be sent.")
@bootstrap_option
@json_option
def command(
    name: str,
    *,
    codes: tuple[str, ...],
    since: str | None,
    until: str | None,
    dry_run: bool,
    bootstrap: str,
    as_json: bool,
) -> None:
    """Send the dead letters of deployment NAME again, each once.

    They go where they came from, with their keys, headers and values. A value that was left behind is read
    where it lay, and checked. What has been sent is remembered, so that it can be stopped and run again.

    \b
    Example:
      streamapp redrive bikes --dry-run
      streamapp redrive bikes --code model-failed --code no-model --since 2011-05-02T08:00:00Z
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    since_ms = None if since is None else time_of("--since", since)
    until_ms = None if until is None else time_of("--until", until)
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise click.UsageError("--since must be before --until")
    from streamapp.runtime.redrive import Redriven, Selection, redrive  # noqa: PLC0415  # not for --help
    from streamapp.settings import Settings  # noqa: PLC0415

    settings = Settings.of(name=name, bootstrap=bootstrap)
    selection = Selection(codes, since_ms, until_ms)
    done = Redriven()
    try:
        asyncio.run(redrive(settings.connection, settings.topics, selection, done=done, dry_run=dry_run))
    except KeyboardInterrupt:
        click.echo(f"stopped after {many(done.sent.total(), 'letter')}: run it again for the rest", err=True)
        raise
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run} | done.to_json()))
    else:
        _show(name, done, dry_run=dry_run)


def _show(name: str, done: Redriven, *, dry_run: bool) -> None:
    what = "would be sent" if dry_run else "sent"
    click.echo(f"{many(done.sent.total(), 'dead letter')} of {name} {what}{_by_code(done.sent)}")
    if done.before:
        click.echo(f"{done.before:,} sent before")
    if done.others:
        click.echo(f"{done.others.total():,} with other codes{_by_code(done.others)}")
    named: Counter[str] = Counter()
    for one in done.skipped:
        named[one.reason] += 1
        if named[one.reason] <= _NAMED:
            click.echo(f"skipped {one.offset}, {one.reason}: {shown(one.message)}")
    for reason, count in named.items():
        if count > _NAMED:
            click.echo(f"skipped {count - _NAMED:,} more, {reason}")


def _by_code(counts: Counter[str]) -> str:
    said = [f"{shown(code)} {count:,}" for code, count in counts.most_common()]
    return f": {', '.join(said)}" if said else ""
