"""``streamapp schemas``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from streamapp.cli.options import bootstrap_option, json_option
from streamapp.errors import ConfigError

__all__ = ["command"]


@click.command("schemas")
@click.argument("name", required=False)
@click.option(
    "-o",
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where they are.  [default: schemas, of a deployment schemas/NAME]",
)
@click.option("--check", is_flag=True, help="Write nothing; say which files differ, and fail if any does.")
@bootstrap_option
@json_option
def command(name: str | None, *, folder: Path | None, check: bool, bootstrap: str, as_json: bool) -> None:
    """Write the JSON Schema of every message and an AsyncAPI document to DIR, or check those that are there.

    They are generated from the message types and the table of topics, never edited by hand. With NAME, they
    are those of that deployment: its topics, and the columns and classes of its champion. Its model is not
    loaded.

    \b
    Example:
      streamapp schemas --check
      streamapp schemas bikes -o bikes-api
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    from streamapp.documents import ASYNCAPI, documents, read_deployment  # noqa: PLC0415  # not needed for --help
    from streamapp.settings import Settings  # noqa: PLC0415

    folder = folder or Path("schemas", name or "")
    deployment = None
    if name is not None:
        deployment = asyncio.run(read_deployment(Settings.of(name=name, bootstrap=bootstrap)))
    written = documents(deployment)
    try:
        paths = [*folder.glob("*.v*.json"), *folder.glob(ASYNCAPI)]
        there = {path.name: path.read_text(encoding="utf-8") for path in paths}
        if check:
            _compare(name, folder, there, written)
            _say(folder, written, [], f"{len(written)} documents in {folder} are up to date", as_json=as_json)
            return
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in written.items():
            (folder / file).write_text(text, encoding="utf-8")
        for file in there.keys() - written.keys():
            (folder / file).unlink()
    except OSError as exc:
        raise ConfigError(f"{exc.filename or folder}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"a document in {folder} is not UTF-8: {exc}") from exc
    changed = [file for file, text in written.items() if there.get(file) != text]
    line = f"{len(written)} documents in {folder}, {len(changed)} of them changed"
    _say(folder, written, changed, line, as_json=as_json)


def _say(folder: Path, documents: dict[str, str], changed: list[str], line: str, *, as_json: bool) -> None:
    fields = {"dir": str(folder), "documents": sorted(documents), "changed": sorted(changed)}
    click.echo(json.dumps(fields) if as_json else line)


def _compare(name: str | None, folder: Path, there: dict[str, str], documents: dict[str, str]) -> None:
    differing = sorted(file for file in there.keys() & documents.keys() if there[file] != documents[file])
    found = {
        "differ": differing,
        "are missing": sorted(documents.keys() - there.keys()),
        "belong to no message": sorted(there.keys() - documents.keys()),
    }
    problems = [f"{', '.join(files)} {what}" for what, files in found.items() if files]
    if problems:
        remedy = " ".join(["streamapp schemas", *([name] if name else []), "-o", str(folder)])
        raise ConfigError(f"in {folder}, {'; '.join(problems)}: run {remedy}")
