"""Dead letters sent again per second: ``python tests/benchmarks/serving/bench_redrive.py``.

On a broker of its own, on the same processors. Letters by reference are those of deployments with personal
columns, and of requests that were too large to be kept: each is read where it lies, by itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import orjson
from aiokafka import AIOKafkaProducer

from streamapp.connection import Connection
from streamapp.messages import InRecord, dead_letter
from streamapp.runtime.admin import create_topics
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import producer
from streamapp.runtime.redrive import Selection, redrive
from streamapp.topics import TopicNames

LETTERS = 20_000
PARTITIONS = 4
MAX_REQUEST_BYTES = 1 << 20
ASKED_MS = time.time_ns() // 1_000_000


def main() -> None:
    """Print a line for each kind of letter, and one for a redrive that finds all of them sent."""
    with Broker() as broker:
        for kind, is_private in (("whole", False), ("by reference", True)):
            names = TopicNames(f"bench-{is_private:d}")
            asyncio.run(prepare(broker.connection, names, is_private=is_private))
            for what in (f"{kind}, sent", f"{kind}, sent before"):
                began = time.perf_counter()
                done = asyncio.run(redrive(broker.connection, names, Selection()))
                seconds = time.perf_counter() - began
                count = done.sent.total() + done.before
                assert (count, done.skipped) == (LETTERS, [])
                print(f"{what:<28}{count:>8,} letters in {seconds:6.2f} s: {count / seconds:8,.0f}/s")


async def prepare(connection: Connection, names: TopicNames, *, is_private: bool) -> None:
    """Write requests of 20 floats, and a letter about each."""
    await create_topics(
        connection,
        names,
        partitions=PARTITIONS,
        label_horizon_s=86_400,
        max_request_bytes=MAX_REQUEST_BYTES,
    )
    async with producer(connection) as client:
        requests = []
        for i in range(LETTERS):
            features = {f"f{column}": (i * 20 + column) / 7 for column in range(20)}
            value = orjson.dumps({"id": f"r-{i}", "features": features})
            sending = await client.send(names.requests, value, b"k", i % PARTITIONS, timestamp_ms=ASKED_MS)
            requests.append((sending, value))
        records = [
            InRecord(at.partition, at.offset, ASKED_MS, b"k", value)
            for at, value in [(await sending, value) for sending, value in requests]
        ]
        await write_letters(client, names, records, is_private=is_private)


async def write_letters(
    client: AIOKafkaProducer, names: TopicNames, records: Sequence[InRecord], *, is_private: bool
) -> None:
    """Write what the score role writes about requests that the model failed on."""
    sending = []
    for record in records:
        out = dead_letter(
            record, topic=names.requests, code="model-failed", message="no", is_private=is_private
        )
        sending.append(await client.send(names.dead_letters, out.value, out.key, 0, headers=out.headers))
    await asyncio.gather(*sending)


if __name__ == "__main__":
    main()
