"""``streamapp review``."""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from streamapp.cli.options import bootstrap_option, json_option
from streamapp.errors import shown

if TYPE_CHECKING:
    from streamapp.messages import Label
    from streamapp.quality.review_queue import OpenReview

__all__ = ["command"]

_LONGEST = 4_000


@click.command("review")
@click.argument("name")
@click.option("--as", "person", metavar="NAME", help="Who gives the labels; default: your login name.")
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="Look at the newest draws only.",
)
@bootstrap_option
@json_option
def command(name: str, person: str | None, last: int, *, bootstrap: str, as_json: bool) -> None:
    """Show the answers of deployment NAME that a person should look at, and take the labels.

    The newest comes first. Type the class, or as much of it as tells it from the others, or the number; enter
    leaves one out, q ends. What a person has labelled already is not shown. With --json print what is open, a
    line each, and ask nothing.

    \b
    Example:
      streamapp review bikes
      streamapp review bikes --as jk
      streamapp review bikes --json | jq .features
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    from streamapp.runtime.reviews import Reviews  # noqa: PLC0415  # not needed for --help
    from streamapp.settings import Settings  # noqa: PLC0415

    settings = Settings.of(name=name, bootstrap=bootstrap)
    reviews = Reviews(settings.connection, settings.topics, last=last)
    if as_json:
        for one in asyncio.run(reviews.refresh()):
            click.echo(json.dumps(one.review.model_dump(mode="json", by_alias=True)))
        return
    source = f"person:{_person(person)}"
    labelled = 0
    left_out: set[tuple[int, int]] = set()
    try:
        while True:
            waiting = [one for one in asyncio.run(reviews.refresh()) if one.position not in left_out]
            if not waiting:
                click.echo("nothing is left to look at")
                break
            one = waiting[0]
            click.echo(_shown(one, len(waiting)))
            label = _ask(one)
            if label is None:
                left_out.add(one.position)
                continue
            at_ms = time.time_ns() // 1_000_000
            asyncio.run(reviews.label(one, label, source=source, at_ms=at_ms))
            labelled += 1
    except (EOFError, KeyboardInterrupt):
        click.echo()
    click.echo(f"{labelled} labelled by {source}, {len(left_out)} left out")


def _person(given: str | None) -> str:
    if given is None:
        try:
            given = getpass.getuser()
        except (KeyError, OSError):  # a container's user may have no name
            raise click.UsageError("you have no login name here: say who you are with --as NAME") from None
    if not given.strip():
        raise click.UsageError("--as: a name has one letter at least")
    return given.strip()


def _shown(one: OpenReview, waiting: int) -> str:
    """Return the lines that show an answer."""
    review = one.review
    features = {_text(name): _text(value) for name, value in (review.features or {}).items()}
    width = max(map(len, features), default=0)
    drawn = f"drawn as {review.reason} with {review.probability:.3g}"
    lines = [f"\n{_text(review.id)}, {drawn}; {waiting:,} to look at"]
    lines += [f"  {name:<{width}}  {value}" for name, value in features.items()]
    if not features:
        lines.append("  (answers of this deployment do not repeat their features)")
    given = sorted((review.probabilities or {}).items(), key=lambda each: -each[1])
    sure = ", ".join(f"{_text(label)} {p:.2f}" for label, p in given)
    lines.append(f"prediction: {_text(review.prediction)}" + (f" ({sure})" if sure else ""))
    return "\n".join(lines)


def _ask(one: OpenReview) -> Label | None:
    """Return the label that is typed, None for none; EOFError at the end."""
    from streamapp.quality.review_labels import classes_of, read_label  # noqa: PLC0415  # not for --help

    names = [str(label) for label in classes_of(one.review)]
    what = ", ".join(map(_text, names)) or "a value"
    while True:
        click.echo(f"label ({what}; enter: leave out, q: end): ", nl=False)
        try:
            line = sys.stdin.readline()
        except UnicodeDecodeError:
            click.echo("that is no UTF-8")
            continue
        text = line.strip()
        if not line or (text == "q" and "q" not in names):
            raise EOFError
        if not text:
            return None
        try:
            return read_label(one.review, text)
        except ValueError as exc:
            click.echo(shown(str(exc)))


def _text(value: Any) -> str:
    """Return a value on one line: what others wrote must not steer a terminal."""
    return shown("-" if value is None else str(value), _LONGEST)
