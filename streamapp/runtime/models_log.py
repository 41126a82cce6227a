"""The whole ``models`` topic, followed by every process: versions, and the pointer to the champion."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streamapp.errors import MessageError
from streamapp.messages import CHAMPION_KEY, Champion, Model

__all__ = ["ModelsLog"]

log = logging.getLogger(__name__)

Listener = Callable[[Model | Champion], None]


class ModelsLog:
    """A broadcast: a plain consumer without a group reads the compacted topic to its end, then follows it.

    Parameters
    ----------
    bootstrap
        Kafka brokers.
    topic
        The deployment's ``models``.
    """

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._listeners: list[Listener] = []
        self.versions: dict[str, Model] = {}
        self.champion: Champion | None = None
        self.caught_up = asyncio.Event()

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every record from now on."""
        self._listeners.append(listener)

    async def run(self) -> None:
        """Read and follow for ever."""
        partition = TopicPartition(self._topic, 0)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
        )
        await consumer.start()
        try:
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            end = (await consumer.end_offsets([partition]))[partition]
            while True:
                if not self.caught_up.is_set() and await consumer.position(partition) >= end:
                    self.caught_up.set()
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        self._read(record)
        finally:
            await consumer.stop()

    def _read(self, record: Any) -> None:
        if record.key is None or record.value is None:
            return
        try:
            message = (Champion if record.key == CHAMPION_KEY else Model).decode(record.value)
        except MessageError as exc:
            log.warning("models record at offset %d is not readable: %s", record.offset, exc)
            return
        self.fold(message)

    def fold(self, message: Model | Champion) -> None:
        """Take note of a record: one that was read, or one that this process has just written."""
        if isinstance(message, Champion):
            self.champion = message
        else:
            self.versions[message.version] = message
        for listener in self._listeners:
            listener(message)

    def former_champions(self) -> list[Model]:
        """Return versions that have served before, the newest first."""
        served = [model for model in self.versions.values() if model.state in {"champion", "retired"}]
        return sorted(served, key=lambda model: model.trained_at or 0, reverse=True)
