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
    """List the keys that are trusted here, the one that seals what is packed here, and the trusted types.

    A bundle whose model can run code (joblib, pickle, river, Keras with lambdas or classes of others) is
    loaded only if one of these keys has sealed it. What a skops file may build, beside what skops trusts by
    itself, stands in trusted-types.txt in the same folder, one dotted name a line. The folder is
    STREAMAPP_KEYS, by default `keys` in your config directory.

    \b
    Example:
      streamapp keys
      streamapp keys trust colleague.pub
      streamapp keys trust-type our_models.Clipper
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    if ctx.invoked_subcommand is not None:
        return
    from streamapp.models import Keys  # noqa: PLC0415  # not needed for --help

    keys = Keys()
    local = keys.local_fingerprint()
    trusted = [_fields(key, local) for key in keys.list()]
    types = sorted(keys.types())
    if as_json:
        click.echo(json.dumps({"folder": str(keys.folder), "keys": trusted, "types": types}))
        return
    if types:
        click.echo(f"skops files may build, beside what skops trusts by itself: {', '.join(types)}")
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


@command.command("trust-type")
@click.argument("names", nargs=-1, required=True, metavar="PACKAGE.CLASS...")
@json_option
def trust_type(names: tuple[str, ...], *, as_json: bool) -> None:
    """Let skops files build objects of each class or function PACKAGE.CLASS here.

    It is imported when a file names it, and what it does when it is built runs here.

    \b
    Example:
      streamapp keys trust-type our_models.Clipper
    """  # noqa: D301
    from streamapp.models import Keys  # noqa: PLC0415

    keys = Keys()
    keys.trust_types(names)
    if as_json:
        click.echo(json.dumps({"folder": str(keys.folder), "types": sorted(keys.types())}))
        return
    click.echo(f"skops files may build {', '.join(names)} from now on ({keys.folder})")


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
