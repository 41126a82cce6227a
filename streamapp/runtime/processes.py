"""A child process that does not outlive its parent, whatever ends the parent: ``kill -9`` too.

Linux can send a signal to a child when its parent dies, but the child itself must ask for it. So a child
is started through this very file, which asks, and then becomes the command (``exec``: same process id). It
imports nothing of the package, so it costs one bare interpreter start and no ``preexec_fn``, which is unsafe
in programs with threads. On other systems the command runs without that bond.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

__all__ = ["bound_to_parent"]

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>


def bound_to_parent(command: Sequence[str], *, death_signal: int = signal.SIGKILL) -> list[str]:
    """Return `command` such that the process it starts ends when the calling process does.

    To be started by the calling process, from a thread that lives as long as the child may: Linux takes the
    end of the starting thread for the end of the parent.

    Parameters
    ----------
    command
        Program (looked up in ``PATH``) and arguments.
    death_signal
        What the child gets when its parent dies. SIGKILL is certain; SIGTERM lets it finish.

    Examples
    --------
    >>> import subprocess
    >>> subprocess.run(bound_to_parent(["echo", "hello"]), capture_output=True, text=True).stdout.strip()
    'hello'
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(death_signal)), *command]


def _become(parent: int, death_signal: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_SET_PARENT_DEATH_SIGNAL, death_signal)
    if os.getppid() != parent:  # it died before the signal was asked for
        sys.exit(1)
    try:
        os.execvp(command[0], command)
    except OSError as exc:
        sys.exit(f"cannot start {command[0]}: {exc.strerror}")


if __name__ == "__main__":
    _become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
