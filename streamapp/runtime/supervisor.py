"""Several processes kept alive as one: started, restarted with back-off, stopped together.

Theory of operation: one thread owns all children. It starts them, reads their output, sees them exit, and is
the only one to signal them, so nothing is locked; other threads set a flag and wait. It lives until the last
child is gone, because a child ends with the thread that started it.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType, TracebackType
from typing import Self, TextIO

from streamapp.errors import ConfigError
from streamapp.runtime.child import Child

__all__ = ["EXIT_CONFIG", "Supervisor", "line_printer"]

EXIT_CONFIG = 78
"""Exit status of a role that no restart will mend (``EX_CONFIG``): a wrong setting, a taken port."""

Log = Callable[[str, str], None]

_FINAL = {2, EXIT_CONFIG}
_POLL_S = 0.1
_COLOURS = (36, 33, 35, 32, 34)  # cyan, yellow, magenta, green, blue


def line_printer(roles: Sequence[str], *, stream: TextIO | None = None) -> Log:
    """Return a log function that prints ``score   | line``, coloured by role on a terminal.

    Parameters
    ----------
    roles
        All that will be named: they set the width of the first column.
    stream
        Where to; default standard output.
    """
    out = sys.stdout if stream is None else stream
    coloured = out.isatty() and not os.environ.get("NO_COLOR")
    width = max(map(len, roles), default=0)
    prefixes = {}
    for index, role in enumerate(roles):
        prefix = f"{role:<{width}} |"
        colour = _COLOURS[index % len(_COLOURS)]
        prefixes[role] = f"\x1b[{colour}m{prefix}\x1b[0m" if coloured else prefix

    def log(role: str, line: str) -> None:
        print(prefixes[role], line, file=out, flush=True)

    return log


class _Role:
    """One role's child, and when to start it again."""

    def __init__(self, name: str, command: Sequence[str], *, env: Mapping[str, str], log: Log) -> None:
        self.name = name
        self.child = Child(command, env=env, on_line=lambda line: log(name, line))
        self.started_at = 0.0
        self.due_at = 0.0
        self.wait_s = 0.0


class Supervisor:
    """Keeps one process per role running until it is told to stop.

    A role that exits, whatever its status, is started again after a wait that doubles each time and falls
    back after a healthy run. One that exits with 2 or :data:`EXIT_CONFIG` would do so for ever: it ends all.

    Parameters
    ----------
    commands
        Role to command line.
    env
        Added to this process's environment.
    log
        Called with (role, line) for each line that a role writes and for what happens to it; default
        :func:`line_printer`. Called from the supervisor's thread.
    first_wait_s, longest_wait_s
        Bounds of the wait before a restart, seconds.
    healthy_s
        A run of this many seconds makes the next wait the first one again.
    grace_s
        Between SIGTERM and SIGKILL, seconds.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        *,
        env: Mapping[str, str] | None = None,
        log: Log | None = None,
        first_wait_s: float = 1.0,
        longest_wait_s: float = 30.0,
        healthy_s: float = 60.0,
        grace_s: float = 15.0,
    ) -> None:
        self._log = log or line_printer(list(commands))
        whole_env = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
        self._roles = [
            _Role(name, command, env=whole_env, log=self._log) for name, command in commands.items()
        ]
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s
        self._healthy_s = healthy_s
        self._grace_s = grace_s
        self._stopping = threading.Event()
        self._killing = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Start all roles and return at once."""
        if self._thread is not None:
            raise ConfigError("a supervisor starts once; make another one")
        self._thread = threading.Thread(target=self._guarded, name="supervisor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop all roles and wait until they are gone: SIGTERM, and SIGKILL to those left after the grace."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def kill(self) -> None:
        """Stop all roles by SIGKILL and wait until they are gone."""
        self._killing.set()
        self.stop()

    @property
    def alive(self) -> bool:
        """Whether every role has a running process."""
        return len(self.pids) == len(self._roles)

    @property
    def pids(self) -> dict[str, int]:
        """Process id of every role that runs now."""
        pids = {role.name: role.child.pid for role in self._roles}
        return {name: pid for name, pid in pids.items() if pid is not None}

    def wait(self, timeout_s: float | None = None) -> bool:
        """Return True when all has ended, False after `timeout_s` seconds.

        Raises
        ------
        ConfigError
            If a role would fail for ever.
        """
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                return False
        if self._failure is not None:
            raise self._failure
        return True

    def run(self) -> None:
        """Run in the foreground until SIGTERM or Ctrl-C; a second one kills. For the main thread.

        Raises
        ------
        ConfigError
            If a role would fail for ever.
        """

        def on_signal(number: int, frame: FrameType | None) -> None:
            (self._killing if self._stopping.is_set() else self._stopping).set()

        before = {
            number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # as SIGHUP is under nohup
                signal.signal(number, on_signal)
        try:
            self.start()
            while not self.wait(timeout_s=1.0):
                pass
        finally:
            self.stop()
            for number, handler in before.items():
                signal.signal(number, handler)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # From here on: in the supervisor's thread.

    def _guarded(self) -> None:
        with selectors.DefaultSelector() as selector:
            try:
                self._supervise(selector)
            except BaseException as exc:  # for example the log's pipe was closed; wait() hands it on
                self._failure = exc
                for role in self._roles:
                    if role.child.pid is not None:
                        role.child.mute()
                        role.child.signal(signal.SIGKILL)
                        role.child.reap()

    def _supervise(self, selector: selectors.BaseSelector) -> None:
        kill_at: float | None = None
        killed = False
        while not self._stopping.is_set() or self.pids:
            now = time.monotonic()
            if not self._stopping.is_set():
                for role in self._roles:
                    if role.child.pid is None and role.due_at <= now:
                        role.child.start()
                        role.started_at = now
                        selector.register(role.child.output, selectors.EVENT_READ, role)
            elif kill_at is None:
                kill_at = now + self._grace_s
                self._signal(signal.SIGTERM)
            elif not killed and (now >= kill_at or self._killing.is_set()):
                killed = True
                why = "" if self._killing.is_set() else f"did not stop within {self._grace_s:g} s; "
                for name in self.pids:
                    self._log(name, f"{why}killed")
                self._signal(signal.SIGKILL)
            for key, _ in selector.select(_POLL_S):
                if not key.data.child.read():
                    selector.unregister(key.fileobj)
            for role in self._roles:
                if role.child.has_exited():
                    if role.child.output in selector.get_map():
                        selector.unregister(role.child.output)
                    self._ended(role, role.child.reap())

    def _signal(self, number: signal.Signals) -> None:
        for role in self._roles:
            role.child.signal(number)

    def _ended(self, role: _Role, code: int) -> None:
        if self._stopping.is_set():
            return
        how = f"exited with status {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
        if code in _FINAL:
            reason = role.child.last_line or "it said nothing"
            self._failure = ConfigError(f"{role.name} {how} and would again: {reason}")
            self._stopping.set()
            return
        now = time.monotonic()
        if role.wait_s == 0 or now - role.started_at >= self._healthy_s:
            role.wait_s = self._first_wait_s
        else:
            role.wait_s = min(2 * role.wait_s, self._longest_wait_s)
        role.due_at = now + role.wait_s
        self._log(role.name, f"{how}; starting again in {role.wait_s:g} s")
