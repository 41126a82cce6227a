"""The whole ``models`` topic, which every process follows: versions, and the pointer to the champion."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streamapp.errors import MessageError
from streamapp.messages import CHAMPION_KEY, Champion, Model, OutRecord, caused_id, event_headers
from streamapp.runtime.host import Host
from streamapp.runtime.metadata import ask_seldom

__all__ = ["ModelsLog"]

log = logging.getLogger(__name__)

Listener = Callable[[Model | Champion], None]


class ModelsLog:
    """A broadcast: a plain consumer without a group reads the compacted topic to its end, then follows it.

    It says what was read, never what is on its way: whoever writes waits until that was read, too.

    Parameters
    ----------
    host
        Of the process.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._topic = host.topics.models
        self._writing = asyncio.Lock()
        self._read_to = 0
        self._progress = asyncio.Condition()
        self._listeners: list[Listener] = []
        self.versions: dict[str, Model] = {}
        self.champion: Champion | None = None
        self.pointed_at_ms = 0
        """Wall clock of the pointer's record; what it says itself is stream time where JUDGE wrote it."""
        self.caught_up = asyncio.Event()

    @property
    def serving(self) -> Model | None:
        """The record of the champion; None while there is none."""
        return None if self.champion is None else self.versions.get(self.champion.version)

    @property
    def is_private(self) -> bool:
        """Whether requests to the champion may hold personal columns; also if that is not known yet."""
        if self.champion is None:
            return False
        return self.serving is None or bool(self.serving.personal)

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every record from now on."""
        self._listeners.append(listener)

    async def run(self) -> None:
        """Read and follow for ever."""
        partition = TopicPartition(self._topic, 0)
        consumer = AIOKafkaConsumer(
            **self._host.settings.connection.client_options,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        ask_seldom(consumer)
        await consumer.start()
        try:
            # Asked before anything is fetched: the answer would wait behind a fetch that waits for records.
            end = (await consumer.end_offsets([partition]))[partition]
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            while True:
                if not self.caught_up.is_set() and await consumer.position(partition) >= end:
                    self.caught_up.set()
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        self._read(record)
                    await self._has_read(records[-1].offset)
        finally:
            await consumer.stop()

    def _read(self, record: Any) -> None:
        if record.key is None or record.value is None:
            return
        try:
            message = (Champion if record.key == CHAMPION_KEY else Model).decode(record.value)
        except MessageError as exc:
            log.warning("a models record is not readable: %s", exc.code, extra={"offset": record.offset})
            return
        if isinstance(message, Champion):
            self.champion, self.pointed_at_ms = message, record.timestamp
        else:
            self.versions[message.version] = message
        for listener in self._listeners:
            listener(message)

    async def _has_read(self, offset: int) -> None:
        async with self._progress:
            self._read_to = offset + 1
            self._progress.notify_all()

    async def update(self, version: str, change: Callable[[Model], Model]) -> None:
        """Write the record of `version` as `change` makes it of the latest; not, if that changes nothing.

        One at a time: WATCH and JUDGE both rewrite records, and neither may undo what the other wrote.
        """
        async with self._writing:
            model = self.versions.get(version)
            if model is not None and (new := change(model)) != model:
                await self._write(new.version.encode(), new, "model", version, new.encode())

    async def add(self, model: Model) -> None:
        """Write the record of a new version."""
        async with self._writing:
            causes = ("model", self._host.settings.name, model.version, model.state, model.bundle)
            await self._write(model.version.encode(), model, *causes)

    async def point_at(self, version: str, at_ms: int) -> None:
        """Make `version` the champion."""
        async with self._writing:
            await self._write(CHAMPION_KEY, Champion(version=version, at=at_ms), "champion", version, at_ms)

    async def _write(self, key: bytes, message: Model | Champion, *causes: object) -> None:
        name = self._host.settings.name
        headers = event_headers(name, message.ce_type, caused_id(name, *causes), self._host.now_ms())
        (written,) = await self._host.deliver(self._topic, [OutRecord.of(0, key, message.encode(), headers)])
        async with self._progress:
            await self._progress.wait_for(lambda: self._read_to > written.offset)

    def former_champions(self) -> list[Model]:
        """Return versions that have served before, the newest first."""
        served = [model for model in self.versions.values() if model.state in {"champion", "retired"}]
        return sorted(served, key=lambda model: model.trained_at or 0, reverse=True)
