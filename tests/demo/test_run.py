from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from streamapp.demo.run import DemoOptions, _beside, _free_ports, _stoppable, run_demo
from streamapp.errors import BrokerError, ConfigError


def test_a_report_that_cannot_be_written_is_refused_before_anything_starts(tmp_path: Path) -> None:
    said: list[str] = []
    options = DemoOptions(report=tmp_path / "nowhere" / "report.json")
    with pytest.raises(ConfigError, match="there is no folder"):
        run_demo(options, role_commands=lambda name, port: {}, say=said.append)
    assert not said


def test_ports_in_a_row_are_free() -> None:
    first = _free_ports(3)
    for port in range(first, first + 3):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))


def test_what_fails_beside_ends_the_whole_and_leaves_no_task() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    async def fails() -> None:
        raise BrokerError("gone")

    async def answer() -> int:
        return 7

    async def check() -> None:
        assert await _beside(answer(), forever()) == 7
        with pytest.raises(BrokerError, match="gone"):
            await _beside(forever(), forever(), fails())
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(check())


def test_sigterm_ends_it_as_ctrl_c_does() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), _stoppable():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
