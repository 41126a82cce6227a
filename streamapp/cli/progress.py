"""A line that says how far something is: rewritten in place on a terminal, now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import IO

__all__ = ["ProgressLine"]

_ON_TERMINAL_S, _ELSEWHERE_S = 0.1, 5.0


class ProgressLine:
    """Show lines of progress on standard error, no more of them than a person wants.

    Parameters
    ----------
    stream
        Where to; standard error if None.
    """

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._on_terminal = self._stream.isatty()
        self._last = float("-inf")
        self._is_open = False

    def __call__(self, text: str) -> None:
        """Show `text`, unless another line has just been shown."""
        now = time.monotonic()
        if now - self._last < (_ON_TERMINAL_S if self._on_terminal else _ELSEWHERE_S):
            return
        self._last = now
        if self._on_terminal:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[K{text[:width]}")
            self._is_open = True
        else:
            self._stream.write(f"{text}\n")
        self._stream.flush()

    def close(self) -> None:
        """Take the line away from a terminal; what comes next begins there."""
        if self._is_open:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._is_open = False
