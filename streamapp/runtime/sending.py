"""Rows sent as requests, and their labels as feedback some rows later, as a live source would."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from streamapp.connection import Connection
from streamapp.errors import BrokerError
from streamapp.messages import Feedback, FeedbackRequest, Label, format_time
from streamapp.runtime.broker_errors import broker_errors
from streamapp.runtime.csv_rows import CsvRow
from streamapp.topics import TopicNames

__all__ = ["BATCH_BYTES", "Sender"]

BATCH_BYTES = 1 << 16
"""Of rows that go together: no more than `requests` takes at the least, or small ones would be refused."""

_IN_FLIGHT = 5_000
_DELIVERY_S = 30.0


@dataclass(frozen=True, slots=True)
class _Sent:
    """The request of a row on its way, and the label that it will get."""

    row: int
    delivery: asyncio.Future[Any]
    key: bytes | None
    id: str | None
    label: Label | None
    due: int


class Sender:
    """Sends requests and, `label_delay` rows later, what really happened.

    Feedback goes to the partition that its request went to, with the same key, and names its position: so it
    finds its answer whatever the key.

    Parameters
    ----------
    client
        A started producer.
    connection
        Its own, for errors.
    names
        Of the deployment.
    partitions
        Topic to number of partitions: of ``requests`` and ``feedback``.
    label_delay
        Rows between a request and its label.
    """

    def __init__(
        self,
        client: AIOKafkaProducer,
        *,
        connection: Connection,
        names: TopicNames,
        partitions: Mapping[str, int],
        label_delay: int = 0,
    ) -> None:
        if partitions[names.feedback] < partitions[names.requests]:
            raise BrokerError(
                f"{names.feedback} has {partitions[names.feedback]} partitions and {names.requests} has "
                f"{partitions[names.requests]}: streamapp run {names.deployment} raises them at its start"
            )
        self._client = client
        self._connection = connection
        self._names = names
        self._partitions = partitions[names.requests]
        self._label_delay = label_delay
        self._waiting: deque[_Sent] = deque()
        self._feedback: deque[tuple[int, asyncio.Future[Any]]] = deque()
        self._time_ms: int | None = None
        self.requests = 0
        self.labels = 0

    async def send(self, row: CsvRow) -> None:
        """Queue the request of `row`, and the labels that are due after it.

        Raises
        ------
        BrokerError
            If something sent before was not delivered; if that is for its size, it names the row.
        """
        number = self.requests + 1
        value = orjson.dumps(
            {"features": row.features} if row.id is None else {"id": row.id, "features": row.features}
        )
        headers = [] if row.time_ms is None else [("ce_time", format_time(row.time_ms).encode())]
        # Without a key the partitions take turns, so that the same file always gives the same topics.
        partition = self.requests % self._partitions if row.key is None else None
        delivery = await self._queue(
            number, self._names.requests, key=row.key, value=value, partition=partition, headers=headers
        )
        self.requests = number
        self._time_ms = self._time_ms if row.time_ms is None else row.time_ms
        self._waiting.append(_Sent(number, delivery, row.key, row.id, row.label, number + self._label_delay))
        # A delivery is not waited for while others can go on: rows would follow each other by round trips.
        while self._waiting and (
            len(self._waiting) > _IN_FLIGHT + self._label_delay
            or (self._waiting[0].due <= self.requests and self._waiting[0].delivery.done())
        ):
            await self._label(self._waiting.popleft())

    async def finish(self) -> None:
        """Send the labels that are left, and wait until all is delivered; errors as in :meth:`send`."""
        while self._waiting:
            await self._label(self._waiting.popleft())
        while self._feedback:
            await self._delivered(*self._feedback.popleft())

    async def _label(self, sent: _Sent) -> None:
        position = await self._delivered(sent.row, sent.delivery)
        if sent.label is None:
            return
        feedback = Feedback(
            id=sent.id if sent.id is not None else f"{position.partition}-{position.offset}",
            label=sent.label,
            at=self._time_ms,
            request=FeedbackRequest(partition=position.partition, offset=position.offset),
        )
        queued = await self._queue(
            sent.row,
            self._names.feedback,
            key=sent.key,
            value=feedback.encode(),
            partition=position.partition,
        )
        self._feedback.append((sent.row, queued))
        self.labels += 1
        while self._feedback and (self._feedback[0][1].done() or len(self._feedback) > _IN_FLIGHT):
            await self._delivered(*self._feedback.popleft())

    async def _queue(self, row: int, topic: str, **record: Any) -> asyncio.Future[Any]:
        async with self._sending(row):
            delivery: asyncio.Future[Any] = await self._client.send(topic, **record)
        return delivery

    async def _delivered(self, row: int, delivery: asyncio.Future[Any]) -> Any:
        if delivery.done() and delivery.exception() is None:
            return delivery.result()
        async with self._sending(row):
            return await delivery

    @asynccontextmanager
    async def _sending(self, row: int) -> AsyncIterator[None]:
        """Turn what goes wrong with a record of `row` into one line."""
        try:
            with broker_errors(self._connection, timeout_s=_DELIVERY_S):
                async with asyncio.timeout(_DELIVERY_S):
                    yield
        except BrokerError as exc:
            # One failure is reported; asyncio would log each of the others that nobody awaits any more.
            others = [delivery for _, delivery in self._feedback]
            for other in [*others, *(sent.delivery for sent in self._waiting)]:
                other.add_done_callback(lambda future: future.cancelled() or future.exception())
            if isinstance(exc.__cause__, MessageSizeTooLargeError):
                raise BrokerError(self._too_large(row)) from exc
            raise

    def _too_large(self, row: int) -> str:
        after = f", and some of those up to row {self.requests:,}" if self.requests > row else ""
        return (
            f"row {row:,} is larger than {self._names.deployment} takes (max.message.bytes of its topics, "
            f"from STREAMAPP_MAX_REQUEST_BYTES at deploy): the rows before it were sent{after}"
        )
