"""Whatever ends the process that started a broker, the broker ends too and its ephemeral data go."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

pytestmark = pytest.mark.broker

OWNER = """
import os, signal, sys
from streamapp.runtime.broker import Broker
with Broker() as broker:
    forked = os.fork() if sys.argv[1] == "fork" else None
    if forked == 0:
        signal.pause()
    print(broker.pid, broker.data_dir, forked or 0, flush=True)
    sys.stdin.readline()
    os._exit(0)
"""


def watch(stack: ExitStack, pid: int) -> int:
    """Return a descriptor that becomes readable when `pid` ends."""
    descriptor = os.pidfd_open(pid)
    stack.callback(os.close, descriptor)
    return descriptor


def ends(descriptor: int, *, within_s: float) -> bool:
    return bool(select.select([descriptor], [], [], within_s)[0])


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


@pytest.mark.parametrize("how", ["killed", "fork", "exit"])
def test_broker_ends_with_its_owner(how: str) -> None:
    # With "fork", another process goes on holding every pipe that the owner had.
    command = [sys.executable, "-c", OWNER, how]
    with ExitStack() as stack:
        owner = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        stack.enter_context(owner)
        stack.callback(owner.kill)
        assert owner.stdin is not None
        assert owner.stdout is not None
        pid, folder, forked = owner.stdout.readline().split()
        java = watch(stack, int(pid))
        guards = [watch(stack, child) for child in children(owner.pid) - {int(pid), int(forked)}]
        assert len(guards) == 1
        assert Path(folder).is_dir()
        if int(forked):
            stack.callback(os.kill, int(forked), signal.SIGKILL)
        if how == "exit":
            owner.stdin.write("\n")
            owner.stdin.flush()
        else:
            owner.kill()
        assert ends(java, within_s=30)
        assert ends(guards[0], within_s=30)
        assert not Path(folder).exists()
