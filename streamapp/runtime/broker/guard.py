"""Ends a process when the one that started it is gone, however it went: run as a program of its own.

``python guard.py PARENT CHILD [FOLDER]`` kills CHILD and removes FOLDER once its standard input is closed or
its parent is no longer PARENT. The death signal that Linux can tie to a parent would fire when the *thread*
that started the child ends, and a pipe alone is held open by forks of the parent: hence a look at both.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import time

_LOOK_EVERY_S = 0.5
_DYING_S = 10.0


def main(parent: int, child: int, folder: str | None) -> None:
    """Wait for the end of `parent`, then end `child` and remove `folder`."""
    while os.getppid() == parent and not select.select([0], [], [], _LOOK_EVERY_S)[0]:
        pass
    deadline = time.monotonic() + _DYING_S
    try:
        os.kill(child, signal.SIGKILL)
        while time.monotonic() < deadline:  # it writes into the folder until it is gone
            os.kill(child, 0)
            time.sleep(0.05)
    except ProcessLookupError:
        pass
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
