"""A role to which something happens: ``python faulty_role.py NAME ROLE WEB_PORT FAULT...``.

The host is the product's; a fault is wrapped around its seams from outside. Each is one of the functions
below, with its arguments after a colon: ``crash:FILE``, ``limits:2,1``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamapp.agents.app import create_host
from streamapp.runtime import health, worker
from streamapp.runtime.host import Host, StateTable
from streamapp.settings import Settings

CRASHED = 99


class Crash:
    """Ends the process at a pass of a named point: ``POINT N`` stands in the file, once it is there.

    With ``POINT N stop`` it stops there, as by SIGSTOP, until it is continued.

    A file, so that a process that recovers from one crash can be the one that meets the next.
    """

    def __init__(self, file: str) -> None:
        self._file = Path(file)
        self._passes: dict[str, int] = {}

    def passes(self, point: str) -> None:
        if not self._file.exists():
            return
        wanted, count, *stop = self._file.read_text().split()
        if wanted != point:
            return
        self._passes[point] = self._passes.get(point, 0) + 1
        if self._passes[point] == int(count):
            if not stop:
                os._exit(CRASHED)
            os.kill(os.getpid(), signal.SIGSTOP)


def crash(host: Host, file: str) -> None:
    passes, topics = Crash(file).passes, host.topics
    send, deliver, put = host.send, host.deliver, StateTable.put
    consumer = host.transport.Consumer
    ack, commit = consumer.ack, consumer._commit_offsets

    async def sends(topic: str, records: Any, **limits: Any) -> Any:
        futures = await send(topic, records, **limits)
        if topic == topics.predictions:
            passes("queued")
        return futures

    async def delivers(topic: str, records: Any) -> None:
        if topic == topics.distributions:
            passes("closed")
        await deliver(topic, records)
        if topic == topics.distributions:
            passes("published")

    async def puts(self: StateTable, items: Any) -> None:
        passes("acked")
        await put(self, items)
        passes("saved")

    def acks(self: Any, message: Any) -> bool:
        if message.topic == topics.requests:
            passes("delivered")
        return bool(ack(self, message))

    async def commits(self: Any, *args: Any, **kwargs: Any) -> bool:
        done = bool(await commit(self, *args, **kwargs))
        passes("committed")
        return done

    wrap(host, send=sends, deliver=delivers)
    wrap(StateTable, put=puts)
    wrap(consumer, ack=acks, _commit_offsets=commits)


def wrap(owner: Any, **seams: Callable[..., Any]) -> None:
    for name, seam in seams.items():
        setattr(owner, name, seam)


def late_ticks() -> None:
    """Let what a role does every second come late, as in a process that is busy."""
    every = Host.every
    wrap(Host, every=lambda host, seconds, hook: every(host, 20.0 * seconds, hook))


def clock(host: Host, file: str) -> None:
    """Set the wall clock back by the seconds that stand in the file, once it is there."""
    now_ms, set_back = host.now_ms, Path(file)

    def later_or_earlier() -> int:
        return now_ms() - 1000 * (int(set_back.read_text()) if set_back.exists() else 0)

    wrap(host, now_ms=later_or_earlier)


def limits(host: Host, stuck_s: str, give_up_s: str) -> None:
    """Shorten the watchdog's patience."""
    health.STUCK_S, health.GIVE_UP_S = float(stuck_s), float(give_up_s)
    worker._WATCH_EVERY_S = 0.5


def session(host: Host, seconds: str) -> None:
    """Shorten what the group waits for a member that is silent."""
    host.app.conf.broker_session_timeout = float(seconds)
    host.app.conf.broker_heartbeat_interval = float(seconds) / 4


def block(host: Host, file: str) -> None:
    """Let the event loop stand still once the file is there."""

    async def stand_still() -> None:
        if Path(file).exists():
            time.sleep(3600)

    host.every(0.2, stand_still)


def hang(host: Host, file: str) -> None:
    """Let the agent wait for ever once the file is there."""
    send = host.send

    async def sends(topic: str, records: Any, **limits: Any) -> Any:
        if Path(file).exists():
            await asyncio.Event().wait()
        return await send(topic, records, **limits)

    wrap(host, send=sends)


FAULTS: dict[str, Callable[..., None]] = {
    "block": block,
    "clock": clock,
    "crash": crash,
    "hang": hang,
    "limits": limits,
    "session": session,
}


def main(name: str, role: str, port: str, *faults: str) -> None:
    if "late-ticks" in faults:  # before the host asks for its ticks
        late_ticks()
    host = create_host(Settings.of(name=name, role=role, web_port=int(port)))
    for fault in set(faults) - {"late-ticks"}:
        kind, _, arguments = fault.partition(":")
        FAULTS[kind](host, *filter(None, arguments.split(",")))
    worker.run(host)


if __name__ == "__main__":
    main(*sys.argv[1:])
