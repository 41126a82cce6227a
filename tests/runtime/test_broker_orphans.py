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
import os, signal, sys, tempfile
from pathlib import Path
from streamapp.runtime.broker import Broker
from streamapp.runtime.broker.child import GuardedChild
how, what = sys.argv[1:]
if what == "broker":
    guarded = Broker().start()
    folder = guarded.data_dir
else:
    folder = Path(tempfile.mkdtemp())
    guarded = GuardedChild(["sleep", "600"], log=folder / "log", cwd=folder, removed=folder)
forked = os.fork() if how == "fork" else None
if forked == 0:
    signal.pause()
print(guarded.pid, folder, forked or 0, flush=True)
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


# The guard does not know what it watches over: a broker, which takes seconds to start, is one case of it.
@pytest.mark.parametrize(("how", "what"), [("fork", "broker"), ("killed", "program"), ("exit", "program")])
def test_broker_ends_with_its_owner(how: str, what: str) -> None:
    # With "fork", another process goes on holding every pipe that the killed owner had.
    command = [sys.executable, "-c", OWNER, how, what]
    with ExitStack() as stack:
        owner = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        stack.enter_context(owner)
        stack.callback(owner.kill)
        assert owner.stdin is not None
        assert owner.stdout is not None
        pid, folder, forked = owner.stdout.readline().split()
        guarded = watch(stack, int(pid))
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
        assert ends(guarded, within_s=30)
        assert ends(guards[0], within_s=30)
        assert not Path(folder).exists()
