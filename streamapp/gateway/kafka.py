"""The gateway's connections to Kafka: a producer, a reader of all answers, a follower of `models`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streamapp.errors import MessageError
from streamapp.gateway.exchange import Exchange, Position
from streamapp.gateway.producer import LastingProducer
from streamapp.messages import Header
from streamapp.runtime.broker_errors import broker_errors
from streamapp.runtime.client import Models, existing_topics, next_batch, reader
from streamapp.runtime.log_fields import cause
from streamapp.settings import Settings

__all__ = ["Deployment", "connect"]

_POLL_MS = 500
_RETRY_S = 1.0
_CONTACT_S = 3.0

log = logging.getLogger(__name__)


class Deployment:
    """One deployment, connected; made by :func:`connect`.

    Parameters
    ----------
    settings
        Of the deployment.
    partitions
        Of `requests`.
    producer
        Writes requests and feedback.
    answers
        Reads `predictions` from where it ends, without a group.
    models_log
        Reads `models` from its beginning.

    Attributes
    ----------
    exchange
        Asks the deployment.
    models
        What stands in `models`, kept up to date.
    reading
        Ends only if something is wrong with it: then nothing is answered any more.
    """

    reading: asyncio.Future[Any]

    def __init__(
        self,
        settings: Settings,
        *,
        partitions: int,
        producer: LastingProducer,
        answers: AIOKafkaConsumer,
        models_log: AIOKafkaConsumer,
    ) -> None:
        self._settings = settings
        self._partitions = partitions
        self._producer = producer
        self._answers = answers
        self._models_log = models_log
        self.models = Models()
        self.exchange = Exchange(
            settings.topics,
            self._deliver,
            timeout_s=settings.gateway_timeout_s,
            limit=settings.gateway_in_flight,
        )

    async def check(self) -> None:
        """Raise BrokerError if Kafka does not answer now."""
        with broker_errors(self._settings.connection, timeout_s=_CONTACT_S):
            async with asyncio.timeout(_CONTACT_S):
                await self._models_log.end_offsets(self._models_log.assignment())

    async def catch_up(self) -> None:
        """Read `models` to where it ends now."""
        with broker_errors(self._settings.connection):
            ends = await self._models_log.end_offsets(self._models_log.assignment())
            while batch := await next_batch(self._models_log, ends):
                self._read_models(batch)

    async def read_answers(self) -> None:
        """Read all answers for ever: those that nobody here waits for are passed over."""
        while True:
            await self._read_new_partitions()
            for records in (await _poll(self._answers)).values():
                for record in records:
                    self.exchange.read(record)

    async def follow_models(self) -> None:
        """Keep `models` up to date for ever."""
        while True:
            for records in (await _poll(self._models_log)).values():
                self._read_models(records)

    def _read_models(self, records: Sequence[Any]) -> None:
        for record in records:
            self.models.read(record.key, record.value)

    async def _deliver(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None,
        headers: Sequence[Header] = (),
        partition: int | None = None,
    ) -> Position:
        if partition is not None and not 0 <= partition < self._partitions:
            raise MessageError(
                "out-of-range", f"there is no partition {partition}: {topic} has 0 to {self._partitions - 1}"
            )
        position = await self._producer.deliver(topic, value, key=key, headers=headers, partition=partition)
        self._partitions = max(self._partitions, position.partition + 1)
        return position

    async def _read_new_partitions(self) -> None:
        """Read the partitions, too, that requests have gained: from their beginning, nobody has read them."""
        assigned = self._answers.assignment()
        topic = self._settings.topics.predictions
        gained = {TopicPartition(topic, p) for p in range(self._partitions)} - assigned
        if gained:
            positions = {one: await self._answers.position(one) for one in assigned}
            self._answers.assign([*assigned, *gained])
            for one, offset in (positions | dict.fromkeys(gained, 0)).items():
                self._answers.seek(one, offset)


async def _poll(consumer: AIOKafkaConsumer) -> Mapping[TopicPartition, Sequence[Any]]:
    try:
        found: Mapping[TopicPartition, Sequence[Any]] = await consumer.getmany(timeout_ms=_POLL_MS)
    except KafkaError as exc:  # outages are not among them: aiokafka waits for their end by itself
        log.warning("cannot read: %s", cause(exc))
        await asyncio.sleep(_RETRY_S)
        return {}
    return found


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Deployment]:
    """Connect to the deployment of `settings`, until the block ends.

    Raises
    ------
    BrokerError
        If no broker answers, or there is no such deployment.
    """
    names, connection = settings.topics, settings.connection
    partitions = (await existing_topics(connection, [names.requests, names.feedback]))[names.requests]
    producer = LastingProducer(connection)
    async with (
        reader(connection, [names.predictions]) as answers,
        reader(connection, [names.models], start="beginning") as models_log,
    ):
        deployment = Deployment(
            settings, partitions=partitions, producer=producer, answers=answers, models_log=models_log
        )
        await producer.start()
        try:
            await deployment.catch_up()
            deployment.reading = asyncio.gather(deployment.read_answers(), deployment.follow_models())
            try:
                yield deployment
            finally:
                deployment.reading.cancel()
                await asyncio.gather(deployment.reading, return_exceptions=True)
        finally:
            await producer.close()
