"""The gateway's connections on a real broker; what SCORE would answer, the test does."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import NewPartitions

from streamapp.errors import BrokerError, ConfigError, MessageError
from streamapp.gateway.exchange import Answer
from streamapp.gateway.kafka import Deployment, connect
from streamapp.messages import Champion, Prediction, Rejection, answer_id, event_headers
from streamapp.runtime.admin import create_topics
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import Publication, admin_client, producer, publish, reader
from streamapp.settings import Settings
from tests.gateway.versions import model

pytestmark = pytest.mark.broker

LIMIT = 100_000


@pytest.fixture
def settings(broker: Broker) -> Settings:
    return made(broker)


def made(broker: Broker, **more: object) -> Settings:
    name = f"gateway-{uuid.uuid4().hex[:8]}"
    settings = Settings.of(name=name, bootstrap=broker.bootstrap, **{"gateway_timeout_s": 30.0, **more})
    asyncio.run(
        create_topics(
            broker.connection,
            settings.topics,
            partitions=2,
            label_horizon_s=86_400,
            max_request_bytes=LIMIT,
        )
    )
    return settings


async def answer_all(settings: Settings) -> None:
    """Answer as SCORE would: a repeat beside each answer, and those of somebody else between them."""
    names = settings.topics
    async with (
        reader(settings.connection, [names.requests], start="beginning") as consumer,
        producer(settings.connection) as client,
    ):
        async for record in consumer:
            id = answer_id(names.requests, record.partition, record.offset)
            ce_type = Rejection.ce_type if record.value == b"bad" else Prediction.ce_type
            for ce_id in (f"elsewhere-{record.offset}", id, id):
                await client.send(
                    names.predictions,
                    b"answer to " + record.value,
                    partition=record.partition,
                    headers=event_headers(settings.name, ce_type, ce_id, 0),
                )


@asynccontextmanager
async def answered(settings: Settings) -> AsyncIterator[Deployment]:
    async with connect(settings) as connection:
        answering = asyncio.create_task(answer_all(settings))
        try:
            yield connection
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)


def test_answers_find_their_requests_and_models_are_followed(settings: Settings) -> None:
    async def run() -> list[Answer]:
        async with answered(settings) as connection:
            await connection.check()
            assert connection.models.serving is None
            messages = {b"v1": model("v1"), b"champion": Champion(version="v1", at=0)}
            written = [
                Publication(topic=settings.topics.models, key=key, message=message, ce_id="x", time_ms=0)
                for key, message in messages.items()
            ]
            await publish(settings.connection, settings.name, written)
            asked = [connection.exchange.ask(b"%d" % i, id=f"r-{i}") for i in range(200)]
            answers = await asyncio.gather(*asked, connection.exchange.ask(b"bad", id=None))
            assert connection.exchange.pending.early == 0
            while connection.models.serving is None:
                await asyncio.sleep(0.01)
            return answers

    answers = asyncio.run(run())
    assert [answer.value for answer in answers[:-1]] == [b"answer to %d" % i for i in range(200)]
    assert {answer.is_rejection for answer in answers[:-1]} == {False}
    assert answers[-1] == Answer(b"answer to bad", is_rejection=True)


def test_what_is_too_large_for_the_topic_harms_nobody_else(settings: Settings) -> None:
    async def run() -> list[Any]:
        async with answered(settings) as connection:
            values = [b"x" * (4 * LIMIT) if i == 3 else b"%d" % i for i in range(20)]
            asked = [connection.exchange.ask(value, id=None) for value in values]
            return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(run())
    refused = answers.pop(3)
    assert isinstance(refused, MessageError)
    assert refused.code == "too-large"
    assert all(isinstance(answer, Answer) for answer in answers), answers


def test_partitions_that_requests_gain_are_read_too(settings: Settings) -> None:
    names = settings.topics

    async def run() -> set[int]:
        async with answered(settings) as connection:
            await connection.exchange.ask(b"before", id=None)
            async with admin_client(settings.connection) as admin:
                grown = dict.fromkeys([names.requests, names.predictions], NewPartitions(total_count=4))
                await admin.create_partitions(grown)
            # A new producer and a new answerer know the partitions at once; the reader has to learn of them.
            await connection._producer._replace(connection._producer._client)
            answering = asyncio.create_task(answer_all(settings))
            asked = [connection.exchange.ask(b"%d" % i, id=f"r-{i}") for i in range(60)]
            answers = await asyncio.gather(*asked)
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
            assert [answer.value for answer in answers] == [b"answer to %d" % i for i in range(60)]
            return {one.partition for one in connection._answers.assignment()}

    assert asyncio.run(run()) == {0, 1, 2, 3}


def test_feedback_is_put_into_the_partition_it_names_if_there_is_one(settings: Settings) -> None:
    async def run() -> int:
        async with connect(settings) as connection:
            with pytest.raises(MessageError, match=r"no partition 2: .*feedback has 0 to 1"):
                await connection.exchange.tell(b"{}", id="r-1", partition=2)
            return (await connection.exchange.tell(b"{}", id="r-1", partition=1)).partition

    assert asyncio.run(run()) == 1


def test_no_deployment_and_no_broker_are_one_line() -> None:
    async def run(settings: Settings) -> None:
        async with connect(settings):
            raise AssertionError("it connected")

    with pytest.raises(BrokerError, match=r"no Kafka broker answers at 127\.0\.0\.1:1"):
        asyncio.run(run(Settings.of(name="bikes", bootstrap="127.0.0.1:1")))
    with pytest.raises(ConfigError, match="must be HOST:PORT"):
        asyncio.run(run(Settings.of(name="bikes", bootstrap="nowhere:port")))


@pytest.mark.soak
def test_it_goes_on_after_the_broker_was_away(tmp_path: Path) -> None:
    with Broker(data_dir=tmp_path) as broker:
        settings = made(broker, gateway_timeout_s=60.0)

        async def run() -> None:
            async with answered(settings) as connection:
                await connection.exchange.ask(b"before", id=None)
                assert broker.pid is not None
                os.kill(broker.pid, signal.SIGSTOP)
                with pytest.raises(BrokerError):
                    await connection.check()
                waiting = [asyncio.create_task(connection.exchange.ask(b"%d" % i, id=None)) for i in range(5)]
                await asyncio.sleep(1)
                os.kill(broker.pid, signal.SIGCONT)
                await asyncio.gather(*waiting)
                broker.kill()
                waiting = [asyncio.create_task(connection.exchange.ask(b"%d" % i, id=None)) for i in range(5)]
                await asyncio.sleep(1)
                await asyncio.to_thread(broker.start)
                await asyncio.gather(*waiting)
                await connection.check()
                assert not connection.reading.done()

        asyncio.run(run())
