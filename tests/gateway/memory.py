"""A deployment in memory: what is put on its topics is kept, and answered if the test says how."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import orjson

from streamapp.errors import BrokerError
from streamapp.gateway.api import create_api
from streamapp.gateway.exchange import Exchange, Position
from streamapp.messages import (
    Champion,
    Header,
    InRecord,
    Model,
    Prediction,
    Rejection,
    answer_id,
    event_headers,
)
from streamapp.runtime.client import Models
from streamapp.settings import Settings

__all__ = ["Memory", "prediction", "rejection"]


def prediction(request: InRecord) -> tuple[str, bytes]:
    """An answer that repeats where its request lies."""
    body = {"id": "?", "request": {"partition": request.partition, "offset": request.offset}}
    return Prediction.ce_type, orjson.dumps(body)


def rejection(code: str, **more: Any) -> Callable[[InRecord], tuple[str, bytes]]:
    """Make answers that reject with `code`."""

    def reject(request: InRecord) -> tuple[str, bytes]:
        body = {
            "id": "r-1",
            "error": {"code": code, "message": "it is so", **more},
            "request": {"partition": request.partition, "offset": request.offset},
        }
        return Rejection.ce_type, orjson.dumps(body)

    return reject


class Memory:
    """Implements what the gateway needs of a deployment, without a broker.

    `reply` gives type and value of the answer to a request, None for no answer; `early` lets answers be read
    before Kafka has confirmed the request; `fails` is raised instead of a delivery.
    """

    def __init__(self, *, token: str | None = None, **settings: object) -> None:
        self.settings = Settings.of(name="bikes", **{"gateway_timeout_s": 5.0, **settings})
        self.exchange = Exchange(
            self.settings.topics,
            self.deliver,
            timeout_s=self.settings.gateway_timeout_s,
            limit=self.settings.gateway_in_flight,
        )
        self.models = Models()
        self.reply: Callable[[InRecord], tuple[str, bytes] | None] = prediction
        self.early = False
        self.fails: Exception | None = None
        self.down = False
        self.topics: dict[str, list[InRecord]] = {}
        self.api = create_api(self, self.settings, token=token)

    def serve(self, champion: Model) -> None:
        self.models.read(champion.version.encode(), champion.encode())
        self.models.read(b"champion", Champion(version=champion.version, at=0).encode())

    async def check(self) -> None:
        if self.down:
            raise BrokerError("no Kafka broker answers at localhost:9092")

    async def deliver(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None,
        headers: Sequence[Header] = (),
        partition: int | None = None,
    ) -> Position:
        if self.fails is not None:
            raise self.fails
        log = self.topics.setdefault(topic, [])
        record = InRecord(partition or 0, len(log), 0, key, value, headers)
        log.append(record)
        if topic == self.settings.topics.requests and (answer := self.reply(record)) is not None:
            if self.early:
                self.answer(record, *answer)
                await asyncio.sleep(0)
            else:
                asyncio.get_running_loop().call_soon(self.answer, record, *answer)
        return Position(record.partition, record.offset)

    def answer(self, request: InRecord, ce_type: str, value: bytes) -> None:
        id = answer_id(self.settings.topics.requests, request.partition, request.offset)
        headers = event_headers("bikes", ce_type, id, 0)
        self.exchange.read(InRecord(request.partition, 0, 0, request.key, value, headers))

    def requests(self) -> list[InRecord]:
        return self.topics.get(self.settings.topics.requests, [])

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.api), base_url="http://gateway")

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request, in an event loop of its own."""

        async def run() -> httpx.Response:
            async with self.client() as client:
                return await client.request(method, path, **options)

        return asyncio.run(run())
