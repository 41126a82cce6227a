"""``streamapp send``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time as clock
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

import click

from streamapp.cli.options import bootstrap_option, json_option
from streamapp.cli.progress import ProgressLine

if TYPE_CHECKING:
    from streamapp.connection import Connection
    from streamapp.models import Signature
    from streamapp.runtime.csv_rows import CsvRow
    from streamapp.runtime.sending import Sender
    from streamapp.topics import TopicNames

__all__ = ["command"]


@click.command("send")
@click.argument("name")
@click.argument("file", metavar="FILE.csv", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--label", metavar="COLUMN", help="Send this column as labels, to feedback.")
@click.option(
    "--label-delay",
    type=click.IntRange(min=0),
    default=0,
    metavar="ROWS",
    help="How many rows after its request a label is sent.  [default: 0]",
)
@click.option(
    "--time", metavar="COLUMN", help="Event time of each row (ce_time); UTC unless it says otherwise."
)
@click.option("--key", metavar="COLUMN", help="Key of the records; without it the partitions take turns.")
@click.option("--id", "id_", metavar="COLUMN", help="Id of the requests; default PARTITION-OFFSET.")
@click.option(
    "--pace", type=click.FloatRange(min=0, min_open=True), metavar="N", help="Rows a second, at most."
)
@bootstrap_option
@json_option
def command(
    name: str,
    file: str,
    *,
    label: str | None,
    label_delay: int,
    time: str | None,
    key: str | None,
    id_: str | None,
    pace: float | None,
    bootstrap: str,
    as_json: bool,
) -> None:
    """Stream a CSV file (- for standard input) to deployment NAME, a request per row.

    The columns that the champion knows are sent, each as the kind it has there; an empty cell is a missing
    value.

    \b
    Example:
      streamapp send bikes 2012.csv --label rentals --label-delay 24 --time hour
      streamapp send bikes - --pace 100 < live.csv
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    if label is None and label_delay:
        raise click.UsageError("--label-delay needs --label COLUMN")
    from streamapp.runtime.csv_rows import read_csv_rows  # noqa: PLC0415  # not needed for --help
    from streamapp.settings import Settings  # noqa: PLC0415

    settings = Settings.of(name=name, bootstrap=bootstrap)
    signature = asyncio.run(_signature(settings.connection, settings.topics))
    source: str | IO[bytes] = sys.stdin.buffer if file == "-" else file
    rows = read_csv_rows(source, signature=signature, label=label, time=time, key=key, id=id_)
    began = clock.monotonic()
    sent = asyncio.run(_send(settings.connection, settings.topics, rows, label_delay=label_delay, pace=pace))
    seconds = clock.monotonic() - began
    counts = {"requests": sent.requests, "labels": sent.labels, "seconds": round(seconds, 3)}
    if as_json:
        click.echo(json.dumps(counts))
        return
    labels = f" and {sent.labels:,} labels" if label else ""
    click.echo(f"sent {sent.requests:,} requests{labels} to {name} in {seconds:.1f} s")


async def _signature(connection: Connection, names: TopicNames) -> Signature | None:
    """Return the champion's; None, and say so, if there is no champion or its bundle cannot be read."""
    from streamapp.errors import BundleError, IntegrityError, StoreError  # noqa: PLC0415
    from streamapp.models import Bundle  # noqa: PLC0415
    from streamapp.runtime.client import latest_models  # noqa: PLC0415

    serving = (await latest_models(connection, names)).serving
    why = "there is no champion yet"
    if serving is not None:
        try:
            return (await asyncio.to_thread(Bundle.inspect, serving.bundle, sha256=serving.sha256)).signature
        except (BundleError, IntegrityError, StoreError) as exc:
            why = str(exc)
    click.echo(f"note: all columns are sent, as the file suggests: {why}", err=True)
    return None


async def _send(
    connection: Connection, names: TopicNames, rows: Iterator[CsvRow], *, label_delay: int, pace: float | None
) -> Sender:
    from streamapp.runtime.client import existing_topics, producer  # noqa: PLC0415
    from streamapp.runtime.sending import BATCH_BYTES, Sender  # noqa: PLC0415

    partitions = await existing_topics(connection, [names.requests, names.feedback])
    with _progress() as show:
        async with producer(connection, batch_bytes=BATCH_BYTES) as client:
            sender = Sender(
                client, connection=connection, names=names, partitions=partitions, label_delay=label_delay
            )
            began = clock.monotonic()
            try:
                for row in rows:
                    if pace is not None:
                        ahead = began + sender.requests / pace - clock.monotonic()
                        if ahead > 0:
                            await asyncio.sleep(ahead)
                    await sender.send(row)
                    if sender.requests % 100 == 0 or pace is not None:
                        show(f"{sender.requests:,} requests, {sender.labels:,} labels")
                await sender.finish()
            except asyncio.CancelledError:
                show.close()
                click.echo(f"stopped after {sender.requests:,} requests, {sender.labels:,} labels", err=True)
                raise
    return sender


@contextlib.contextmanager
def _progress() -> Iterator[ProgressLine]:
    line = ProgressLine()
    try:
        yield line
    finally:
        line.close()
