"""``streamapp demo``."""

from __future__ import annotations

from pathlib import Path

import click

from streamapp.cli.progress import ProgressLine

__all__ = ["command"]

_FAST_UNTIL_MONTH = 5


@click.command("demo")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the figures as JSON.",
)
@click.option(
    "--pace",
    type=click.FloatRange(min=0, min_open=True),
    metavar="EVENTS_PER_S",
    help="Requests a second, at most.  [default: as fast as they are answered]",
)
@click.option("--fast", is_flag=True, help="The first months alone, to the end of April.")
@click.option(
    "--sabotage", is_flag=True, help="Promote a spoiled model in the middle, and see it rolled back."
)
@click.option("--no-dashboard", is_flag=True, help="Open no dashboard.")
@click.option("--keep", is_flag=True, help="Leave all running at the end, until Ctrl-C.")
def command(
    *, report: Path | None, pace: float | None, fast: bool, sabotage: bool, no_dashboard: bool, keep: bool
) -> None:
    """Show the whole loop on real data: every flight that left New York in 2013.

    Asked at its scheduled departure: will it arrive more than 15 minutes late, or not at all? The label comes
    when the plane has landed. January's model meets the rest of the year on a Kafka broker of its own; drift
    is seen, new models are trained, judged and swapped in. Nothing is left behind.

    \b
    Example:
      streamapp demo
      streamapp demo --fast --report report.json
      streamapp demo --fast --sabotage
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    from streamapp.cli.dashboard import dashboard_command  # noqa: PLC0415
    from streamapp.cli.extras import import_server  # noqa: PLC0415
    from streamapp.cli.run import role_commands  # noqa: PLC0415  # not needed for --help
    from streamapp.demo.model import year_day_ms  # noqa: PLC0415
    from streamapp.demo.run import DemoOptions, run_demo  # noqa: PLC0415

    if not no_dashboard:
        import_server("dashboard")  # before anything is begun

    def commands(name: str, port: int) -> dict[str, list[str]]:
        roles = role_commands(name, web_port=port)
        page = {} if no_dashboard else {"dashboard": dashboard_command(name, port + len(roles))}
        return roles | page

    until_ms = year_day_ms(_FAST_UNTIL_MONTH) if fast else None
    options = DemoOptions(report=report, pace=pace, until_ms=until_ms, keep=keep, sabotage=sabotage)
    progress = ProgressLine()

    def say(line: str) -> None:
        progress.close()
        click.echo(line)

    run_demo(
        options,
        role_commands=commands,
        say=say,
        progress=progress,
    )
