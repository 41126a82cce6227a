"""Paragraphs that fit a terminal, and stay one line for whoever reads them by program."""

from __future__ import annotations

import shutil
import sys
import textwrap

__all__ = ["hanging", "terminal_width"]

_LEAST = 40


def terminal_width() -> int | None:
    """Return the columns of the terminal that standard output is; None if it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def hanging(label: str, text: str, width: int) -> list[str]:
    """Return the lines of a paragraph that stands beside its label; no word is broken.

    Examples
    --------
    >>> hanging("note  ", "rejected: the champion's own zero-one loss is lower", 40)
    ["note  rejected: the champion's own", '      zero-one loss is lower']
    """
    return textwrap.wrap(
        text,
        max(width, _LEAST),
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )
