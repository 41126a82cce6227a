"""``streamapp dashboard``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from streamapp.cli.extras import import_server
from streamapp.cli.options import bootstrap_option, store_option

__all__ = ["command", "dashboard_command"]


@click.command("dashboard")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--port", type=click.IntRange(0, 65_535), metavar="P", help="0 takes a free one.  [default: 8080]"
)
@click.option(
    "--bind", metavar="ADDRESS", help="Any but this machine's own needs a token.  [default: 127.0.0.1]"
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Holds the token that a browser has to bring once; or set STREAMAPP_DASHBOARD_TOKEN.",
)
@bootstrap_option
@store_option
def command(
    names: tuple[str, ...],
    *,
    port: int | None,
    bind: str | None,
    token_file: Path | None,
    bootstrap: str,
    store: str,
) -> None:
    """Show deployment NAME as a live page, until Ctrl-C or SIGTERM; without NAME all that there are.

    Is it healthy, is it right, what changed, what was done about it. The page reads topics and bundles, and
    writes nothing, so that it can slow nothing. Listening elsewhere than on this machine, it wants a token:
    open it once with ?token=TOKEN. Everything is also an environment variable, for example
    STREAMAPP_DASHBOARD_PORT.

    \b
    Example:
      streamapp dashboard bikes
      streamapp dashboard bikes flights --port 8081
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    from streamapp.settings import Settings  # noqa: PLC0415  # not needed for --help
    from streamapp.topics import check_name  # noqa: PLC0415

    for name in names:
        check_name(name)
    settings = Settings.of(
        name=names[0] if names else "all",
        bootstrap=bootstrap,
        store=store,
        dashboard_port=port,
        dashboard_bind=bind,
        dashboard_token_file=token_file,
    )
    import_server("dashboard").run(settings, names, say=click.echo)


def dashboard_command(name: str, port: int) -> list[str]:
    """Return the command line that shows a deployment on a port of this machine."""
    return [sys.executable, "-m", "streamapp", "dashboard", name, "--bind", "127.0.0.1", "--port", str(port)]
