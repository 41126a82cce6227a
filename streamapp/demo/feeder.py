"""Sends the flights and, once they have landed, their labels; never far ahead of what the roles have done."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from streamapp.connection import Connection
from streamapp.demo.flights import FEATURES, Flights
from streamapp.demo.follower import Follower
from streamapp.demo.narrator import Narrator
from streamapp.demo.record import Record
from streamapp.demo.stream import in_stream_order
from streamapp.errors import BrokerError
from streamapp.messages import format_time
from streamapp.runtime.broker_errors import broker_errors
from streamapp.topics import TopicNames

__all__ = ["Feeder"]

_AHEAD = 2_000
"""Requests without an answer, and labels without a row: what the stream may be ahead of SCORE and JOIN."""
_FOLD_AHEAD = 4_000
"""Labelled rows that JUDGE has not committed; commits come late."""
_PANES_AHEAD = 200
_AT_ONCE = 64
_ROWS_AT_ONCE = 4_096
_STALL_S = 120.0


class Feeder:
    """Replays flights in stream time.

    Parameters
    ----------
    client
        A started producer.
    connection
        Its own, for errors.
    names
        Of the deployment.
    flights
        To be replayed.
    record
        Of what came back; told what is sent.
    follower
        Knows how far the roles are.
    narrator
        Shows progress.
    pace
        Requests a second, at most; None for as fast as they are answered.
    """

    def __init__(
        self,
        client: AIOKafkaProducer,
        *,
        connection: Connection,
        names: TopicNames,
        flights: Flights,
        record: Record,
        follower: Follower,
        narrator: Narrator,
        pace: float | None = None,
    ) -> None:
        self._client = client
        self._connection = connection
        self._names = names
        self._flights = flights
        self._record = record
        self._follower = follower
        self._narrator = narrator
        self._pace = pace
        self._deliveries: deque[asyncio.Future[Any]] = deque()
        self._values: list[bytes] = []
        self._first = 0

    async def run(self) -> float:
        """Send all, and return the seconds until the last request was answered.

        Raises
        ------
        BrokerError
            If something cannot be delivered, or nothing moves any more.
        """
        record, began = self._record, time.monotonic()
        events = in_stream_order(self._flights.asked_ms, self._flights.known_ms)
        for count, (is_label, row) in enumerate(events):
            if count % _AT_ONCE == 0:
                await self._hold_back()
            if is_label:
                await self._send_label(row)
                continue
            if self._pace is not None:
                await asyncio.sleep(max(began + record.requests / self._pace - time.monotonic(), 0))
            await self._send_request(row)
        await self._delivered(0)
        await self._wait(lambda: record.answered < record.requests, "the last answers")
        seconds = time.monotonic() - began
        await self._wait(self._is_unfinished, "the last labels")
        return seconds

    async def _send_request(self, row: int) -> None:
        key = self._flights.ids[row].encode()
        now_ms = time.time_ns() // 1_000_000
        self._record.sent_ms[row] = now_ms
        self._record.now_ms = int(self._flights.asked_ms[row])
        self._record.requests += 1
        headers = [("ce_time", format_time(self._record.now_ms).encode())]
        await self._send(self._names.requests, key, self._request(row), headers=headers, timestamp_ms=now_ms)

    async def _send_label(self, row: int) -> None:
        flights = self._flights
        value = {
            "id": flights.ids[row],
            "label": flights.labels[row],
            "source": "arrivals",
            "at": format_time(int(flights.known_ms[row])),
        }
        self._record.labels += 1
        await self._send(self._names.feedback, flights.ids[row].encode(), orjson.dumps(value))

    async def _send(self, topic: str, key: bytes, value: bytes, **more: Any) -> None:
        with broker_errors(self._connection):
            self._deliveries.append(await self._client.send(topic, key=key, value=value, **more))
        if len(self._deliveries) > _AHEAD:
            await self._delivered(_AHEAD // 2)

    async def _delivered(self, left: int) -> None:
        with broker_errors(self._connection):
            while len(self._deliveries) > left:
                await self._deliveries.popleft()

    def _request(self, row: int) -> bytes:
        if row - self._first >= len(self._values) or row < self._first:
            part = self._flights.features.iloc[row : row + _ROWS_AT_ONCE]
            # tolist gives Python's own numbers; NaN becomes null in JSON.
            columns = [part[name].tolist() for name in FEATURES]
            ids = self._flights.ids[row : row + _ROWS_AT_ONCE].tolist()
            self._first, self._values = row, [
                orjson.dumps({"id": id_, "features": dict(zip(FEATURES, cells, strict=True))})
                for id_, *cells in zip(ids, *columns, strict=True)
            ]  # fmt: skip
        return self._values[row - self._first]

    async def _hold_back(self) -> None:
        record, lag = self._record, self._follower.lag
        self._show("")
        await self._wait(lambda: self._follower.is_training, "waiting for a training")
        await self._wait(
            lambda: (
                record.requests - record.answered > _AHEAD
                or self._unjoined > _AHEAD
                or lag["labelled"] > _FOLD_AHEAD
                or lag["distributions"] > _PANES_AHEAD
            ),
            "",
        )

    @property
    def _unjoined(self) -> int:
        # A rejected request has no answer to join: its label will wait in vain.
        return self._record.labels - self._record.labelled - self._record.rejections

    def _is_unfinished(self) -> bool:
        lag = self._follower.lag
        return self._unjoined > 0 or any(lag.values()) or self._follower.is_training

    async def _wait(self, is_needed: Any, status: str) -> None:
        """Wait while `is_needed()`, and say for what; raise BrokerError if nothing moves any more."""
        last, since = None, time.monotonic()
        while is_needed():
            self._follower.moved.clear()
            if status:
                self._show(status)
            now = (self._record.answered, self._record.labelled, dict(self._follower.lag))
            if now != last or self._follower.is_training:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > _STALL_S:
                raise BrokerError(
                    f"the demo stands still for {_STALL_S:.0f} s: {self._record.requests:,} requests and "
                    f"{self._record.answered:,} answers, {self._record.labels:,} labels and "
                    f"{self._record.labelled:,} labelled rows, lag {self._follower.lag}"
                )
            await self._follower.moved.wait()

    def _show(self, status: str) -> None:
        self._narrator.progress(self._record.requests, self._record.now_ms, status)
