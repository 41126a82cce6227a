from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streamapp.cli import main
from streamapp.cli.run import role_commands
from streamapp.runtime.broker import Broker
from streamapp.runtime.supervisor import EXIT_CONFIG

pytestmark = pytest.mark.broker

Cli = Callable[..., Result]


@pytest.fixture
def ports() -> int:
    """The first of three free ports in a row, below those that the system gives to connections."""
    while True:
        with socket.socket() as first, socket.socket() as second, socket.socket() as third:
            port = random.randrange(20_000, 30_000)
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
                third.bind(("127.0.0.1", port + 2))
            except OSError:
                continue
            return port


@pytest.fixture
def running(
    broker: Broker, cli: Cli, name: str, bundles: list[str], ports: int
) -> Iterator[subprocess.Popen[str]]:
    cli("deploy", bundles[0])
    command = [sys.executable, "-m", "streamapp", "run", name]
    options = ["--bootstrap", broker.bootstrap, "--web-port", str(ports), "--retrain-every", "3600"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def roles_of(pid: int) -> dict[int, tuple[list[str], list[str]]]:
    """Return command line and environment of those children of a process that have become a role."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                line, environment = (
                    Path(f"/proc/{child}/{file}").read_text().split("\0") for file in ("cmdline", "environ")
                )
                if "--role" in line:
                    found[int(child)] = line, environment
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_three_roles_run_and_stop_together(
    running: subprocess.Popen[str], ports: int, number: signal.Signals
) -> None:
    assert running.stdout is not None
    said = [running.stdout.readline() for _ in range(3)]
    for index, role in enumerate(["score", "monitor", "train"]):
        assert said[index].startswith(f"{role:<7} | http://127.0.0.1:{ports + index}/health")
    children: dict[int, tuple[list[str], list[str]]] = {}
    while len(children) < 3:
        children = roles_of(running.pid)
    assert {line[line.index("--role") + 1] for line, _ in children.values()} == {"score", "monitor", "train"}
    assert all("STREAMAPP_RETRAIN_EVERY_S=3600" in environment for _, environment in children.values())
    running.send_signal(number)
    running.communicate(timeout=60)
    assert running.returncode == 0
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_role_is_told_its_own_port() -> None:
    commands = role_commands("bikes", web_port=7000)
    assert {role: line[line.index("--web-port") + 1] for role, line in commands.items()} == {
        "score": "7000",
        "monitor": "7001",
        "train": "7002",
    }
    assert all(line[line.index("--role") + 1] == role for role, line in commands.items())


@pytest.mark.parametrize("options", [[], ["--role", "score"]])
def test_what_is_missing_is_one_line(cli: Cli, name: str, options: list[str]) -> None:
    assert f"streamapp deploy {name} BUNDLE" in cli("run", *options, status=1).stderr
    error = cli("run", *options, bootstrap="127.0.0.1:1", status=1).stderr
    assert "no Kafka broker answers at 127.0.0.1:1" in error
    assert "false_alarm_every = '0'" in cli("run", *options, "--false-alarm-every", 0, status=1).stderr
    error = cli("run", *options, "--drift", "temp:floor=0.3 serial:watch=no", status=1).stderr
    assert "drift of 'serial': watch is 'no'; it must be true or false" in error


def test_a_trainer_that_is_not_there_ends_all_with_one_line(
    broker: Broker, cli: Cli, name: str, bundles: list[str], ports: int
) -> None:
    cli("deploy", bundles[0])
    command = [sys.executable, "-m", "streamapp", "run", name, "--trainer", "nowhere:fit"]
    options = ["--bootstrap", broker.bootstrap, "--web-port", str(ports)]
    done = subprocess.run([*command, *options], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("streamapp run: train exited with status 78 and would again: ")
    assert "trainer 'nowhere:fit': there is no module nowhere, neither installed nor in " in line


def test_a_supervised_role_says_that_no_restart_will_help() -> None:
    options = ["run", "bikes", "--role", "score", "--supervised", "--gate-alpha", "2"]
    result = CliRunner().invoke(main, options, prog_name="streamapp")
    assert result.exit_code == EXIT_CONFIG
    assert "gate_alpha = '2'" in result.stdout


def test_wrong_usage_is_2(cli: Cli) -> None:
    cli("run", "--role", "nobody", status=2)
    cli("run", "--web-port", 0, status=2)
