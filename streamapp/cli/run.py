"""``streamapp run``."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any

import click

from streamapp.cli.here import import_from_here
from streamapp.cli.options import bootstrap_option, store_option
from streamapp.errors import BrokerError, ConfigError
from streamapp.settings import ROLES, Role, Settings

__all__ = ["command", "role_commands"]

_CHECK_S = 5.0

_TUNED = {
    "web_bind": "ADDRESS",
    "no_model": "wait|reject",
    "false_alarm_every": "N",
    "drift": "CHOICES",
    "accuracy_false_alarm_every": "N",
    "label_horizon_s": "SECONDS",
    "review_per_hour": "N",
    "retrain_every_s": "SECONDS",
    "retrain_every_rows": "N",
    "retrain_cooldown_rows": "N",
    "retrain_cooldown_s": "SECONDS",
    "trainings_per_day": "N",
    "training_min_rows": "N",
    "training_rows": "N",
    "training_window_s": "SECONDS",
    "trainer": "TRAINER",
    "training_timeout_s": "SECONDS",
    "training_memory_mb": "MB",
    "training_backend": "NAME",
    "gate_alpha": "P",
    "gate_margin": "LOSS",
}
"""Settings that are options too, and what stands for their value."""


def _env_name(field: str) -> str:
    return f"STREAMAPP_{field.upper()}"


def _settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for field, metavar in reversed(_TUNED.items()):
        about = Settings.model_fields[field]
        default = "" if about.default in {None, ""} else f"  [default: {about.default}]"
        command = click.option(
            f"--{field.removesuffix('_s').replace('_', '-')}",
            field,
            metavar=metavar,
            help=f"{about.description or ''}{default}",
        )(command)
    return command


@click.command("run")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), help="Run this one in this process, not all three.")
@click.option(
    "--web-port",
    type=click.IntRange(1, 65_533),
    envvar="STREAMAPP_WEB_PORT",
    metavar="P",
    help="Of score; monitor gets P+1, train P+2. With --role, that role's own.  [default: 6066]",
)
@bootstrap_option
@store_option
@_settings_options
@click.option(
    "--no-gate", is_flag=True, help="Promote each challenger at once, without comparing it with the champion."
)
@click.option("--supervised", is_flag=True, hidden=True)
def command(
    name: str,
    *,
    role: Role | None,
    web_port: int | None,
    bootstrap: str,
    store: str,
    no_gate: bool,
    supervised: bool,
    **tuned: str | None,
) -> None:
    """Run deployment NAME: its roles score, monitor and train, until Ctrl-C or SIGTERM.

    Each role is a process; one that ends is started again. Elsewhere, more processes of a role share its
    partitions, or stand by. Everything is also an environment variable: STREAMAPP_ and its name, for example
    STREAMAPP_FALSE_ALARM_EVERY.

    \b
    Example:
      streamapp run bikes
      streamapp run bikes --role score --bootstrap kafka-1:9092,kafka-2:9092
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    chosen = {"bootstrap": bootstrap, "store": store, **{k: v for k, v in tuned.items() if v is not None}}
    if no_gate:
        chosen["gate"] = "false"
    if role is None:
        settings = Settings.of(name=name, **chosen)
        _check_drift(settings)
        _run_all(settings, chosen, web_port or Settings.of(name=name, role="score").port)
        return
    try:
        settings = Settings.of(name=name, role=role, web_port=web_port, **chosen)
        _check_drift(settings)
        _check(settings, role)
        _limit_threads()
        import_from_here()
        import uvloop  # noqa: PLC0415

        # Before Faust makes its app, which takes the loop that there is.
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        asyncio.set_event_loop(asyncio.new_event_loop())
        from streamapp.agents import create_host  # noqa: PLC0415  # Faust takes a second to import
        from streamapp.runtime.worker import run  # noqa: PLC0415

        run(create_host(settings), supervised=supervised)
    except ConfigError as exc:
        if not supervised:
            raise
        from streamapp.runtime.supervisor import EXIT_CONFIG  # noqa: PLC0415

        click.echo(exc)
        sys.exit(EXIT_CONFIG)


def _check_drift(settings: Settings) -> None:
    """Refuse choices that are none before anything starts, whatever the role that would read them."""
    if settings.drift:
        from streamapp.profile.policy_text import parse_policy  # noqa: PLC0415  # takes a while to import

        parse_policy(settings.drift)


def _limit_threads() -> None:
    """Give each library one thread, unless the environment says otherwise; before any of them is loaded.

    The roles are processes of their own: threads that wait for each other would cost more than they give.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")


def role_commands(name: str, *, web_port: int) -> dict[str, list[str]]:
    """Return the command line of each role, for a supervisor.

    Parameters
    ----------
    name
        Of the deployment.
    web_port
        Of score; the others get the next two.
    """
    return {
        role: [
            sys.executable, "-m", "streamapp", "run", name,
            "--role", role, "--web-port", str(web_port + index), "--supervised",
        ]
        for index, role in enumerate(ROLES)
    }  # fmt: skip


def _run_all(settings: Settings, chosen: dict[str, str], web_port: int) -> None:
    from streamapp.runtime.logs import json_line_printer  # noqa: PLC0415  # not needed for --help
    from streamapp.runtime.supervisor import Supervisor, line_printer  # noqa: PLC0415

    _check(settings, None)
    commands = role_commands(settings.name, web_port=web_port)
    is_json = settings.log_format == "json"
    log = json_line_printer(settings.name) if is_json else line_printer(list(commands))
    for index, role in enumerate(commands):
        log(role, f"http://{settings.web_bind}:{web_port + index}/health /ready /metrics")
    Supervisor(commands, env={_env_name(field): value for field, value in chosen.items()}, log=log).run()


def _check(settings: Settings, role: Role | None) -> None:
    """Raise BrokerError, with one line, unless the broker answers and the topics are as they must be."""
    from streamapp.runtime.admin import check_group, grow_partitions  # noqa: PLC0415
    from streamapp.runtime.client import partition_counts  # noqa: PLC0415
    from streamapp.runtime.topic_problems import check_topics  # noqa: PLC0415

    async def problems() -> list[str]:
        await partition_counts(settings.connection, (), timeout_s=_CHECK_S)  # fails fast if nothing answers
        if role is not None:
            await check_group(settings.connection, settings.app_id)
        await grow_partitions(settings.connection, settings.topics, role=role)
        return await check_topics(settings.connection, settings.topics, role=role)

    # With a loop factory the runner leaves the thread's event loop alone, of which Faust wants its own.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        found = runner.run(problems())
    if found:
        raise BrokerError("; ".join(found))
