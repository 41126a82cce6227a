from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import pytest

from streamapp.errors import BrokerError
from streamapp.runtime.admin import create_topics
from streamapp.runtime.answer_ranges import read_answers
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import producer
from streamapp.topics import TopicNames

pytestmark = pytest.mark.broker


def answer(request: int) -> bytes:
    return json.dumps({"request": {"offset": request}, "padding": "x" * 2_000}).encode()


def test_answers_are_found_by_the_offsets_of_their_requests(broker: Broker) -> None:
    names = TopicNames(f"ranges-{uuid.uuid4().hex[:8]}")

    async def fill_and_read() -> list[list[Any]]:
        await create_topics(
            broker.connection, names, partitions=2, label_horizon_s=86_400, max_request_bytes=1 << 20
        )
        async with producer(broker.connection) as client:
            for request in range(100, 700):
                await client.send(names.predictions, answer(request), partition=0)
                if request % 7 == 0:  # a repeat after a crash, and what is no answer
                    await client.send(names.predictions, answer(request - 3), partition=0)
                    await client.send(names.predictions, b"{", partition=0)
        wanted: list[dict[int, tuple[int, int]]] = [
            {0: (300, 420)},
            {0: (0, 103), 1: (0, 50)},
            {0: (698, 900), 7: (0, 9)},
            {0: (900, 990)},
            {},
        ]
        return [await read_answers(broker.connection, names.predictions, each) for each in wanted]

    middle, begin, end, beyond, nothing = asyncio.run(fill_and_read())
    assert {json.loads(r.value)["request"]["offset"] for r in middle} == set(range(300, 420))
    assert [json.loads(r.value)["request"]["offset"] for r in begin] == [100, 101, 102]
    assert [json.loads(r.value)["request"]["offset"] for r in end] == [698, 699]
    assert beyond == nothing == []


def test_a_topic_that_is_not_there_is_an_error_with_a_remedy(broker: Broker) -> None:
    with pytest.raises(BrokerError, match="streamapp deploy nobody BUNDLE"):
        asyncio.run(read_answers(broker.connection, "nobody.predictions", {0: (0, 1)}))
