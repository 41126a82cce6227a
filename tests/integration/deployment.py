"""A deployment on the test broker: its roles as processes, its topics read and written as a user would."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import confluent_kafka
import orjson

from streamapp.messages import Header
from streamapp.models import Bundle
from streamapp.runtime.broker.properties import free_port
from streamapp.runtime.client import read_topic
from streamapp.runtime.deploy import Deployed, deploy
from streamapp.runtime.processes import bound_to_parent
from streamapp.settings import Role, Settings

__all__ = ["PARTITIONS", "Deployment", "Running", "Sending", "requests", "until"]

PATIENCE_S = 60.0
PARTITIONS = 3


class Sending(NamedTuple):
    """A record to be produced."""

    value: bytes | None
    key: bytes | None = None
    partition: int = 0
    headers: Sequence[Header] = ()


def requests(count: int, *, first: int = 0) -> list[Sending]:
    """Requests number `first` and on, over the partitions in turn."""
    return [
        Sending(
            orjson.dumps({"id": f"r-{i}", "features": {"temp": i % 7 - 3.0, "wind": 0.5}}),
            key=b"k%d" % i,
            partition=i % PARTITIONS,
        )
        for i in range(first, first + count)
    ]


def until(
    holds: Callable[[], bool], *, what: str, patience_s: float = PATIENCE_S, every_s: float = 0.2
) -> None:
    """Return once `holds()`; fail with `what` if it does not within the patience."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {patience_s:.0f} s: {what}"
        time.sleep(every_s)


class Deployment:
    """One deployment of one test."""

    def __init__(self, name: str, bootstrap: str, folder: Path, **settings: object) -> None:
        self.name = name
        self.bootstrap = bootstrap
        self.folder = folder
        self.settings = Settings.of(
            name=name,
            bootstrap=bootstrap,
            store=str(folder / "store"),
            keys=folder / "keys",
            state_dir=folder / "state",
            **settings,
        )
        self.env = {
            f"STREAMAPP_{key.upper()}": str(value)
            for key, value in {
                "bootstrap": bootstrap,
                "store": folder / "store",
                "keys": folder / "keys",
                "state_dir": folder / "state",
                **settings,
            }.items()
        }
        self.working_directory = folder / "cwd"
        self.working_directory.mkdir(exist_ok=True)
        self.processes: list[subprocess.Popen[bytes]] = []

    def deploy(self, bundle: Bundle, **options: Any) -> Deployed:
        return asyncio.run(deploy(self.settings, bundle, **options))

    def start(self, role: Role, *, port: int | None = None, instance: str | None = None) -> Running:
        port = port or free_port()
        env = {**os.environ, **self.env, **({"STREAMAPP_INSTANCE": instance} if instance else {})}
        log = self.folder / f"{role}-{port}.log"
        command = [sys.executable, "-m", "streamapp", "run", self.name]
        with log.open("ab") as output:
            process = subprocess.Popen(
                bound_to_parent([*command, "--role", role, "--web-port", str(port)]),
                env=env,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=self.working_directory,
            )
        self.processes.append(process)
        return Running(process, port, log)

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()

    def produce(self, topic: str, records: Iterable[Sending]) -> None:
        """Write with a client that is not ours, and wait for the delivery of all."""
        failed: list[object] = []
        producer = confluent_kafka.Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 5})

        def delivered(error: object, _: object) -> None:
            if error is not None:
                failed.append(error)

        for record in records:
            producer.produce(
                self.settings.topics[topic],
                value=record.value,
                key=record.key,
                partition=record.partition,
                headers=list(record.headers),
                on_delivery=delivered,
            )
            producer.poll(0)
        assert producer.flush(30) == 0
        assert not failed

    def consume(self, topic: str) -> list[Any]:
        """Return all records of a topic, read with a client that is not ours, in the order of partitions."""
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": "unused", "enable.auto.commit": False}
        )
        full = self.settings.topics[topic]
        partitions = consumer.list_topics(full, timeout=10).topics[full].partitions
        wanted = {
            p: consumer.get_watermark_offsets(confluent_kafka.TopicPartition(full, p)) for p in partitions
        }
        consumer.assign([confluent_kafka.TopicPartition(full, p, low) for p, (low, _) in wanted.items()])
        records = []
        try:
            while any(
                at.offset < wanted[at.partition][1]
                for at in consumer.position(
                    [
                        confluent_kafka.TopicPartition(full, p)
                        for p, (low, high) in wanted.items()
                        if low < high
                    ]
                )
            ):
                message = consumer.poll(1.0)
                if message is not None and not message.error():
                    records.append(message)
        finally:
            consumer.close()
        return sorted(records, key=lambda message: (message.partition(), message.offset()))

    def count(self, topic: str) -> int:
        """Return how many records a topic has."""
        return len(asyncio.run(read_topic(self.bootstrap, self.settings.topics[topic])))

    def values(self, topic: str) -> list[dict[str, Any]]:
        """Return the values of a topic, read as JSON."""
        records = asyncio.run(read_topic(self.bootstrap, self.settings.topics[topic]))
        return [orjson.loads(record.value) for record in records]


class Running:
    """One role's process."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    def page(self, name: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{name}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as exc:
            with exc:
                return exc.code, exc.read().decode()
        except OSError as exc:
            return 0, str(exc)

    def wait_ready(self) -> None:
        until(lambda: self.page("ready")[0] == 200, what=f"ready: {self.page('ready')}; {self.tail()}")

    def metric(self, line: str) -> float:
        """Return the value of the metric that stands at the beginning of `line`, 0 if it is not there yet."""
        for found in self.page("metrics")[1].splitlines():
            if found.startswith(line + " "):
                return float(found.rsplit(" ", 1)[1])
        return 0.0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def tail(self) -> str:
        return self.log.read_text()[-2_000:]
