"""The topics of a deployment, followed by a plain consumer: no group, nothing written, a bounded past."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from streamapp.connection import Connection
from streamapp.dashboard.contact import ContactFold
from streamapp.dashboard.fetching import Fetcher
from streamapp.dashboard.known import KnownVersion
from streamapp.dashboard.state import DeploymentState
from streamapp.errors import BrokerError
from streamapp.messages import Model
from streamapp.models import Bundle
from streamapp.runtime.broker_errors import broker_errors
from streamapp.runtime.client import admin_client, all_partition_counts, reader
from streamapp.runtime.log_fields import cause
from streamapp.settings import Settings
from streamapp.topics import deployments_in

__all__ = ["FOLLOWED", "Following", "deployments", "follow", "persist"]

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

log = logging.getLogger(__name__)


async def deployments(connection: Connection) -> list[str]:
    """Return the names of the deployments of a cluster.

    Raises
    ------
    BrokerError
        If no broker answers.
    """
    async with admin_client(connection) as admin:
        return deployments_in(await all_partition_counts(admin))


async def follow(settings: Settings, state: DeploymentState) -> None:
    """Hand the records of a deployment to `state` for ever, and keep its contact up to date.

    Whatever goes wrong with that is said by the contact and tried again, ever less often if it is not Kafka.

    Parameters
    ----------
    settings
        Of the deployment.
    state
        Its own.
    """
    follower = _Follower(settings, state)
    try:
        await persist(follower, settings.name)
    finally:
        await follower.close()


class Following(Protocol):
    """What can be lost, or fail, and is begun again."""

    async def run(self) -> None:
        """Follow; at the end it is begun again at once."""

    def lost(self, reason: str) -> None:
        """Note that there is no contact; what is known stays."""

    def failed(self, reason: str) -> None:
        """Note that reading has ended, though Kafka may answer; what is known stays."""


async def persist(following: Following, name: str, *, retry_s: float = 2.0, most_s: float = 60.0) -> None:
    """Run it for ever.

    Parameters
    ----------
    following
        What is run.
    name
        Its own, for the log.
    retry_s
        After which it is begun again where Kafka is lost, and after its first failure.
    most_s
        After which it is begun again if it goes on failing. When it has run as long, failures count anew.
    """
    clock = asyncio.get_running_loop().time
    failed_s = retry_s
    while True:
        began = clock()
        try:
            await following.run()
        except BrokerError as exc:
            following.lost(str(exc))
            await asyncio.sleep(retry_s)
        except Exception as exc:  # of this one; others are followed in the same process
            if clock() - began > most_s:
                failed_s = retry_s
            log.warning("%s cannot be shown: %s; trying again", name, cause(exc))
            following.failed(f"what was read cannot be shown ({cause(exc)}); trying again")
            await asyncio.sleep(failed_s)
            failed_s = min(2 * failed_s, most_s)


class _Follower:
    def __init__(self, settings: Settings, state: DeploymentState) -> None:
        self._settings = settings
        self._state = state
        self._topics = {settings.topics[name]: name for name in _PAST}
        self._positions: dict[TopicPartition, int] = {}
        self._contact: ContactFold[TopicPartition] = ContactFold()
        self._fetcher = Fetcher(state, self._inspect, self._note_late)
        self._is_stale = False

    def lost(self, reason: str) -> None:
        self._contact.lost(reason)
        self._state.contact = self._contact.contact(_now_ms())

    def failed(self, reason: str) -> None:
        self._contact.failed(reason)
        self._state.contact = self._contact.contact(_now_ms())

    async def close(self) -> None:
        """End what goes on beside."""
        await self._fetcher.close()

    async def run(self) -> None:
        """Follow until the broker refuses, or all is to be read anew; the client waits for outages itself."""
        connection, predictions = self._settings.connection, self._settings.topics.predictions
        async with (
            reader(connection, list(self._topics)) as consumer,
            reader(connection, [predictions], fetch_bytes=_SAMPLE_BYTES) as answers,
        ):
            ends = await self._begin(consumer)
            await _first_of(self._read_on(consumer, ends), self._look(answers, list(ends)))

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

    async def _read_on(self, consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> None:
        """Read all that `models` holds before anything else: what is said elsewhere is about versions."""
        (versions,) = [at for at in ends if self._topics[at.topic] == "models"]
        others = set(ends) - {versions}
        consumer.pause(*others)
        while await consumer.position(versions) < ends[versions]:
            await self._read(consumer)
        consumer.resume(*others)
        while not self._is_stale:
            await self._read(consumer)
        self._is_stale = False
        self._positions.clear()
        self._state.begin_anew()

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        with broker_errors(self._settings.connection):
            fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
        # Versions first: what is said in the other topics is about them.
        for at, records in sorted(fetched.items(), key=lambda item: self._topics[item[0].topic] != "models"):
            topic = self._topics[at.topic]
            await self._fetcher.fetch(self._state.wanted(topic, records))
            self._positions[at] = records[-1].offset + 1  # what cannot be taken in is not read again
            self._state.take(topic, records)
        await self._fetcher.fetch(self._state.wanted())
        with broker_errors(self._settings.connection):
            # Not by records alone: what compaction has removed is never read.
            positions = {at: await consumer.position(at) for at in consumer.assignment()}
        self._state.contact = self._contact.read(positions, _now_ms())

    def _inspect(self, model: Model) -> KnownVersion:
        """Read what a version is compared with."""
        settings = self._settings
        return KnownVersion.of(Bundle.inspect(model.bundle, trust=settings.keys, sha256=model.sha256))

    def _note_late(self, version: str) -> None:
        """Read all anew, once: without the champion's bundle nothing of what was read was compared."""
        self._is_stale = self._is_stale or self._state.champion == version

    async def _look(self, answers: AIOKafkaConsumer, followed: Sequence[TopicPartition]) -> None:
        """Look at the ends, and at some of the newest answers, now and then."""
        partitions = list(answers.assignment())
        requests = [TopicPartition(self._settings.topics.requests, at.partition) for at in partitions]
        answers.pause(*partitions)  # what is written meanwhile is not fetched
        seen: Mapping[TopicPartition, int] = {}
        while True:
            try:
                with broker_errors(self._settings.connection, timeout_s=_CONTACT_S):
                    async with asyncio.timeout(_CONTACT_S):
                        # Of the requests only how far they reach: who looks at pages may not read them.
                        ends = await answers.end_offsets([*partitions, *requests, *followed])
                        newest = {at: ends[at] for at in partitions}
                        await self._sample(answers, newest, seen)
            except BrokerError as exc:
                self.lost(str(exc))
            else:
                seen = newest
                self._state.wait(_by_partition(ends, requests), _by_partition(ends, partitions), _now_ms())
                self._contact.answered({at: ends[at] for at in followed}, _now_ms())
                self._state.contact = self._contact.contact(_now_ms())
            await asyncio.sleep(_SAMPLE_EVERY_S)

    async def _sample(
        self,
        answers: AIOKafkaConsumer,
        ends: Mapping[TopicPartition, int],
        seen: Mapping[TopicPartition, int],
    ) -> None:
        fresh = {at: end for at, end in ends.items() if end > seen.get(at, 0)}
        for at, end in fresh.items():
            answers.seek(at, max(end - _SAMPLE, seen.get(at, 0)))
        if fresh:
            answers.resume(*fresh)
            fetched = await answers.getmany(*fresh, timeout_ms=_POLL_MS, max_records=_SAMPLE * len(fresh))
            answers.pause(*fresh)
            for records in fetched.values():
                self._state.take("predictions", records)


async def _first_of(*endless: Coroutine[Any, Any, None]) -> None:
    """Run them until one ends, which then ends the others; what went wrong with it is raised."""
    tasks = [asyncio.create_task(each) for each in endless]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _by_partition(
    offsets: Mapping[TopicPartition, int], partitions: Sequence[TopicPartition]
) -> dict[int, int]:
    return {at.partition: offsets[at] for at in partitions}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
