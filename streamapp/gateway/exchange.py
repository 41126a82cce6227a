"""Request in, answer out, over two topics; knows neither HTTP nor a Kafka client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import NamedTuple, Protocol

from streamapp.errors import AnswerTimeoutError
from streamapp.gateway.pending import Pending
from streamapp.messages import Header, Record, Rejection, answer_id, header
from streamapp.topics import TopicNames

__all__ = ["Answer", "Deliver", "Exchange", "Position"]

_KEY_BYTES = 1024
"""Longer ids are no keys: keys have to fit beside the largest value."""

_REJECTION = Rejection.ce_type.encode()


class Position(NamedTuple):
    """Where a record lies in its topic."""

    partition: int
    offset: int


class Answer(NamedTuple):
    """What SCORE wrote.

    Attributes
    ----------
    value
        JSON, as it stands on Kafka.
    is_rejection
        Whether it says why there is no prediction.
    """

    value: bytes
    is_rejection: bool


class Deliver(Protocol):
    """Puts a record on a topic; raises BrokerError if that cannot be done."""

    def __call__(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None,
        headers: Sequence[Header] = (),
        partition: int | None = None,
    ) -> Awaitable[Position]:
        """Return where the record lies, once Kafka has it."""


class Exchange:
    """Asks the deployment, and tells it what was right.

    Parameters
    ----------
    names
        Of the deployment.
    deliver
        Puts a record on Kafka.
    timeout_s
        From a request's arrival to its answer, seconds.
    limit
        Most requests in flight.
    """

    def __init__(self, names: TopicNames, deliver: Deliver, *, timeout_s: float, limit: int) -> None:
        self._names = names
        self._deliver = deliver
        self._timeout_s = timeout_s
        self.pending: Pending[Record] = Pending(limit)

    async def ask(self, value: bytes, *, id: str | None, headers: Sequence[Header] = ()) -> Answer:
        """Put `value` on `requests`, byte for byte, and return its answer.

        Parameters
        ----------
        value
            The request, in any dialect that SCORE reads.
        id
            Its id, which becomes its key; None if it has none.
        headers
            Of the record.

        Raises
        ------
        BusyError
            If too many requests are in flight.
        AnswerTimeoutError
            If there is no answer in time; the text says where the request lies.
        BrokerError
            If Kafka does not take it.
        MessageError
            ``too-large``, if it is more than Kafka takes.
        """
        position: Position | None = None
        with self.pending.admit() as ticket:
            try:
                async with asyncio.timeout(self._timeout_s):
                    topic = self._names.requests
                    position = await self._deliver(topic, value, key=_key(id), headers=headers)
                    return _read(await ticket.answer(answer_id(topic, *position).encode()))
            except TimeoutError:
                raise AnswerTimeoutError(self._too_late(position), position=position) from None

    def _too_late(self, position: Position | None) -> str:
        waited = f"within {self._timeout_s:g} s"
        if position is None:
            return (
                f"Kafka has not confirmed the request {waited}: it may be there all the same, and be answered"
            )
        return (
            f"no answer {waited}: the request lies in {self._names.requests}, partition {position.partition}"
            f", offset {position.offset}, and may still be answered on {self._names.predictions}"
        )

    async def tell(self, value: bytes, *, id: str, partition: int | None = None) -> Position:
        """Put `value` on `feedback`, byte for byte, and return where it lies.

        Parameters
        ----------
        value
            The feedback.
        id
            Of the request that it belongs to.
        partition
            That of the request, if it is known; else the id as key leads there.

        Raises
        ------
        BusyError, AnswerTimeoutError, BrokerError, MessageError
            As of :meth:`ask`.
        """
        with self.pending.admit():
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await self._deliver(self._names.feedback, value, key=_key(id), partition=partition)
            except TimeoutError:
                raise AnswerTimeoutError(
                    f"Kafka has not confirmed the feedback within {self._timeout_s:g} s: it may be there all "
                    "the same; to send it again does no harm"
                ) from None

    def read(self, record: Record) -> None:
        """Take the next record of `predictions`; of others' answers only the header ce_id is read."""
        if (id := header(record.headers, "ce_id")) is not None:
            self.pending.answered(id, record)


def _read(record: Record) -> Answer:
    return Answer(record.value or b"", header(record.headers, "ce_type") == _REJECTION)


def _key(id: str | None) -> bytes | None:
    key = None if id is None else id.encode()
    return None if key is None or len(key) > _KEY_BYTES else key
