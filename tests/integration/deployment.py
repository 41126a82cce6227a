"""A deployment on the test broker: its roles as processes, its topics read and written as a user would."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
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
from tests.integration.running import Running

__all__ = ["PARTITIONS", "Deployment", "Sending", "labels", "requests"]

PARTITIONS = 3
FAULTY_ROLE = Path(__file__).with_name("faulty_role.py")


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


def labels(count: int, *, first: int = 0) -> list[Sending]:
    """The labels of ``requests(count, first=first)``."""
    return [
        Sending(orjson.dumps({"id": f"r-{i}", "label": "busy"}), key=b"k%d" % i, partition=i % PARTITIONS)
        for i in range(first, first + count)
    ]


class Deployment:
    """One deployment of one test."""

    def __init__(self, name: str, bootstrap: str, folder: Path, **settings: object) -> None:
        self.name = name
        self.bootstrap = bootstrap
        self.folder = folder
        chosen: dict[str, Any] = {
            "bootstrap": bootstrap,
            "store": str(folder / "store"),
            "keys": folder / "keys",
            "state_dir": folder / "state",
            **settings,
        }
        self.settings = Settings.of(name=name, **chosen)
        self.env = {f"STREAMAPP_{key.upper()}": str(value) for key, value in chosen.items()}
        self.working_directory = folder / "cwd"
        self.working_directory.mkdir(exist_ok=True)
        self.processes: list[subprocess.Popen[bytes]] = []

    def deploy(self, bundle: Bundle, **options: Any) -> Deployed:
        return asyncio.run(deploy(self.settings, bundle, **options))

    def command(self, role: Role, port: int, *faults: str) -> list[str]:
        """Return the command line of a role; with `faults` of the one that does what they say to it."""
        if faults:
            return [sys.executable, str(FAULTY_ROLE), self.name, role, str(port), *faults]
        return [
            sys.executable, "-m", "streamapp", "run", self.name,
            "--role", role, "--web-port", str(port), "--supervised",
        ]  # fmt: skip

    def start(
        self,
        role: Role,
        *,
        port: int | None = None,
        instance: str | None = None,
        faults: Sequence[str] = (),
        wrapper: Sequence[str] = (),
    ) -> Running:
        port = port or free_port()
        more = {"STREAMAPP_INSTANCE": instance} if instance else {}
        return self.spawn(role, [*wrapper, *self.command(role, port, *faults)], port, more)

    def start_gateway(self, *options: str) -> Running:
        """Start HTTP in front of the deployment."""
        port = free_port()
        line = [sys.executable, "-m", "streamapp", "gateway", self.name, "--port", str(port), *options]
        return self.spawn("gateway", line, port, {})

    def start_dashboard(self, *options: str) -> Running:
        """Start the page of the deployment."""
        port = free_port()
        line = [sys.executable, "-m", "streamapp", "dashboard", self.name, "--port", str(port), *options]
        return self.spawn("dashboard", line, port, {})

    def spawn(self, what: str, line: list[str], port: int, env: dict[str, str]) -> Running:
        """Start a command that has its pages at `port`, with `env` over the deployment's own."""
        log = self.folder / f"{what}-{port}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                bound_to_parent(line),
                env={**os.environ, **self.env, **env},
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
        assert not failed, failed[:3]

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
        return len(asyncio.run(read_topic(self.settings.connection, self.settings.topics[topic])))

    def committed(self, role: Role, topic: str) -> int:
        """Return how many records of a topic a role has committed, over all partitions."""
        names = self.settings.topics
        client = {"bootstrap.servers": self.bootstrap, "group.id": names.app_id(role)}
        consumer = confluent_kafka.Consumer(client)
        try:
            partitions = consumer.list_topics(names[topic], timeout=10).topics[names[topic]].partitions
            wanted = [confluent_kafka.TopicPartition(names[topic], p) for p in partitions]
            return sum(max(at.offset, 0) for at in consumer.committed(wanted, timeout=10))
        finally:
            consumer.close()

    def values(self, topic: str) -> list[dict[str, Any]]:
        """Return the values of a topic, read as JSON."""
        records = asyncio.run(read_topic(self.settings.connection, self.settings.topics[topic]))
        return [orjson.loads(record.value) for record in records]
