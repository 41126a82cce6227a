"""Programs under measurement: started, their processor time and memory read from /proc, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from streamapp.runtime.processes import bound_to_parent

__all__ = ["Running", "busy_s", "cpu_s", "end_all", "peak_mb", "start"]

_TICKS = os.sysconf("SC_CLK_TCK")
_GROUP, _UTIME, _CHILDREN_STIME = 2, 11, 14  # places in /proc/PID/stat, counted behind the name
_GRACE_S = 40.0

_started: list[Running] = []


class Running:
    """A program in a process group of its own.

    Parameters
    ----------
    process
        As started.
    log
        File of its output.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self.pid = process.pid
        self.began = time.monotonic()
        self.log = log

    @property
    def cpu_s(self) -> float:
        """Processor time of the program and all it has started, seconds."""
        return cpu_s(self.pid)

    @property
    def peak_mb(self) -> float:
        """Sum of the largest resident sizes of its processes, MB."""
        return peak_mb(self.pid)

    def check(self) -> None:
        """Raise if the program has ended by itself."""
        if self._process.poll() is not None:
            tail = self.log.read_text(errors="replace")[-1_500:]
            raise RuntimeError(f"ended by itself with status {self._process.returncode}: {tail}")

    @property
    def has_ended(self) -> bool:
        """Whether it has ended well; raise if it has ended otherwise."""
        if self._process.poll() != 0:
            self.check()
        return self._process.poll() == 0

    def terminate(self) -> tuple[float, int]:
        """Ask it to end, as an orchestrator would; return the seconds that it took and its status."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()
        return time.monotonic() - began, self._process.returncode

    def kill(self) -> None:
        """End it at once, with all that it has started."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def start(command: Sequence[str], *, log: Path, cwd: Path, env: Mapping[str, str] | None = None) -> Running:
    """Start `command`; it does not outlive this process."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            bound_to_parent(command),
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            start_new_session=True,  # Ctrl-C is for this process, which ends the others itself
        )
    _started.append(Running(process, log))
    return _started[-1]


def end_all() -> None:
    """Kill whatever was started and still runs."""
    for running in _started:
        running.kill()


def cpu_s(pid: int) -> float:
    """Return the processor time, user and system, of a process and all of its group, in seconds."""
    ticks = 0
    for each in _tree(pid):
        fields = _read(each, "stat").rpartition(")")[2].split()
        ticks += sum(map(int, fields[_UTIME : _CHILDREN_STIME + 1]))
    return ticks / _TICKS


def busy_s() -> float:
    """Return the processor time that the whole machine has spent on anything, in seconds."""
    user, nice, system, _, _, *interrupts = map(
        int, Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    )
    return (user + nice + system + sum(interrupts[:3])) / _TICKS


def peak_mb(pid: int) -> float:
    """Return the largest resident size of a process and of its group, summed, in MB."""
    lines = [line for each in _tree(pid) for line in _read(each, "status").splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6


def _tree(pid: int) -> list[int]:
    """Return the processes of the group that `pid` leads: what it has started, and itself."""
    return [each for each in map(int, filter(str.isdigit, os.listdir("/proc"))) if _group(each) == pid]


def _group(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return int(fields[_GROUP]) if fields else 0


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:  # it has just ended
        return ""
