"""Requests in flight: which answer is whose."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Generic, TypeVar

from streamapp.errors import BusyError

__all__ = ["Pending", "Ticket"]

A = TypeVar("A")


class Pending(Generic[A]):
    """Gives each answer to the request that waits for it, and lets a bounded number of them wait.

    An answer's id follows from where its request lies, which is known only once Kafka has taken the request:
    the answer may have been read by then. So an answer that nobody waits for is kept while a request is on
    its way that it may belong to: one that set out before the answer came. All others are passed over.

    Parameters
    ----------
    limit
        Most requests in flight.

    Examples
    --------
    >>> pending: Pending[str] = Pending(limit=1)
    >>> with pending.admit() as ticket:
    ...     pending.answered(b"bikes.requests-0-7", "busy")
    ...     asyncio.run(ticket.answer(b"bikes.requests-0-7"))
    'busy'
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._numbers = count()
        self._admitted: set[int] = set()
        self._on_their_way: dict[int, None] = {}  # oldest first
        self._waiting: dict[bytes, asyncio.Future[A]] = {}
        self._early: dict[bytes, tuple[int, A]] = {}  # oldest first

    def __len__(self) -> int:
        return len(self._admitted)

    @property
    def early(self) -> int:
        """How many answers are kept that nobody waits for yet."""
        return len(self._early)

    @contextmanager
    def admit(self) -> Iterator[Ticket[A]]:
        """Give a request its place, until the block ends.

        Raises
        ------
        BusyError
            If as many as may be are in flight.
        """
        if len(self._admitted) >= self._limit:
            raise BusyError(
                f"{self._limit} requests are in flight, as many as may be: try again, slower "
                "(STREAMAPP_GATEWAY_IN_FLIGHT sets the bound)"
            )
        number = next(self._numbers)
        self._admitted.add(number)
        self._on_their_way[number] = None
        ticket = Ticket(self, number)
        try:
            yield ticket
        finally:
            self._admitted.discard(number)
            self._arrived(number)
            if ticket.id is not None:
                self._waiting.pop(ticket.id, None)

    def answered(self, id: bytes, answer: A) -> None:
        """Take an answer from the stream. Of those with one id the first counts."""
        future = self._waiting.pop(id, None)
        if future is not None:
            if not future.done():
                future.set_result(answer)
        elif self._on_their_way:
            self._early.setdefault(id, (next(self._numbers), answer))

    def _take(self, number: int, id: bytes) -> asyncio.Future[A]:
        future = asyncio.get_running_loop().create_future()
        if id in self._early:
            future.set_result(self._early.pop(id)[1])
        else:
            self._waiting[id] = future
        self._arrived(number)
        return future

    def _arrived(self, number: int) -> None:
        """Let go of early answers that came before any request set out that is still on its way."""
        self._on_their_way.pop(number, None)
        oldest = next(iter(self._on_their_way), None)
        while self._early:
            id, (came, _) = next(iter(self._early.items()))
            if oldest is not None and came > oldest:
                break
            del self._early[id]


class Ticket(Generic[A]):
    """The place of one request among those in flight; made by :meth:`Pending.admit`."""

    def __init__(self, pending: Pending[A], number: int) -> None:
        self._pending = pending
        self._number = number
        self.id: bytes | None = None

    async def answer(self, id: bytes) -> A:
        """Return the answer whose id is `id`, once it is there."""
        self.id = id
        return await self._pending._take(self._number, id)
