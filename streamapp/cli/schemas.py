"""``streamapp schemas``."""

from __future__ import annotations

from pathlib import Path

import click

from streamapp.errors import ConfigError

__all__ = ["command"]


@click.command("schemas")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("schemas"),
    show_default=True,
    metavar="DIR",
    help="Where they are.",
)
@click.option("--check", is_flag=True, help="Write nothing; say which files differ, and fail if any does.")
def command(folder: Path, *, check: bool) -> None:
    """Write the JSON Schema of every message to DIR, or check those that are there.

    They are generated from the message types, never edited by hand.

    \b
    Example:
      streamapp schemas --check
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    from streamapp.messages.schemas import schema_documents  # noqa: PLC0415  # not needed for --help

    documents = schema_documents()
    try:
        there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.v*.json")}
        if check:
            _compare(folder, there, documents)
            click.echo(f"{len(documents)} schemas in {folder} are up to date")
            return
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in documents.items():
            (folder / name).write_text(text, encoding="utf-8")
        for name in there.keys() - documents.keys():
            (folder / name).unlink()
    except OSError as exc:
        raise ConfigError(f"{exc.filename or folder}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"a schema in {folder} is not UTF-8: {exc}") from exc
    changed = sum(there.get(name) != text for name, text in documents.items())
    click.echo(f"{len(documents)} schemas in {folder}, {changed} of them changed")


def _compare(folder: Path, there: dict[str, str], documents: dict[str, str]) -> None:
    differing = sorted(name for name in there.keys() & documents.keys() if there[name] != documents[name])
    found = {
        "differ": differing,
        "are missing": sorted(documents.keys() - there.keys()),
        "belong to no message": sorted(there.keys() - documents.keys()),
    }
    problems = [f"{', '.join(names)} {what}" for what, names in found.items() if names]
    if problems:
        raise ConfigError(f"in {folder}, {'; '.join(problems)}: run streamapp schemas --dir {folder}")
