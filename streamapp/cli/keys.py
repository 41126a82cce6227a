"""``streamapp keys``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamapp.cli.options import json_option

if TYPE_CHECKING:
    from streamapp.models import Keys, PublicKey

__all__ = ["command"]


@click.group("keys", invoke_without_command=True)
@json_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """List the keys that are trusted here, and the one that seals what is packed here.

    A bundle whose format can run code (joblib, pickle, river) is loaded only if one of these keys has sealed
    it. The folder is STREAMAPP_KEYS, by default `keys` in your config directory.

    \b
    Example:
      streamapp keys
      streamapp keys trust colleague.pub
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    if ctx.invoked_subcommand is not None:
        return
    from streamapp.models import Keys  # noqa: PLC0415  # not needed for --help

    keys = Keys()
    local = keys.local_fingerprint()
    trusted = [_fields(key, local) for key in keys.list()]
    if as_json:
        click.echo(json.dumps({"folder": str(keys.folder), "keys": trusted}))
        return
    if not trusted:
        click.echo(
            f"no keys in {keys.folder}: `streamapp bundle` makes the first, `streamapp keys new` one now"
        )
        return
    click.echo(f"trusted here ({keys.folder}):")
    for key in trusted:
        mark = "  seals what is packed here" if key["seals"] else ""
        click.echo(f"  {key['fingerprint']}  {Path(key['file']).name}{mark}")


@command.command("new")
@json_option
def new(*, as_json: bool) -> None:
    """Make a new key that seals from now on, and trust it. The former one stays trusted.

    \b
    Example:
      streamapp keys new
    """  # noqa: D301
    from streamapp.models import Keys  # noqa: PLC0415

    keys = Keys()
    _report(keys, keys.new(), "made and trusted; it seals what is packed here from now on", as_json=as_json)


@command.command("trust")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.pub")
@json_option
def trust(file: Path, *, as_json: bool) -> None:
    """Trust the public key in FILE.pub: bundles that it seals may run code here.

    \b
    Example:
      streamapp keys trust colleague.pub
    """  # noqa: D301
    from streamapp.models import Keys  # noqa: PLC0415

    keys = Keys()
    _report(keys, keys.trust(file), "trusted", as_json=as_json)


def _fields(key: PublicKey, local: str | None) -> dict[str, Any]:
    return {"fingerprint": key.fingerprint, "file": str(key.path), "seals": key.fingerprint == local}


def _report(keys: Keys, key: PublicKey, what: str, *, as_json: bool) -> None:
    fields = _fields(key, keys.local_fingerprint())
    if as_json:
        click.echo(json.dumps(fields))
        return
    click.echo(f"key {key.fingerprint} {what}")
    click.echo(
        f"public half: {key.path} (on other machines: streamapp keys trust {Path(str(key.path)).name})"
    )
