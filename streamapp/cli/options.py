"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from streamapp.profile import ColumnPolicy

__all__ = ["bootstrap_option", "drift_option", "json_option", "store_option", "time_of"]


def _default_store() -> str:
    from streamapp.settings import data_dir  # noqa: PLC0415  # settings take a while to import

    return (data_dir() / "bundles").as_uri()


bootstrap_option = click.option(
    "--bootstrap",
    metavar="HOST:PORT",
    envvar="STREAMAPP_BOOTSTRAP",
    default="localhost:9092",
    show_default=True,
    show_envvar=True,
    help="Kafka brokers, several separated by commas.",
)
"""Passes `bootstrap`, a str."""

store_option = click.option(
    "--store",
    metavar="URL",
    envvar="STREAMAPP_STORE",
    default=_default_store,
    show_default="a folder in your data directory",
    show_envvar=True,
    help="Where bundles are kept: any fsspec URL.",
)
"""Passes `store`, a str."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
"""Passes `as_json`, a bool."""


def _parse_drift(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, ColumnPolicy]:
    if not values:
        return {}
    from streamapp.errors import ConfigError  # noqa: PLC0415  # not needed for --help
    from streamapp.profile.policy_text import parse_choices  # noqa: PLC0415

    try:
        return parse_choices(values)
    except ConfigError as exc:
        raise click.BadParameter(str(exc)) from None


drift_option = click.option(
    "--drift",
    multiple=True,
    metavar="COLUMN:OPTION=VALUE",
    callback=_parse_drift,
    help="How drift of a column, a pair A~B or an output is judged: watch=false, floor=EFFECT, weight=SHARE, "
    "aspects=LIST; see inspect. Repeatable.",
)
"""Passes `drift`, choices by column."""


def time_of(option: str, text: str) -> int:
    """Return the time that `option` gives as `text`, in milliseconds; wrong usage if it is none."""
    from streamapp.messages import parse_time  # noqa: PLC0415  # not needed for --help

    try:
        return parse_time(text)
    except ValueError as exc:
        raise click.UsageError(f"{option}: {exc}") from None
