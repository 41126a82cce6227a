"""A child process, started again and again, whose output is read line by line without blocking."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence

from streamapp.runtime.processes import bound_to_parent

__all__ = ["Child"]

_CHUNK = 1 << 16
_LONGEST_LINE = 1 << 16
_CHUNKS_AT_ONCE = 16  # then it is another child's turn


class Child:
    """One command, and its process while there is one.

    The process leads a session of its own, so a Ctrl-C in the terminal does not reach it, and what it starts
    can be ended with it. It ends when the thread that started it does.

    Parameters
    ----------
    command
        Program and arguments.
    env
        The whole environment.
    on_line
        Called with each line of standard output and standard error, decoded, without its end.
    """

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], on_line: Callable[[str], None]
    ) -> None:
        self._command = command
        self._env = env
        self._on_line = on_line
        self._process: subprocess.Popen[bytes] | None = None
        self._output = -1
        self._unfinished = b""
        self.last_line = ""

    @property
    def pid(self) -> int | None:
        """Process id, None while there is no process."""
        process = self._process  # read once: another thread may reap
        return None if process is None else process.pid

    @property
    def output(self) -> int:
        """File descriptor of the output, to be selected on."""
        return self._output

    def start(self) -> None:
        """Start a process."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        try:
            self._process = subprocess.Popen(
                bound_to_parent(self._command),
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                start_new_session=True,
            )
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        self._output = read_end
        self.last_line = ""

    def read(self) -> bool:
        """Hand on the lines that are there; return False at the end of the output."""
        for _ in range(_CHUNKS_AT_ONCE):
            try:
                chunk = os.read(self._output, _CHUNK)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            *lines, self._unfinished = (self._unfinished + chunk).split(b"\n")
            if len(self._unfinished) > _LONGEST_LINE:
                lines.append(self._unfinished)
                self._unfinished = b""
            for line in lines:
                self._say(line)
        return True

    def _say(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        self.last_line = text.strip() or self.last_line
        self._on_line(text)

    def mute(self) -> None:
        """Read on, but hand nothing on any more."""
        self._on_line = lambda line: None

    def has_exited(self) -> bool:
        """Return whether the process has ended. It keeps its id until :meth:`reap`."""
        pid = self.pid
        return pid is not None and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def reap(self) -> int:
        """Wait for the end, hand on the last lines, end what the process had started; return its status."""
        process = self._process
        assert process is not None
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.read()
        if self._unfinished:
            self._say(self._unfinished)
            self._unfinished = b""
        self.signal(signal.SIGKILL)  # before the id is given back: now it can name nobody else
        code = process.wait()
        os.close(self._output)
        self._process = None
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send `number` to the process; SIGKILL also to all that it has started."""
        if self._process is None:
            return
        if number is signal.SIGKILL:
            # Gone already is as good; so says macOS of a group of zombies by PermissionError.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
        else:
            self._process.send_signal(number)
