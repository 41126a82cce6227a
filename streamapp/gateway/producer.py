"""A producer that goes on where aiokafka's own is broken for good."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from aiokafka.errors import KafkaError, MessageSizeTooLargeError, OutOfOrderSequenceNumber

from streamapp.connection import Connection
from streamapp.errors import BrokerError, MessageError
from streamapp.gateway.exchange import Position
from streamapp.messages import Header
from streamapp.runtime.broker_errors import broker_errors
from streamapp.runtime.client import producer

__all__ = ["LastingProducer"]


class LastingProducer:
    """Sends at once, in order and once.

    Where the broker refuses a batch for good, for its size or for want of rights, aiokafka's idempotent
    producer (0.14) leaves a gap in its sequence, and all that it sends to that partition later is refused,
    too. So it is replaced then.

    Parameters
    ----------
    connection
        How the cluster is reached.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client: Any = None
        self._opened = AsyncExitStack()
        self._replacing = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect; raises BrokerError if no broker answers."""
        await self._replace(None)

    async def close(self) -> None:
        """Deliver what is on its way, and disconnect."""
        await self._opened.aclose()
        await asyncio.gather(*self._closing)

    async def deliver(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None,
        headers: Sequence[Header] = (),
        partition: int | None = None,
    ) -> Position:
        """Put a record on `topic`, and return where it lies.

        Parameters
        ----------
        topic
            Full name.
        value, key, headers
            Of the record.
        partition
            Where to; None leaves it to the key, or to chance.

        Raises
        ------
        MessageError
            ``too-large``, if it is more than the topic takes.
        BrokerError
            If Kafka refuses it for another reason.
        """
        record = {"value": value, "key": key, "headers": list(headers), "partition": partition}
        try:
            with broker_errors(self._connection):
                try:
                    written = await self._send(topic, record)
                except OutOfOrderSequenceNumber:  # the gap is another's: it was not written, and can be
                    written = await self._send(topic, record)
        except BrokerError as exc:
            if isinstance(exc.__cause__, MessageSizeTooLargeError):
                raise MessageError("too-large", f"{len(value):,} bytes are more than {topic} takes") from exc
            raise
        return Position(written.partition, written.offset)

    async def _send(self, topic: str, record: dict[str, Any]) -> Any:
        client = self._client
        try:
            return await client.send_and_wait(topic, **record)
        except KafkaError as exc:
            if not exc.retriable:
                await self._replace(client)
            raise

    async def _replace(self, broken: Any) -> None:
        """Connect anew instead of `broken`, unless somebody has done so already."""
        async with self._replacing:
            if self._client is not broken:
                return
            fresh = AsyncExitStack()
            self._client = await fresh.enter_async_context(producer(self._connection, linger_ms=0))
            before, self._opened = self._opened, fresh
            closing = asyncio.create_task(before.aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
