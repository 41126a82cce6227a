"""What ``streamapp doctor --drift-test`` prints."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamapp.cli.progress import ProgressLine
from streamapp.errors import shown
from streamapp.wording import many

if TYPE_CHECKING:
    from streamapp.drift.selftest import Detection, SelfTest
    from streamapp.runtime.selftest import DriftTest
    from streamapp.settings import Settings

__all__ = ["run_drift_test"]


def run_drift_test(
    settings: Settings,
    *,
    file: Path | None,
    names: Collection[str] | None,
    look_every: int | None,
    runs: int,
    as_json: bool,
) -> None:
    """Measure, and print a table or JSON.

    Parameters
    ----------
    settings
        Of the deployment.
    file
        CSV file to take rows from; None: the newest answers.
    names
        Columns to test; None: the first 20.
    look_every
        Requests between two looks; None: as now.
    runs
        Of each drift.
    as_json
        Print one object.
    """
    from streamapp.runtime.selftest import prepare_drift_test  # noqa: PLC0415  # not needed for --help

    ready = asyncio.run(
        prepare_drift_test(settings, file=file, names=names, look_every=look_every, runs=runs)
    )
    facts = _facts(ready, settings, runs)
    if not as_json:
        _say_facts(ready, facts, file, is_as_now=look_every is None)
    quiet, detections = _measure(ready.test)
    if as_json:
        drifts = [dataclasses.asdict(found) for found in detections]
        alerts, requests = quiet
        quiet_fields = {"alerts": alerts, "requests": requests}
        click.echo(json.dumps({**facts, "no_drift": quiet_fields, "drifts": drifts}))
        return
    click.echo(f"  no drift   {many(quiet[0], 'alert')} in {quiet[1]:,} requests\n")
    _say_table(detections)
    _say_untested(ready)


def _measure(test: SelfTest) -> tuple[tuple[int, int], list[Detection]]:
    show = ProgressLine()
    try:
        show("traffic without drift")
        quiet = test.quiet()
        detections = []
        for number, injection in enumerate(test.injections, start=1):
            show(f"{number} of {len(test.injections)}: {injection.subject} {injection.drift}")
            detections.append(test.measure(injection))
    finally:
        show.close()
    return quiet, detections


def _facts(ready: DriftTest, settings: Settings, runs: int) -> dict[str, Any]:
    return {
        "name": settings.name,
        "version": ready.bundle.version,
        "rows": len(ready.rows),
        "left_out": ready.rows.left_out,
        "reference_rows": ready.test.reference_rows,
        "false_alarm_every": settings.false_alarm_every,
        "round_events": ready.round_events,
        "runs": runs,
        "limit": ready.test.limit,
        "now": None
        if ready.test.now is None
        else [
            {"kind": alert.kind, "subject": alert.subject, "summary": alert.summary}
            for alert in ready.test.now
        ],
    }


def _say_facts(ready: DriftTest, facts: dict[str, Any], file: Path | None, *, is_as_now: bool) -> None:
    from streamapp.messages import format_time  # noqa: PLC0415

    if file is None:
        first, last = (format_time(int(ready.rows.times_ms[at]))[:16].replace("T", " ") for at in (0, -1))
        origin = f"{facts['rows']:,} answers of {first} to {last} UTC"
    else:
        origin = f"{facts['rows']:,} rows of {file}"
    why = ", ".join(f"{count:,} {reason}" for reason, count in facts["left_out"].items())
    click.echo(f"{facts['name']} {facts['version']}: {origin}{f' (left out: {why})' if why else ''}")
    for number, alert in enumerate(facts["now"] or ()):
        click.echo(f"  {'' if number else 'now':<9}  {alert['kind']}: {shown(alert['summary'])}")
    if facts["now"] is None:
        click.echo(
            "  now        not judged: the reference is compared by the hour of the day, and rows of a file "
            "have no times"
        )
    elif not facts["now"]:
        click.echo("  now        nothing drifts against the model's reference")
    click.echo(
        f"  set to     one false alarm in {facts['false_alarm_every']:,} requests; "
        f"a look every {facts['round_events']:,}{', as now' if is_as_now else ''}"
    )
    click.echo(
        f"  measured   {many(facts['runs'], 'run')} of each drift, up to {facts['limit']:,} requests; a "
        f"reference of {facts['reference_rows']:,} rows and the stream are drawn from these rows"
    )


def _say_table(detections: list[Detection]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("column", no_wrap=True)
    table.add_column("drift")
    for title in ("found", "requests: median", "90 %"):
        table.add_column(title, justify="right")
    for title in ("alert", "named first"):
        table.add_column(title)
    before = None
    for found in detections:
        table.add_row(
            "" if found.subject == before else found.subject,
            found.drift,
            f"{found.found} of {found.runs}",
            "-" if found.median is None else f"{found.median:,}",
            "-" if found.p90 is None else f"{found.p90:,}",
            _alert(found),
            f"{found.first} of {found.found}" if found.found else "-",
            style=None if found.found == found.runs else "yellow" if found.found else "red",
        )
        before = found.subject
    width = None if sys.stdout.isatty() else 1_000  # a pipe has no width of its own
    Console(markup=False, highlight=False, width=width).print(table)


def _alert(found: Detection) -> str:
    other = f"another in {many(found.other, 'run')}" if found.other else ""
    own = f"{found.kind} {found.named}" if found.found else ""
    return "; ".join(filter(None, [own, other])) or "none"


def _say_untested(ready: DriftTest) -> None:
    test, columns = ready.test, ready.bundle.signature.columns
    if len(test.names) < len(columns):
        click.echo(f"\n{len(test.names)} of {len(columns)} columns; --column NAME tests others")
    tested = [column for column in columns if column.name in test.names]
    if must := sum(not column.nullable for column in tested):
        click.echo(
            f"\nmissing values are not injected into {many(must, 'column')} that every request must have: "
            "they are rejected"
        )
    if ready.rows.outputs is None:
        click.echo("\noutputs are not tested: these rows have no answers")
