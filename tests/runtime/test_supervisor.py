from __future__ import annotations

import os
import queue
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest

from streamapp.errors import ConfigError
from streamapp.runtime.supervisor import EXIT_CONFIG, Supervisor, line_printer

Line = tuple[str, str]

READY_AND_WAIT = "import signal; print('ready'); signal.pause()"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); signal.pause()"


class Log:
    """Collects lines; waits for one."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Line] = queue.Queue()
        self.lines: list[Line] = []

    def __call__(self, role: str, line: str) -> None:
        self._queue.put((role, line))

    def until(self, wanted: Callable[[Line], bool]) -> Line:
        while True:
            line = self._queue.get(timeout=20)
            self.lines.append(line)
            if wanted(line):
                return line

    def rest(self) -> list[Line]:
        while not self._queue.empty():
            self.lines.append(self._queue.get())
        return self.lines


@pytest.fixture
def log() -> Log:
    return Log()


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pid: int) -> None:
    """Wait for the end of a process that is not our child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([fd], [], [], 20)[0], f"process {pid} is still there"
    finally:
        os.close(fd)


def test_output_is_handed_on_line_by_line_under_its_role(log: Log) -> None:
    commands = {
        "score": python("print('one'); print('two'); import signal; signal.pause()"),
        "train": python("import sys; print('to stderr', file=sys.stderr); import signal; signal.pause()"),
    }
    with Supervisor(commands, log=log) as supervisor:
        log.until(lambda line: line == ("score", "two"))
        if ("train", "to stderr") not in log.lines:
            log.until(lambda line: line == ("train", "to stderr"))
        assert supervisor.alive
        assert set(supervisor.pids) == {"score", "train"}
    assert ("score", "one") in log.lines
    assert not supervisor.alive
    assert supervisor.pids == {}
    assert supervisor.wait()


def test_an_unfinished_and_an_endless_line_are_not_lost(log: Log) -> None:
    code = "import sys; sys.stdout.write('x' * 200_000 + 'end'); sys.stdout.flush()"
    with Supervisor({"score": python(code)}, log=log, first_wait_s=1000):
        log.until(lambda line: "exited with status 0" in line[1])
    written = "".join(line for _, line in log.lines[:-1])
    assert written == "x" * 200_000 + "end"


def test_an_exited_role_is_started_again_with_growing_waits(log: Log) -> None:
    with Supervisor(
        {"score": python("raise SystemExit(75)")}, log=log, first_wait_s=0.01, longest_wait_s=0.03
    ):
        for _ in range(4):
            log.until(lambda line: "starting again" in line[1])
    waits = [line.rsplit("again in ")[1] for _, line in log.lines if "starting again" in line]
    assert waits == ["0.01 s", "0.02 s", "0.03 s", "0.03 s"]


def test_a_healthy_run_makes_the_wait_short_again(log: Log) -> None:
    with Supervisor({"score": python("pass")}, log=log, first_wait_s=0.01, healthy_s=0):
        for _ in range(3):
            log.until(lambda line: "starting again in 0.01 s" in line[1])


def test_one_role_killed_leaves_the_others_alone(log: Log) -> None:
    commands = {"score": python(READY_AND_WAIT), "monitor": python(READY_AND_WAIT)}
    with Supervisor(commands, log=log, first_wait_s=0.01) as supervisor:
        log.until(lambda line: line[1] == "ready")
        log.until(lambda line: line[1] == "ready")
        before = supervisor.pids
        os.kill(before["score"], signal.SIGKILL)
        log.until(lambda line: line == ("score", "was ended by SIGKILL; starting again in 0.01 s"))
        log.until(lambda line: line == ("score", "ready"))
        after = supervisor.pids
    assert after["monitor"] == before["monitor"]
    assert after["score"] != before["score"]


@pytest.mark.parametrize("status", [2, EXIT_CONFIG])
def test_a_role_that_cannot_be_mended_ends_everything(log: Log, status: int) -> None:
    commands = {
        "score": python(f"import sys; print('port 6066 is taken'); sys.exit({status})"),
        "monitor": python(READY_AND_WAIT),
    }
    supervisor = Supervisor(commands, log=log)
    supervisor.start()
    with pytest.raises(ConfigError, match=rf"score exited with status {status} .*: port 6066 is taken"):
        supervisor.wait(timeout_s=20)
    assert supervisor.pids == {}


def test_a_role_deaf_to_sigterm_is_killed_after_the_grace(log: Log) -> None:
    with Supervisor({"train": python(DEAF)}, log=log, grace_s=0.2) as supervisor:
        log.until(lambda line: line[1] == "ready")
        pid = supervisor.pids["train"]
    assert ("train", "did not stop within 0.2 s; killed") in log.rest()
    assert not is_running(pid)


def test_kill_does_not_wait_for_the_grace(log: Log) -> None:
    supervisor = Supervisor({"train": python(DEAF)}, log=log, grace_s=1000)
    supervisor.start()
    log.until(lambda line: line[1] == "ready")
    supervisor.kill()
    assert supervisor.pids == {}


def test_what_a_role_has_started_ends_with_it(log: Log) -> None:
    code = f"""
        import os, subprocess, sys
        print(subprocess.Popen([sys.executable, "-c", {DEAF!r}], stdout=subprocess.DEVNULL).pid)
        os.kill(os.getpid(), 9)
    """
    with Supervisor({"train": python(code)}, log=log, first_wait_s=1000):
        grandchild = int(log.until(lambda line: line[1].isdigit())[1])
        log.until(lambda line: "SIGKILL" in line[1])
        wait_until_gone(grandchild)


def test_a_log_that_fails_ends_all_roles() -> None:
    def broken(role: str, line: str) -> None:
        raise BrokenPipeError

    supervisor = Supervisor({"score": python(READY_AND_WAIT), "train": python(READY_AND_WAIT)}, log=broken)
    supervisor.start()
    with pytest.raises(BrokenPipeError):
        supervisor.wait(timeout_s=20)
    assert supervisor.pids == {}


def test_a_program_that_is_not_there_is_named(log: Log) -> None:
    with Supervisor({"score": ["no-such-program"]}, log=log, first_wait_s=1000):
        log.until(lambda line: line[1].startswith("cannot start no-such-program: No such file"))


@pytest.fixture
def foreground(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A supervisor in a process of its own, over two roles; one of them deaf if the test asks for it."""
    script = tmp_path / "foreground.py"
    script.write_text(
        "import sys\n"
        "from streamapp.runtime.supervisor import Supervisor\n"
        f"commands = {{'score': [sys.executable, '-c', {READY_AND_WAIT!r}],\n"
        f"            'train': [sys.executable, '-c', {DEAF!r}]}}\n"
        "supervisor = Supervisor(commands, grace_s=float(sys.argv[1]) if len(sys.argv) > 1 else 1000)\n"
        "supervisor.run()\n"
        "print('clean')\n"
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def read_until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert sorted(process.stdout.readline() for _ in range(2)) == ["score | ready\n", "train | ready\n"]


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def test_ctrl_c_stops_and_a_second_one_kills(foreground: subprocess.Popen[str]) -> None:
    read_until_ready(foreground)
    roles = children(foreground.pid)
    assert len(roles) == 2
    foreground.send_signal(signal.SIGINT)
    while sum(map(is_running, roles)) == 2:
        assert foreground.poll() is None
    assert sum(map(is_running, roles)) == 1, "the deaf role has its grace"
    foreground.send_signal(signal.SIGINT)
    out, _ = foreground.communicate(timeout=20)
    assert foreground.returncode == 0
    assert out == "train | killed\nclean\n"
    assert not any(map(is_running, roles))


def test_roles_die_with_a_supervisor_that_was_killed(foreground: subprocess.Popen[str]) -> None:
    read_until_ready(foreground)
    roles = children(foreground.pid)
    assert len(roles) == 2
    foreground.kill()
    for role in roles:
        wait_until_gone(role)


def test_lines_are_aligned_and_plain_off_a_terminal() -> None:
    out = StringIO()
    log = line_printer(["score", "monitor"], stream=out)
    log("score", "up")
    log("monitor", "up")
    assert out.getvalue() == "score   | up\nmonitor | up\n"
