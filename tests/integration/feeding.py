"""Requests that flow while something happens, and processes that are started again as a supervisor would."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import confluent_kafka

from streamapp.runtime.broker.properties import free_port
from streamapp.runtime.supervisor import Supervisor
from streamapp.settings import Role
from tests.integration.deployment import Deployment, requests
from tests.integration.running import page

__all__ = ["Feeder", "Kept"]


class Feeder:
    """Sends ``requests()`` in a thread, some at a time, until the end of the block; delivers all of them.

    Parameters
    ----------
    deployment
        Whose requests.
    chunk, every_s
        How many at a time, and how long between.
    first
        Number of the first one.
    """

    def __init__(
        self, deployment: Deployment, *, chunk: int = 60, every_s: float = 0.1, first: int = 0
    ) -> None:
        self._deployment = deployment
        self._chunk, self._every_s = chunk, every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._failures: list[object] = []
        self.sent = first

    def _feed(self) -> None:
        # Idempotent: a broker that ends must not make the client repeat or reorder what was sent.
        producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": self._deployment.bootstrap,
                "enable.idempotence": True,
                "message.timeout.ms": 180_000,
                "socket.timeout.ms": 10_000,
                "log_level": 0,
            }
        )
        topic = self._deployment.settings.topics.requests
        while not self._stopping.wait(self._every_s):
            for record in requests(self._chunk, first=self.sent):
                producer.produce(
                    topic, record.value, record.key, record.partition, on_delivery=self._delivered
                )
            self.sent += self._chunk
            producer.poll(0)
        producer.flush(180)

    def _delivered(self, error: object, _: object) -> None:
        if error is not None:
            self._failures.append(error)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if kind is None:
            self._thread.join()
            assert not self._failures, self._failures[:3]


class Kept:
    """A role under the product's supervisor, and what was said."""

    def __init__(
        self, deployment: Deployment, role: Role, *faults: str, instance: str, port: int | None = None
    ) -> None:
        self.lines: list[str] = []
        self.deployment = deployment
        self.port = port or free_port()
        self.supervisor = Supervisor(
            {role: deployment.command(role, self.port, *faults)},
            env={**deployment.env, "STREAMAPP_INSTANCE": instance},
            log=lambda _, line: self.lines.append(line),
            first_wait_s=0.2,
            longest_wait_s=2.0,
        )

    def page(self, name: str) -> tuple[int, str]:
        return page(self.port, name)

    def is_ready(self) -> bool:
        return self.page("ready")[0] == 200

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def __enter__(self) -> Self:
        self.supervisor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.supervisor.kill()
