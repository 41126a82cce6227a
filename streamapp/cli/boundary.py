"""What a command's errors look like from outside: one line, and an exit status."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import click

from streamapp.errors import StreamappError, shown

__all__ = ["boundary"]

_INTERRUPTED = 130
_LONGEST = 4_000


@contextmanager
def boundary(ctx: click.Context) -> Iterator[None]:
    """End the command with one line on standard error if it raises.

    A :class:`~streamapp.errors.StreamappError` says what to do by itself. Anything else was not foreseen: its
    type is named, and how to see where it came from. Errors in usage are click's.
    """
    # Clients log what they also raise; without a handler Python would print it beside the one line.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        yield
        sys.stdout.flush()
    except (click.exceptions.Exit, click.ClickException, click.Abort):
        raise
    except StreamappError as exc:
        _end(ctx, str(exc))
    except BrokenPipeError:
        # Whoever read has enough (`| head`). What is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    except Exception as exc:  # the last line of defence
        _end(ctx, f"unexpected {type(exc).__name__}: {exc} (STREAMAPP_DEBUG=1 shows where)")


def _end(ctx: click.Context, message: str) -> None:
    if os.environ.get("STREAMAPP_DEBUG"):
        traceback.print_exc()
    command = " ".join(filter(None, [ctx.info_name, ctx.invoked_subcommand]))
    click.echo(f"{command}: {shown(' '.join(message.split()), _LONGEST)}", err=True)
    raise SystemExit(1) from None
