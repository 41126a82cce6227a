"""``streamapp retrain``."""

from __future__ import annotations

import asyncio
import json
import time

import click

from streamapp.cli.options import bootstrap_option, json_option

__all__ = ["command"]


@click.command("retrain")
@click.argument("name")
@bootstrap_option
@json_option
def command(name: str, *, bootstrap: str, as_json: bool) -> None:
    """Ask for a new model of deployment NAME now.

    The train role fits it on recent labelled rows; it becomes champion only if it proves better.

    \b
    Example:
      streamapp retrain bikes
      streamapp watch bikes
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    from streamapp.messages import Retrain, caused_id  # noqa: PLC0415  # not needed for --help
    from streamapp.runtime.client import Publication, publish  # noqa: PLC0415
    from streamapp.settings import Settings  # noqa: PLC0415

    settings = Settings.of(name=name, bootstrap=bootstrap)
    now_ms = time.time_ns() // 1_000_000
    event = Retrain(id=caused_id("user", name, now_ms), reason="user")
    publication = Publication(
        topic=settings.topics.retrain_events, key=name.encode(), message=event, ce_id=event.id, time_ms=now_ms
    )
    asyncio.run(publish(settings.connection, name, [publication]))
    if as_json:
        click.echo(json.dumps({"event": event.id}))
        return
    click.echo(f"asked for a new model of {name} (retrain event {event.id})")
