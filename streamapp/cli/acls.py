"""``streamapp acls``."""

from __future__ import annotations

import json
import shlex
from itertools import groupby

import click

from streamapp.cli.options import bootstrap_option, json_option

__all__ = ["command"]

_WHO = ("score", "monitor", "train", "client", "viewer", "reviewer", "operator", "owner")


@click.command("acls")
@click.argument("name")
@click.argument("who", type=click.Choice(_WHO), metavar="[WHO]", required=False)
@click.option("--principal", metavar="TYPE:NAME", help="Whom Kafka knows WHO by.  [default: User:NAME-WHO]")
@bootstrap_option
@json_option
def command(name: str, who: str | None, *, principal: str | None, bootstrap: str, as_json: bool) -> None:
    """List what each user of deployment NAME must be allowed to do on Kafka, and nothing else.

    WHO is score, monitor, train, client, viewer, reviewer, operator or owner; without it all are listed.

    What is printed are commands of Kafka's own tool, to be run by somebody who may; nothing is asked of Kafka
    or changed. A client that reads answers in a consumer group of its own needs Read on that, too.

    \b
    Example:
      streamapp acls bikes
      streamapp acls bikes score --principal User:CN=score.example.org
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    if principal is not None and who is None:
        raise click.UsageError("--principal is of one user: write which, for example score")
    from streamapp.runtime.acls import ACCESS, acls  # noqa: PLC0415  # not needed for --help
    from streamapp.topics import TopicNames  # noqa: PLC0415

    names = TopicNames(name)
    for each in [who] if who else ACCESS:
        whom, found = principal or f"User:{name}-{each}", acls(names, each)
        if as_json:
            for acl in found:
                click.echo(json.dumps({"who": each, "principal": whom, **acl._asdict()}))
            continue
        click.echo(f"# {each}: {ACCESS[each].purpose}")
        for (resource, operation), group in groupby(found, key=lambda acl: (acl.resource, acl.operation)):
            resources = " ".join(f"--{resource} {acl.name}" for acl in group)
            click.echo(
                f"kafka-acls.sh --bootstrap-server {bootstrap} --add --allow-principal {shlex.quote(whom)} "
                f"--operation {operation} {resources}"
            )
