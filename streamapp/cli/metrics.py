"""``streamapp metrics``."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.group("metrics")
def command() -> None:
    """Print what Prometheus and Grafana need to watch deployments.

    Each role shows its metrics at /metrics on its web port.

    \b
    Example:
      streamapp metrics scrape bikes > prometheus.yml
      streamapp metrics rules > streamapp-rules.yml
      streamapp metrics grafana > streamapp.json
    """  # noqa: D301  # \b is click's mark for lines that stay as they are


@command.command("rules")
def rules() -> None:
    """Print Prometheus rules: rates, and alerts for all deployments.

    Thresholds are where to begin: edit them in your copy.

    \b
    Example:
      streamapp metrics rules > streamapp-rules.yml
    """  # noqa: D301
    from streamapp import operations  # noqa: PLC0415  # not needed for --help

    click.echo(operations.rules(), nl=False)


@command.command("scrape")
@click.argument("name")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    default=["localhost"],
    show_default=True,
    metavar="HOST",
    help="Machine that runs the three roles; ROLE=HOST[:PORT]: one that runs this role. Repeatable.",
)
@click.option(
    "--web-port",
    type=click.IntRange(1, 65_533),
    envvar="STREAMAPP_WEB_PORT",
    metavar="P",
    help="As given to run: score at P, the others at P+1 and P+2.  [default: 6066]",
)
@click.option(
    "--gateway", "gateways", multiple=True, metavar="HOST:PORT", help="Where a gateway listens. Repeatable."
)
@click.option(
    "--gateway-token-file",
    metavar="FILE",
    help="Where Prometheus finds the token that gateways ask for; from the folder of its configuration.",
)
def scrape(
    name: str,
    *,
    hosts: tuple[str, ...],
    web_port: int | None,
    gateways: tuple[str, ...],
    gateway_token_file: str | None,
) -> None:
    """Print a Prometheus configuration that scrapes the roles of deployment NAME.

    It takes its rules from streamapp-rules.yml beside it. Its labels deployment and role are those that rules
    and dashboard go by.

    \b
    Example:
      streamapp metrics scrape bikes > prometheus.yml
      streamapp metrics scrape bikes --host ml-1 --host ml-2 --gateway ml-1:8000
      streamapp metrics scrape bikes --host score=ml-1 --host score=ml-1:6166 \\
        --host monitor=ml-2 --host train=ml-2
    """  # noqa: D301
    from streamapp import operations  # noqa: PLC0415

    printed = operations.scrape_config(
        name, hosts=hosts, web_port=web_port, gateways=gateways, gateway_token_file=gateway_token_file
    )
    click.echo(printed, nl=False)


@command.command("grafana")
def grafana() -> None:
    """Print a Grafana dashboard, to be imported (Dashboards, New, Import).

    \b
    Example:
      streamapp metrics grafana > streamapp.json
    """  # noqa: D301
    from streamapp import operations  # noqa: PLC0415

    click.echo(operations.dashboard(), nl=False)
