"""Reads what is left to review, and writes what a person said."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import TopicPartition

from streamapp.connection import Connection
from streamapp.errors import BrokerError
from streamapp.messages import Feedback, FeedbackRequest, Label
from streamapp.quality.review_queue import OpenReview, ReviewQueue
from streamapp.runtime.broker_errors import TIMEOUT_S, broker_errors
from streamapp.runtime.client import Start, existing_topics, next_batch, producer, reader
from streamapp.topics import TopicNames

__all__ = ["Reviews"]


class Reviews:
    """The reviews of one deployment, for one person after another.

    Parameters
    ----------
    connection
        How the cluster is reached.
    names
        Of the deployment.
    last
        How many of the newest draws are looked at.
    """

    def __init__(self, connection: Connection, names: TopicNames, *, last: int) -> None:
        self._connection = connection
        self._names = names
        self._queue = ReviewQueue(last)
        self._read: dict[TopicPartition, int] = {}

    async def refresh(self) -> list[OpenReview]:
        """Read what is new, and return what no person has labelled, the newest first.

        Raises
        ------
        BrokerError
            If no broker answers, or there is no such deployment.
        """
        await self._read_on(self._names.review, self._queue.add_reviews, since_ms=None)
        since_ms = self._queue.since_ms
        if since_ms is not None:
            await self._read_on(self._names.feedback, self._queue.add_feedback, since_ms=since_ms)
        return self._queue.open()

    async def label(self, one: OpenReview, label: Label, *, source: str, at_ms: int) -> None:
        """Write the label that `source` gave at `at_ms`, to the partition of the request, with its key.

        Raises
        ------
        BrokerError
            If it was not delivered.
        """
        topic, (partition, offset) = self._names.feedback, one.position
        count = (await existing_topics(self._connection, [topic]))[topic]
        if partition >= count:
            raise BrokerError(
                f"{topic} has {count} partitions and the request lies in partition {partition}: "
                f"streamapp run {self._names.deployment} raises them at its start"
            )
        request = FeedbackRequest(partition=partition, offset=offset)
        feedback = Feedback(id=one.review.id, label=label, source=source, at=at_ms, request=request)
        async with producer(self._connection) as client:
            with broker_errors(self._connection):
                async with asyncio.timeout(TIMEOUT_S):
                    await client.send_and_wait(
                        topic, key=one.key, value=feedback.encode(), partition=partition
                    )

    async def _read_on(self, topic: str, take: Any, *, since_ms: int | None) -> None:
        """Hand over the records of `topic` that were not read yet, from `since_ms` on."""
        start: Start = "beginning" if since_ms is None else since_ms
        async with reader(self._connection, [topic], start=start) as consumer:
            partitions = list(consumer.assignment())
            for partition in partitions:
                if partition in self._read:
                    consumer.seek(partition, self._read[partition])
            with broker_errors(self._connection):
                async with asyncio.timeout(TIMEOUT_S) as limit:
                    ends = await consumer.end_offsets(partitions)
                    while batch := await next_batch(consumer, ends):
                        take(batch)
                        limit.reschedule(asyncio.get_running_loop().time() + TIMEOUT_S)
            self._read |= ends
