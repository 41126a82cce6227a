"""The whole demo: a broker, a deployment, its roles and a year of flights; nothing of it stays behind."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from streamapp.connection import Connection
from streamapp.demo.feeder import Feeder
from streamapp.demo.flights import LATE, Flights, load_flights
from streamapp.demo.follower import Follower, is_ready
from streamapp.demo.model import DEPLOYMENT, pack_january, pack_spoiled, year_day_ms
from streamapp.demo.narrator import Narrator
from streamapp.demo.record import Record, Tell
from streamapp.demo.sabotage import sabotage
from streamapp.demo.summary import report_of, text_of
from streamapp.errors import BrokerError, ConfigError
from streamapp.models import Bundle
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import producer
from streamapp.runtime.deploy import deploy
from streamapp.runtime.supervisor import Supervisor
from streamapp.settings import Settings

__all__ = ["DemoOptions", "RoleCommands", "run_demo"]

RoleCommands = Callable[[str, int], Mapping[str, Sequence[str]]]
"""From a deployment and the first of four web ports to the command line of each role, and of a dashboard."""

Act = Callable[[Record, Tell], Coroutine[Any, Any, None]]
"""What is done beside the feeding, until cancelled."""

_T = TypeVar("_T")
_DAY_S = 86_400
_ROLES = 3
_PARTITIONS = 2
_READY_S = 120.0
_TUNING: dict[str, Any] = {
    "false_alarm_every": 100_000,
    "label_horizon_s": 30 * _DAY_S,
    "retrain_every_s": 14 * _DAY_S,
    "retrain_every_rows": 0,
    "retrain_cooldown_rows": 10_000,
    "training_window_s": 90 * _DAY_S,
    "training_rows": 80_000,
    # A day has 900 flights and is not like the next: models of three weeks or more, decisions on three days.
    "training_min_rows": 20_000,
    "training_windows": [],
    "gate_min_rows": 3_000,
    "gate_alpha": 0.05,
    "gate_margin": 0.0,
}
"""Settings of the deployment; tests/benchmarks/demo/bench_policies.py shows what others would do."""
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
# Processes that share two processors lose more by waiting for each other's threads than these give.


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What its user may choose.

    Attributes
    ----------
    report
        File for the report; None for none.
    pace
        Requests a second, at most.
    until_ms
        Stop before the flights of this time, milliseconds since the epoch; None: with the year.
    keep
        Leave broker and roles running at the end, until Ctrl-C.
    sabotage
        Promote a spoiled model in the middle.
    """

    report: Path | None = None
    pace: float | None = None
    until_ms: int | None = None
    keep: bool = False
    sabotage: bool = False


def run_demo(
    options: DemoOptions,
    *,
    role_commands: RoleCommands,
    say: Callable[[str], None] = print,
    progress: Callable[[str], None] | None = None,
) -> None:
    """Run the demo in the foreground. For the main thread.

    Parameters
    ----------
    options
        Of its user.
    role_commands
        How the roles are started, and after them a dashboard, if there is to be one.
    say
        Told what is being set up, a line at a time.
    progress
        Told how far something is that takes long, often; default: nobody.

    Raises
    ------
    ConfigError
        If data are not installed, or the report cannot be written.
    BrokerError
        If the broker does not start, or the roles stand still.
    """
    if options.report is not None and not options.report.parent.is_dir():
        raise ConfigError(f"the report cannot be written: there is no folder {options.report.parent}")
    say("reading every flight that left New York in 2013, and the weather")
    year = load_flights()
    first_ms = year_day_ms(2)
    flights = year.between(first_ms, options.until_ms or year_day_ms(13))
    first_month = year.between(0, first_ms)
    january = pack_january(first_month, known_by_ms=first_ms)
    spoiled = pack_spoiled(first_month, known_by_ms=first_ms) if options.sabotage else None
    say(f"January's model is {january.version}: fitted on {january.manifest.reference_rows:,} flights")
    with (
        _stoppable(),
        tempfile.TemporaryDirectory(prefix="streamapp-demo-") as folder,
        Broker(on_progress=progress) as broker,
    ):
        home = Path(folder)
        env = {
            "bootstrap": broker.bootstrap,
            "store": (home / "bundles").as_uri(),
            "keys": str(home / "keys"),
            "state_dir": str(home / "state"),
            **_TUNING,
        }
        say(f"Apache Kafka at {broker.bootstrap}; deployment {DEPLOYMENT}")
        settings = Settings.of(name=DEPLOYMENT, **env)
        asyncio.run(deploy(settings, january, partitions=_PARTITIONS))
        say("starting the roles score, monitor and train")
        port = _free_ports(_ROLES + 1)
        commands = role_commands(DEPLOYMENT, port)
        if len(commands) > _ROLES:
            say(f"a live page at http://127.0.0.1:{port + _ROLES}")
        log_file = home / "roles.log"
        with log_file.open("w", encoding="utf-8") as log:
            supervisor = Supervisor(
                commands,
                env={f"STREAMAPP_{key.upper()}": str(value) for key, value in env.items()} | _ONE_THREAD,
                log=lambda role, line: print(f"{role:<7} | {line}", file=log, flush=True),
            )
            try:
                with supervisor:
                    act = None if spoiled is None else partial(sabotage, settings, spoiled)
                    _run(
                        options,
                        flights,
                        january,
                        settings.connection,
                        supervisor,
                        port=port,
                        say=say,
                        act=act,
                    )
            except (BrokerError, ConfigError) as exc:
                tail = log_file.read_text(encoding="utf-8").splitlines()[-12:]
                say("\n".join(["the roles' last lines:", *tail]))
                raise type(exc)(str(exc)) from exc


def _run(
    options: DemoOptions,
    flights: Flights,
    january: Bundle,
    connection: Connection,
    supervisor: Supervisor,
    *,
    port: int,
    say: Callable[[str], None],
    act: Act | None,
) -> None:
    with Narrator(len(flights)) as narrator:
        record = Record(flights, narrator.tell)
        feeding = _feed(record, narrator, connection, supervisor, port=port, pace=options.pace, act=act)
        seconds = asyncio.run(feeding)
    answers = january.predict(flights.features)
    assert answers.probabilities is not None  # it is a classifier with probabilities
    assert answers.classes is not None
    static = answers.probabilities[:, answers.classes.index(LATE)]
    report = report_of(record, static, seconds=seconds)
    say(text_of(record, static, report))
    if options.report is not None:
        try:
            options.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        except OSError as exc:
            raise ConfigError(f"the report cannot be written to {options.report}: {exc.strerror}") from exc
    if options.keep:
        say(
            f"\nall is still running: streamapp watch {DEPLOYMENT} --bootstrap {connection.bootstrap}\n"
            f"metrics at http://127.0.0.1:{port}/metrics; Ctrl-C stops it"
        )
        supervisor.wait()


async def _feed(
    record: Record,
    narrator: Narrator,
    connection: Connection,
    supervisor: Supervisor,
    *,
    port: int,
    pace: float | None,
    act: Act | None,
) -> float:
    names = Settings.of(name=DEPLOYMENT).topics
    follower = Follower(connection, names, record, train_port=port + _ROLES - 1)
    async with producer(connection) as client:
        await _until_ready(range(port, port + _ROLES), supervisor)
        feeder = Feeder(
            client,
            connection=connection,
            names=names,
            flights=record.flights,
            record=record,
            follower=follower,
            narrator=narrator,
            pace=pace,
        )
        acts = () if act is None else (act(record, narrator.tell),)
        return await _beside(feeder.run(), *follower.jobs(), _guard(supervisor), *acts)


async def _beside(main: Coroutine[Any, Any, _T], *others: Coroutine[Any, Any, None]) -> _T:
    """Return what `main` returns; raise what it or one of the others raises."""
    task = asyncio.ensure_future(main)
    background = [asyncio.ensure_future(other) for other in others]
    try:
        done, _ = await asyncio.wait([task, *background], return_when=asyncio.FIRST_COMPLETED)
        for other in background:
            if other in done:
                other.result()
        return await task
    finally:
        for each in (task, *background):
            each.cancel()
        await asyncio.gather(task, *background, return_exceptions=True)


async def _guard(supervisor: Supervisor) -> None:
    """Raise what ends the supervisor, once it ends."""
    while not supervisor.wait(timeout_s=0):
        await asyncio.sleep(0.5)
    raise BrokerError("the roles have ended; the demo cannot go on")


async def _until_ready(ports: Sequence[int], supervisor: Supervisor) -> None:
    until = time.monotonic() + _READY_S
    for port in ports:
        while not await is_ready(port):
            if supervisor.wait(timeout_s=0) or time.monotonic() > until:
                raise BrokerError(f"the roles are not ready after {_READY_S:.0f} s")
            await asyncio.sleep(0.1)


def _free_ports(count: int) -> int:
    """Return the first of `count` free ports in a row."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first: int = probe.getsockname()[1]
        if first + count <= 65_536 and all(_is_free(first + i) for i in range(count)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM end the demo as Ctrl-C does: in order."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
