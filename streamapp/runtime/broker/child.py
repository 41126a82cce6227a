"""A child process that cannot outlive this one: it starts only once a guard watches over it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from streamapp.runtime.broker import guard

__all__ = ["GuardedChild"]

# Waits for leave on its standard input, which comes when the guard is there; no leave, no child.
_GATE = 'read -r leave && exec "$@" </dev/null'


class GuardedChild:
    """A running program and the small process that ends it when this one is gone.

    Parameters
    ----------
    command
        The program and its arguments.
    log
        File that its output is appended to.
    cwd
        Its working directory.
    fds
        Descriptors that it shares.
    removed
        Folder that the guard removes after it; not removed in an orderly end.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        cwd: Path,
        fds: Sequence[int] = (),
        removed: Path | None = None,
    ) -> None:
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                ["/bin/sh", "-c", _GATE, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=cwd,
                start_new_session=True,  # Ctrl-C is for this process, which ends the child in its time
                pass_fds=tuple(fds),
            )
        folder = [] if removed is None else [str(removed)]
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), str(self._child.pid), *folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._child.stdin:
            self._child.stdin.write(b"go\n")

    @property
    def pid(self) -> int:
        """Process id of the program."""
        return self._child.pid

    def poll(self) -> int | None:
        """Return the exit status (negative for a signal), None while the program runs."""
        return self._child.poll()

    def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit status, None if the program still runs after `timeout` seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._child.wait(timeout)
        return None

    def terminate(self) -> None:
        """Ask the program to end (SIGTERM)."""
        self._child.terminate()

    def end(self) -> None:
        """Kill the program if it runs, then its guard."""
        for process in (self._child, self._guard):  # in this order: the program is never without a guard
            process.kill()
            process.wait()
        assert self._guard.stdin is not None
        self._guard.stdin.close()
