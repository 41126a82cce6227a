"""The command ``streamapp``: a table of commands, each imported only when it is asked for."""

from __future__ import annotations

import importlib
import os
from typing import Any

import click

from streamapp.cli.boundary import boundary

__all__ = ["COMMANDS", "main"]

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("streamapp.cli.demo:command", "Show the whole loop on real data, with a broker of its own."),
    "broker": ("streamapp.cli.broker:command", "Run a real Apache Kafka, without Docker or Java."),
    "bundle": ("streamapp.cli.bundle:command", "Pack a model file with its signature and reference profile."),
    "inspect": ("streamapp.cli.inspect:command", "Say what is in a bundle, without loading its model."),
    "keys": ("streamapp.cli.keys:command", "Make, list and trust the keys that seal bundles."),
    "deploy": (
        "streamapp.cli.deploy:command",
        "Create topics and make a bundle the champion, or a challenger.",
    ),
    "run": ("streamapp.cli.run:command", "Run a deployment: score, monitor and train."),
    "send": ("streamapp.cli.send:command", "Stream a CSV file as requests, and as labels."),
    "gateway": ("streamapp.cli.gateway:command", "Answer HTTP, by way of Kafka."),
    "watch": ("streamapp.cli.watch:command", "Follow answers, alerts and models."),
    "models": ("streamapp.cli.models:command", "List versions; promote one or roll back."),
    "retrain": ("streamapp.cli.retrain:command", "Ask for a new model now."),
    "review": ("streamapp.cli.review:command", "Look at drawn answers, and say what is right."),
    "replay": ("streamapp.cli.replay:command", "Judge recorded distributions again, as set or otherwise."),
    "metrics": ("streamapp.cli.metrics:command", "Print what Prometheus and Grafana need."),
    "redrive": ("streamapp.cli.redrive:command", "Send dead letters again."),
    "delete": ("streamapp.cli.delete:command", "Delete a deployment, and all that is in its topics."),
    "dashboard": ("streamapp.cli.dashboard:command", "Show deployments as a live page."),
    "schemas": (
        "streamapp.cli.schemas:command",
        "Write the schemas of messages and an AsyncAPI document, or check them.",
    ),
    "acls": ("streamapp.cli.acls:command", "List what each user must be allowed to do on a Kafka with ACLs."),
    "completion": ("streamapp.cli.completion:command", "Complete commands and options on the tab key."),
    "doctor": ("streamapp.cli.doctor:command", "Examine a deployment, and how soon it would see drift."),
}
"""Where each command is, and its line in ``streamapp --help``, for which none is imported."""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        if os.environ.get("NO_COLOR"):  # https://no-color.org; rich looks for it, click does not
            ctx.color = False
        with boundary(ctx):
            return super().invoke(ctx)


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="streamapp", message="%(prog)s %(version)s")
def main() -> None:
    """Serve a model on Kafka, know when it stops being right, and replace it safely.

    \b
    First steps:
      streamapp demo                 see it work
      streamapp broker               a Kafka to try it with
      streamapp COMMAND --help       more on a command, with an example
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
