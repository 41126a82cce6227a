"""What a person sees of the demo: a progress bar in dates and requests, and a line for all that happens."""

from __future__ import annotations

import time
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from streamapp.messages import format_time

if TYPE_CHECKING:
    from rich.progress import TaskID

__all__ = ["Narrator"]

_PLAIN_EVERY_S = 15.0
_STYLES = {
    "drift": "yellow", "promoted": "bold green", "verdict": "cyan", "resolved": "dim",
    "sabotage": "bold red", "rollback": "bold green",
}  # fmt: skip


class Narrator:
    """Writes lines, and on a terminal a bar below them.

    Parameters
    ----------
    total
        Requests that there will be.
    stream
        Where to; standard output if None.
    """

    def __init__(self, total: int, *, stream: IO[str] | None = None) -> None:
        from rich.console import Console  # noqa: PLC0415  # a tenth of a second
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._on_terminal = self._console.is_terminal
        self._total = total
        self._began = self._last = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.fields[date]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} requests  {task.fields[rate]:,.0f}/s"),
            TextColumn("{task.fields[status]}"),
            console=self._console,
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._began = self._last = time.monotonic()
        if self._on_terminal:
            self._task = self._bar.add_task("", total=self._total, date="", rate=0.0, status="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._bar.stop()

    def say(self, text: str) -> None:
        """Write a line."""
        self._console.print(text, markup=False)

    def tell(self, time_ms: int, word: str, text: str) -> None:
        """Write what happened, with its date in the stream."""
        self._console.print(
            f"{format_time(time_ms)[:10]}  {word:<10} {text}", markup=False, style=_STYLES.get(word)
        )

    def progress(self, requests: int, time_ms: int, status: str = "") -> None:
        """Show how far the stream is, and what it waits for."""
        now = time.monotonic()
        if not requests:  # nothing is sent yet: the roles are starting
            self._began = now
        rate = requests / max(now - self._began, 1e-9)
        date = format_time(time_ms)[:10]
        if self._task is not None:
            self._bar.update(self._task, completed=requests, date=date, rate=rate, status=status)
        elif now - self._last >= _PLAIN_EVERY_S:
            self._last = now
            why = f"  ({status})" if status else ""
            self.say(f"{date}  {requests:,} of {self._total:,} requests, {rate:,.0f}/s{why}")
