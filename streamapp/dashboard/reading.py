"""The topics of a deployment, followed by a plain consumer: no group, nothing written, a bounded past."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streamapp.connection import Connection
from streamapp.dashboard.known import KnownVersion
from streamapp.dashboard.state import DeploymentState
from streamapp.dashboard.view import Contact
from streamapp.errors import BrokerError, StreamappError
from streamapp.messages import Model
from streamapp.models import Bundle
from streamapp.runtime.broker_errors import broker_errors
from streamapp.runtime.client import admin_client, all_partition_counts, reader
from streamapp.runtime.log_fields import cause
from streamapp.settings import Settings

__all__ = ["FOLLOWED", "deployments", "follow"]

_PAST: dict[str, int | None] = {
    "models": None,
    "drift-alerts": None,
    "retrain-events": 1_000,
    "decisions": 2_000,
    "distributions": 2_000,
    "labelled": 30_000,
}
"""How many records back the page begins to read; None: the topic is compacted, and read from its start."""

FOLLOWED = (*_PAST, "predictions")
"""The topics that a page reads."""

_SAMPLE = 50
"""Answers of a partition that are looked at for latency, each time: not all that are written."""
_SAMPLE_BYTES = 1 << 20
_SAMPLE_EVERY_S = 2.0
_AT_ONCE = 500
_POLL_MS = 250
_CONTACT_S = 3.0
_RETRY_S = 2.0

log = logging.getLogger(__name__)


async def deployments(connection: Connection) -> list[str]:
    """Return the names of the deployments of a cluster: those that have the topics that a page reads.

    Raises
    ------
    BrokerError
        If no broker answers.
    """
    async with admin_client(connection) as admin:
        topics = await all_partition_counts(admin)
    names = (topic.removesuffix(".models") for topic in topics if topic.endswith(".models"))
    # No others: they may be hidden from who reads no more than these.
    return sorted(name for name in names if all(f"{name}.{topic}" in topics for topic in FOLLOWED))


async def follow(settings: Settings, state: DeploymentState) -> None:
    """Hand the records of a deployment to `state` for ever, and keep its contact up to date.

    Parameters
    ----------
    settings
        Of the deployment.
    state
        Its own.
    """
    follower = _Follower(settings, state)
    while True:
        try:
            await follower.run()
        except BrokerError as exc:
            follower.lost(str(exc))
        await asyncio.sleep(_RETRY_S)


class _Follower:
    def __init__(self, settings: Settings, state: DeploymentState) -> None:
        self._settings = settings
        self._state = state
        self._topics = {settings.topics[name]: name for name in _PAST}
        self._positions: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._is_through = False

    def lost(self, reason: str) -> None:
        """Note that there is no contact; what is known stays."""
        self._state.contact = Contact("gone", self._state.contact.at_ms, reason)

    async def run(self) -> None:
        """Follow until the broker refuses; an outage is waited for by the client itself."""
        connection, predictions = self._settings.connection, self._settings.topics.predictions
        async with (
            reader(connection, list(self._topics)) as consumer,
            reader(connection, [predictions], fetch_bytes=_SAMPLE_BYTES) as answers,
        ):
            self._ends = await self._begin(consumer)
            await self._read_versions(consumer)
            looking = asyncio.create_task(self._look(answers))
            try:
                while not looking.done():
                    await self._read(consumer)
                looking.result()
            finally:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)

    async def _begin(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        """Go to where this page was, or else back from the end; return the ends."""
        with broker_errors(self._settings.connection):
            async with asyncio.timeout(_CONTACT_S):
                starts = await consumer.beginning_offsets(list(consumer.assignment()))
                ends: dict[TopicPartition, int] = await consumer.end_offsets(list(consumer.assignment()))
        for at, end in ends.items():
            past = _PAST[self._topics[at.topic]]
            start = starts[at] if past is None else max(starts[at], end - past)
            consumer.seek(at, min(self._positions.get(at, start), end))
        return ends

    async def _read_versions(self, consumer: AIOKafkaConsumer) -> None:
        """Read all that `models` holds before anything else: what is said elsewhere is about versions."""
        (versions,) = [at for at in self._ends if self._topics[at.topic] == "models"]
        others = set(self._ends) - {versions}
        consumer.pause(*others)
        while await consumer.position(versions) < self._ends[versions]:
            await self._read(consumer)
        consumer.resume(*others)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        with broker_errors(self._settings.connection):
            fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
        # Versions first: what is said in the other topics is about them.
        for at, records in sorted(fetched.items(), key=lambda item: self._topics[item[0].topic] != "models"):
            await self._take(self._topics[at.topic], records)
            self._positions[at] = records[-1].offset + 1
        await self._learn(self._state.wanted())
        if not self._is_through:
            # Not by records alone: what compaction has removed is never read.
            places = [await consumer.position(at) >= end for at, end in self._ends.items()]
            self._is_through = all(places)
            self._met()

    def _met(self) -> None:
        self._state.contact = Contact("live" if self._is_through else "reading", _now_ms())

    async def _take(self, topic: str, records: Sequence[Any]) -> None:
        await self._learn(self._state.wanted(topic, records))
        self._state.take(topic, records)

    async def _learn(self, models: Sequence[Model]) -> None:
        """Fetch bundles: what the versions are compared with."""
        for model in models:
            try:
                bundle = await asyncio.to_thread(
                    Bundle.inspect, model.bundle, trust=self._settings.keys, sha256=model.sha256
                )
                self._state.know(model.version, KnownVersion.of(bundle))
            except StreamappError as exc:
                log.warning("a version cannot be compared: %s", cause(exc), extra={"version": model.version})
                self._state.know(model.version, f"the bundle of {model.version} cannot be read here: {exc}")

    async def _look(self, answers: AIOKafkaConsumer) -> None:
        """Look at some of the newest answers now and then; whether Kafka answers shows there, too."""
        partitions = list(answers.assignment())
        answers.pause(*partitions)  # what is written meanwhile is not fetched
        seen: Mapping[TopicPartition, int] | None = None
        while True:
            try:
                with broker_errors(self._settings.connection, timeout_s=_CONTACT_S):
                    async with asyncio.timeout(_CONTACT_S):
                        ends = await answers.end_offsets(partitions)
                        await self._sample(answers, ends, seen)
            except BrokerError as exc:
                self.lost(str(exc))
            else:
                seen = ends
                self._met()
            await asyncio.sleep(_SAMPLE_EVERY_S)

    async def _sample(
        self,
        answers: AIOKafkaConsumer,
        ends: Mapping[TopicPartition, int],
        seen: Mapping[TopicPartition, int] | None,
    ) -> None:
        if seen is None:  # how long those took that are there already has nothing to do with now
            return
        fresh = {at: end for at, end in ends.items() if end > seen.get(at, 0)}
        for at, end in fresh.items():
            answers.seek(at, max(end - _SAMPLE, seen.get(at, 0)))
        if fresh:
            answers.resume(*fresh)
            fetched = await answers.getmany(*fresh, timeout_ms=_POLL_MS, max_records=_SAMPLE * len(fresh))
            answers.pause(*fresh)
            for records in fetched.values():
                self._state.take("predictions", records)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
