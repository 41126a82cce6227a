"""How long a training may take and how much memory it may use, and how the latter is read."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["TrainingLimits", "group_memory_mb"]

_PROC = Path("/proc")
_OWN = ("RssAnon:", "VmSwap:")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLimits:
    """What a training may take; None: as much as it wants.

    Memory is looked at ten times a second and not limited in the kernel: a limit of the address space
    (``RLIMIT_AS``) also counts what the threads of BLAS and OpenMP reserve and never touch, and is each
    process's own. What is taken at one stroke may go a little beyond the limit before it is seen.

    Attributes
    ----------
    timeout_s
        Seconds.
    memory_mb
        Million bytes of memory of its own, of the process and of all that it has started. Linux only.
    """

    timeout_s: float | None = None
    memory_mb: float | None = None

    def overrun(self, elapsed_s: float, group: int) -> str | None:
        """Return in one line what is too much, with the remedy, or None.

        Parameters
        ----------
        elapsed_s
            Seconds since the training began.
        group
            Id of its process group.
        """
        if self.timeout_s is not None and elapsed_s > self.timeout_s:
            return (
                f"the training was ended after {elapsed_s:,.0f} s, of which training_timeout_s allows "
                f"{self.timeout_s:,g}: allow more, or set training_rows lower"
            )
        if self.memory_mb is not None and (used := group_memory_mb(group)) > self.memory_mb:
            return (
                f"the training was ended when it used {used:,.0f} MB, of which training_memory_mb allows "
                f"{self.memory_mb:,g}: allow more, or set training_rows lower"
            )
        return None


def group_memory_mb(group: int) -> float:
    """Return the memory that the processes of a group have for themselves, in million bytes, 0 without /proc.

    Files and libraries that are mapped do not count, nor does what is in shared memory; what is swapped out
    does.
    """
    return sum(_own_bytes(pid) for pid in _members(group)) / 1e6


def _members(group: int) -> list[int]:
    try:
        pids = [int(name) for name in os.listdir(_PROC) if name.isdigit()]
    except FileNotFoundError:
        return []
    members = []
    for pid in pids:
        with suppress(ProcessLookupError):
            if os.getpgid(pid) == group:
                members.append(pid)
    return members


def _own_bytes(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_OWN))
