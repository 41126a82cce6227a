"""``streamapp gateway``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from streamapp.cli.extras import import_server
from streamapp.cli.options import bootstrap_option, store_option

__all__ = ["command"]


@click.command("gateway")
@click.argument("name")
@click.option(
    "--port", type=click.IntRange(0, 65_535), metavar="P", help="0 takes a free one.  [default: 8000]"
)
@click.option(
    "--bind", metavar="ADDRESS", help="Any but this machine's own needs a token.  [default: 127.0.0.1]"
)
@click.option(
    "--timeout", type=float, metavar="SECONDS", help="How long a request waits for its answer.  [default: 10]"
)
@click.option(
    "--in-flight", type=int, metavar="N", help="Requests that may wait at once; then 429.  [default: 1000]"
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Holds the bearer token that requests have to bring; or set STREAMAPP_GATEWAY_TOKEN.",
)
@bootstrap_option
@store_option
def command(
    name: str,
    *,
    port: int | None,
    bind: str | None,
    timeout: float | None,
    in_flight: int | None,
    token_file: Path | None,
    bootstrap: str,
    store: str,
) -> None:
    """Answer HTTP for deployment NAME, until Ctrl-C or SIGTERM: requests by way of Kafka, and feedback.

    Each request is put on NAME.requests, and its answer awaited on NAME.predictions: streamapp run answers,
    here or elsewhere. POST /predict takes a request as on Kafka, POST /v2/models/NAME/infer one of the Open
    Inference Protocol, POST /feedback a label. Everything is also an environment variable, for example
    STREAMAPP_GATEWAY_PORT.

    \b
    Example:
      streamapp gateway bikes --port 8000
      curl localhost:8000/predict -d '{"id": "r-17", "features": {"temp": 0.24}}'
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    from streamapp.settings import Settings  # noqa: PLC0415  # not needed for --help

    chosen: dict[str, Any] = {"port": port, "bind": bind, "timeout_s": timeout, "in_flight": in_flight}
    settings = Settings.of(
        name=name,
        bootstrap=bootstrap,
        store=store,
        gateway_token_file=token_file,
        **{f"gateway_{field}": value for field, value in chosen.items()},
    )
    import_server("gateway").run(settings, say=click.echo)
