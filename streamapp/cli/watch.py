"""``streamapp watch``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from streamapp.cli.options import bootstrap_option, json_option, time_of
from streamapp.errors import shown
from streamapp.topics import TOPICS

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

    from streamapp.connection import Connection
    from streamapp.runtime.client import Start
    from streamapp.settings import Settings
    from streamapp.topics import TopicNames

__all__ = ["command"]

_DEFAULT = ("drift-alerts", "models", "retrain-events")
_LOOK_EVERY_S = 5.0
_POLL_MS = 1_000
_AT_ONCE = 500
_VIEW_EVERY_S = 0.5
_ABOVE = 20
"""Lines that stand above what happened, on a narrow terminal."""
_FEWEST, _MOST = 3, 8


@click.command("watch")
@click.argument("name")
@click.argument(
    "topic", type=click.Choice([topic.name for topic in TOPICS]), metavar="[TOPIC]", required=False
)
@click.option("--from-beginning", is_flag=True, help="Show first what is there already.")
@click.option(
    "--since",
    metavar="TIME|OFFSET",
    help="Begin at a time, e.g. 2011-05-02T08:00:00Z, or at an offset of each partition.",
)
@click.option("--lines", is_flag=True, help="On a terminal, too, a line for whatever comes.")
@bootstrap_option
@json_option
def command(
    name: str,
    topic: str | None,
    *,
    from_beginning: bool,
    since: str | None,
    lines: bool,
    bootstrap: str,
    as_json: bool,
) -> None:
    """Follow deployment NAME: on a terminal one live view, elsewhere a line for each alert and model.

    The view says what the page of streamapp dashboard says. Lines come of alerts, models and retrain events,
    and of how many answers there are; with TOPIC (requests, predictions, labelled, dead-letters, …) of each
    record of that one. With --json each line is an object with topic, partition, offset, time, key, headers
    and value. Ctrl-C ends it.

    \b
    Example:
      streamapp watch bikes
      streamapp watch bikes predictions --from-beginning --json | jq .value.prediction
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    if from_beginning and since is not None:
        raise click.UsageError("--from-beginning and --since: give one of them")
    from streamapp.settings import Settings  # noqa: PLC0415  # not needed for --help

    start, offset = _start(since, from_beginning=from_beginning)
    settings = Settings.of(name=name, bootstrap=bootstrap)
    asks_for_lines = lines or as_json or from_beginning or since is not None or topic is not None
    with contextlib.suppress(KeyboardInterrupt):
        if sys.stdout.isatty() and not asks_for_lines:
            asyncio.run(_view(settings))
            return
        asyncio.run(
            _watch(settings.connection, settings.topics, topic, start=start, offset=offset, as_json=as_json)
        )


def _start(since: str | None, *, from_beginning: bool) -> tuple[Start, int | None]:
    """Return where to begin: for the reader, and the offset if it is one."""
    if since is None:
        return ("beginning" if from_beginning else "end"), None
    if since.isdecimal():
        return "beginning", int(since)
    return time_of("--since", since), None


async def _view(settings: Settings) -> None:
    """Show the deployment in one place of the terminal, until SIGTERM."""
    from rich.live import Live  # noqa: PLC0415  # not needed for --help

    from streamapp.dashboard.reading import follow  # noqa: PLC0415
    from streamapp.dashboard.state import DeploymentState  # noqa: PLC0415
    from streamapp.dashboard.terminal import render  # noqa: PLC0415
    from streamapp.runtime.client import existing_topics  # noqa: PLC0415

    await existing_topics(
        settings.connection, [settings.topics.models]
    )  # says so if there is no such deployment
    state = DeploymentState(settings.name)
    following = asyncio.create_task(follow(settings, state))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, following.cancel)
    with (
        Live(auto_refresh=False) as live,  # three dots at its end where the terminal is not high enough
        contextlib.suppress(asyncio.CancelledError),
    ):
        while not following.done():
            now_ms = time.time_ns() // 1_000_000
            width, height = live.console.size
            entries = min(max(height - _ABOVE, _FEWEST), _MOST)
            view = state.view(now_ms)
            live.update(render(view, now_ms, width=width, entries=entries), refresh=True)
            await asyncio.wait({following}, timeout=_VIEW_EVERY_S)
        following.result()


async def _watch(
    connection: Connection,
    names: TopicNames,
    topic: str | None,
    *,
    start: Start,
    offset: int | None,
    as_json: bool,
) -> None:
    from streamapp.cli.lines import line_of  # noqa: PLC0415  # not needed for --help
    from streamapp.runtime.broker_errors import broker_errors  # noqa: PLC0415
    from streamapp.runtime.client import reader  # noqa: PLC0415

    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    topics = [names[one] for one in ([topic] if topic else _DEFAULT)]
    try:
        async with reader(connection, topics, start=start) as consumer, asyncio.TaskGroup() as tasks:
            if offset is not None:
                await _seek(consumer, offset)
            counts = topic is None and not as_json
            if counts and start == "end":
                await _show_state(connection, names)
            tasks.create_task(_look(consumer, connection, names.predictions if counts else None))
            followed = topic or f"{', '.join(_DEFAULT[:-1])} and {_DEFAULT[-1]}"
            click.echo(f"following {followed} of {names.deployment}; Ctrl-C ends it", err=True)
            while True:
                with broker_errors(connection):
                    fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
                for record in chain.from_iterable(fetched.values()):
                    short = record.topic.removeprefix(f"{names.deployment}.")
                    click.echo(_json_of(record) if as_json else line_of(short, record))
    except asyncio.CancelledError:  # SIGTERM
        pass
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


async def _seek(consumer: AIOKafkaConsumer, offset: int) -> None:
    ends = await consumer.end_offsets(list(consumer.assignment()))
    for partition, end in ends.items():
        consumer.seek(partition, min(offset, end))


async def _show_state(connection: Connection, names: TopicNames) -> None:
    """Say what holds now, before what comes: the champion, and the alerts that are open."""
    from streamapp.cli.lines import line_of  # noqa: PLC0415
    from streamapp.errors import MessageError  # noqa: PLC0415
    from streamapp.messages import Alert  # noqa: PLC0415
    from streamapp.runtime.client import latest_models, read_topic  # noqa: PLC0415

    champion = (await latest_models(connection, names)).champion
    click.echo(f"champion is {shown(champion.version)}" if champion else "there is no champion yet")
    latest: dict[bytes, Any] = {}
    for record in await read_topic(connection, names.drift_alerts):
        latest[record.key] = record
    for record in latest.values():
        with contextlib.suppress(MessageError):
            if record.value is not None and Alert.decode(record.value).state != "resolved":
                click.echo(line_of("drift-alerts", record))


async def _look(consumer: AIOKafkaConsumer, connection: Connection, counted: str | None) -> None:
    """Say every few seconds how many answers topic `counted` has got, and whether Kafka answers at all.

    What follows a topic would not tell: without a broker it waits as it does without records.
    """
    from aiokafka import TopicPartition  # noqa: PLC0415

    from streamapp.errors import BrokerError  # noqa: PLC0415
    from streamapp.runtime.broker_errors import broker_errors  # noqa: PLC0415
    from streamapp.runtime.client import existing_topics  # noqa: PLC0415

    clock = asyncio.get_running_loop().time
    partitions = list(consumer.assignment())
    if counted is not None:
        count = (await existing_topics(connection, [counted]))[counted]
        partitions = [TopicPartition(counted, partition) for partition in range(count)]
    before, at, is_away = None, clock(), False
    while True:
        try:
            with broker_errors(connection, timeout_s=_LOOK_EVERY_S):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    total = sum((await consumer.end_offsets(partitions)).values())
        except BrokerError as exc:
            if not is_away:
                click.echo(f"{exc}; waiting for it", err=True)
            is_away = True
        else:
            if is_away:
                click.echo(f"Kafka at {connection.bootstrap} answers again", err=True)
            is_away = False
            if counted is not None and before is not None and total != before:
                rate = (total - before) / (clock() - at)
                click.echo(f"{total:,} answers, {rate:,.0f} a second")
            before, at = total, clock()
        await asyncio.sleep(_LOOK_EVERY_S)


def _json_of(record: Any) -> str:
    """Return a record as one line of JSON; a value that is no JSON stands there as text."""
    from streamapp.messages import format_time  # noqa: PLC0415

    def text(value: bytes | None) -> str | None:
        return None if value is None else value.decode(errors="backslashreplace")

    try:
        value = None if record.value is None else json.loads(record.value)
    except ValueError:
        value = text(record.value)
    return json.dumps(
        {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "time": format_time(record.timestamp),
            "key": text(record.key),
            "headers": {name: text(content) for name, content in record.headers},
            "value": value,
        }
    )
