"""What runs how: each contender is a command that answers one topic of requests into another."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from streamapp.runtime.broker.properties import free_port
from streamapp.runtime.deploy import deploy
from streamapp.settings import Settings
from tests.benchmarks.peers.cluster import Cluster
from tests.benchmarks.peers.load import PARTITIONS
from tests.benchmarks.peers.model import Made
from tests.benchmarks.peers.process import Running, start

__all__ = ["ALL", "Contender", "Job", "Place", "is_ready", "until_answers"]

_HERE = Path(__file__).parent / "contenders"
_ROOT = Path(__file__).parents[3]
_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to answer requests."""

    name: str
    script: str | None = None
    """In the folder of contenders; None is streamapp."""
    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    share: float = 1.0
    """Of the requests that the others get: the slow ones would take too long."""
    most_per_s: int = 1_000_000
    """Higher rates would only queue up."""

    @property
    def is_streamapp(self) -> bool:
        """Whether it is the project itself."""
        return self.script is None


ALL = {
    contender.name: contender
    for contender in (
        Contender("streamapp"),
        Contender("aiokafka_loop", "aiokafka_loop.py"),
        Contender("aiokafka_loop_1s", "aiokafka_loop.py", env={"COMMIT_S": "1"}),
        Contender("confluent_loop", "confluent_loop.py"),
        Contender(
            "faust_naive",
            "faust_naive.py",
            ("worker", "--loglevel", "warn", "--without-web"),
            share=0.03,
            most_per_s=500,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where all of them run: the broker, the model, and a folder for files."""

    cluster: Cluster
    broker_pid: int
    made: Made
    folder: Path
    _numbers: count[int] = field(default_factory=count)

    def job(self, contender: Contender, *, requests: str | None = None) -> Job:
        """Return a job for `contender`, with topics of its own, or on `requests` that others answer too."""
        name = f"{contender.name}-{next(self._numbers)}"
        (self.folder / name).mkdir()
        if contender.is_streamapp:
            self._deploy(name)
        else:
            own = [f"{name}.predictions"] + ([] if requests else [f"{name}.requests"])
            self.cluster.create(*own)
        return Job(contender, self, name, requests or f"{name}.requests")

    def _deploy(self, name: str) -> None:
        settings = Settings.of(name=name, **self.settings())
        asyncio.run(deploy(settings, self.made.bundle, partitions=PARTITIONS))

    def settings(self) -> dict[str, str]:
        """Return the settings of streamapp that say where things are."""
        where = {part: str(self.folder / part) for part in ("store", "keys", "state")}
        return {
            "bootstrap": self.cluster.bootstrap,
            "store": where["store"],
            "keys": where["keys"],
            "state_dir": where["state"],
        }


@dataclass(frozen=True, slots=True)
class Job:
    """A contender with its topics and its group; it may be started more than once."""

    contender: Contender
    place: Place
    name: str
    requests: str

    @property
    def answers(self) -> str:
        """The topic of answers."""
        return f"{self.name}.predictions"

    @property
    def group(self) -> str:
        """The consumer group."""
        return f"{self.name}-score" if self.contender.is_streamapp else self.name

    def answered(self) -> int:
        """Return how many answers there are."""
        return self.place.cluster.count(self.answers)

    def start(self, *, port: int = 0, instance: str = "one", clock: Path | None = None) -> Running:
        """Start one process; with `clock`, the time inside the model is counted in this file."""
        command = self._command(port or free_port())
        if clock is not None:
            command = [str(_HERE / "timed.py"), str(clock), *command]
        folder = self.place.folder / self.name
        env = {**_ONE_THREAD, **self._env(folder, instance), **self.contender.env}
        return start([sys.executable, *command], log=folder / "log", cwd=folder, env=env)

    def end(self) -> None:
        """Remove its topics."""
        self.place.cluster.drop_prefixed(self.name)

    def _command(self, port: int) -> list[str]:
        contender = self.contender
        if contender.script is not None:
            return [str(_HERE / contender.script), *contender.arguments]
        return ["-m", "streamapp", "run", self.name, "--role", "score", "--web-port", str(port)]

    def _env(self, folder: Path, instance: str) -> dict[str, str]:
        if self.contender.is_streamapp:
            settings = {**self.place.settings(), "instance": instance}
            # The streamapp of this tree, wherever the one that is installed lies.
            path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
            return {f"STREAMAPP_{key.upper()}": value for key, value in settings.items()} | {
                "PYTHONPATH": path
            }
        return {
            "BOOTSTRAP": self.place.cluster.bootstrap,
            "REQUESTS": self.requests,
            "ANSWERS": self.answers,
            "GROUP": self.group,
            "MODEL": str(self.place.made.file),
            "STATE": str(folder),
        }


def is_ready(port: int) -> bool:
    """Return whether a role of streamapp says that it is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:  # not there yet, or 503
        return False


def until_answers(job: Job, running: Running, wanted: int, *, patience_s: float = 90.0) -> float:
    """Return the seconds since the start of `running` at which the job has `wanted` answers."""
    while job.answered() < wanted:
        running.check()
        if time.monotonic() - running.began > patience_s:
            raise RuntimeError(f"{job.name}: {job.answered()} of {wanted} answers in {patience_s:.0f} s")
        time.sleep(0.02)
    return time.monotonic() - running.began
