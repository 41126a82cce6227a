"""Records as they come: without key or value, at the limit of size and far beyond it, in every codec."""

from __future__ import annotations

import asyncio
import random

import confluent_kafka
import orjson
from aiokafka import AIOKafkaProducer

from streamapp.models import Bundle
from streamapp.runtime.topic_plans import request_limit_bytes
from tests.integration.checks import check_counted_once
from tests.integration.conftest import Make
from tests.integration.deployment import Deployment, Sending, requests
from tests.integration.running import until

MAX_BYTES = 65_536
GOOD = orjson.dumps({"features": {"temp": 1, "wind": 1}})


def padded(size: int) -> bytes:
    """A good request of `size` bytes that no codec makes much smaller."""
    noise = random.Random(size).randbytes(size).hex().encode()
    begin = b'{"features": {"temp": 1, "wind": 1}, "x": "'
    return begin + noise[: size - len(begin) - 2] + b'"}'


def compressed(deployment: Deployment, codec: str, records: list[Sending]) -> None:
    """Write with a producer that compresses, and has no limit of its own."""
    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": deployment.bootstrap,
            "compression.type": codec,
            "message.max.bytes": 500_000_000,
            "queue.buffering.max.kbytes": 1_000_000,
            "linger.ms": 20,
        }
    )
    failed: list[object] = []
    for record in records:
        producer.produce(
            deployment.settings.topics.requests,
            value=record.value,
            key=record.key,
            partition=record.partition,
            headers=list(record.headers),
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )
    assert producer.flush(60) == 0
    assert not failed


def codes(deployment: Deployment) -> dict[str, str]:
    """What each request was answered with, by its position."""
    return {
        f"{answer['request']['partition']}-{answer['request']['offset']}": answer["error"]["code"]
        if "error" in answer
        else "prediction"
        for answer in deployment.values("predictions")
    }


def test_records_of_all_kinds_are_answered_in_their_place(make: Make, bundle: Bundle) -> None:
    deployment = make(max_request_bytes=MAX_BYTES, pane_seconds=1)
    deployment.deploy(bundle, partitions=3)

    # Partition 0: no keys, no values, and sizes around the limit.
    room = request_limit_bytes(MAX_BYTES)
    sent = {
        "no key": (Sending(GOOD), "prediction"),
        "no value": (Sending(None, key=b"k"), "not-json"),
        "nothing": (Sending(None), "not-json"),
        "at the limit": (Sending(padded(MAX_BYTES), key=b"k"), "prediction"),
        "a byte more": (Sending(padded(MAX_BYTES + 1), key=b"k"), "too-large"),
        "all the topic takes": (Sending(padded(room - 100), key=b"k"), "too-large"),
        "all of it key": (Sending(GOOD, key=b"k" * (room - 200)), "prediction"),
        "all of it headers": (Sending(GOOD, headers=[("h", b"v" * (room - 200))]), "prediction"),
    }
    for record, _ in sent.values():
        deployment.produce("requests", [record])
    expected = {f"0-{offset}": code for offset, (_, code) in enumerate(sent.values())}

    # Partition 1: what is small on the wire and large in memory. Each is followed by a good one.
    large = b'{"features": {"temp": 1, "wind": 1}, "x": "%b"}'
    bombs = [
        Sending(large % (b"x" * 300_000), partition=1),
        Sending(b" " * 30_000_000, key=b"k", partition=1),
        Sending(GOOD, key=b"k" * 1_000_000, partition=1),
        Sending(GOOD, headers=[("traceparent", b"t" * 1_000_000)], partition=1),
        Sending(GOOD, headers=[("h", b"v" * 1_000_000)], partition=1),
    ]
    for codec in ("gzip", "zstd"):
        for bomb in bombs:
            compressed(deployment, codec, [bomb])
            deployment.produce("requests", [Sending(GOOD, partition=1)])
    kinds = ["too-large", "too-large", "too-large", "too-large", "prediction"]
    expected |= {f"1-{2 * n}": kinds[n % 5] for n in range(10)} | {
        f"1-{2 * n + 1}": "prediction" for n in range(10)
    }

    # Partition 2: all codecs in turn, several records in a batch.
    for first in range(0, 100, 20):
        codec = ["none", "gzip", "snappy", "lz4", "zstd"][first // 20]
        batch = [
            Sending(orjson.dumps({"id": f"{codec} {n}", "features": {"temp": n, "wind": 0}}))
            for n in range(20)
        ]
        compressed(deployment, codec, [each._replace(partition=2) for each in batch])
    asyncio.run(_send_with_aiokafka(deployment))
    deployment.produce("requests", [Sending(GOOD, partition=2)] * 1_000)
    expected |= {f"2-{offset}": "prediction" for offset in range(1_110)}

    # All of it is there when the role begins: its batches of answers are as large as they can be.
    deployment.start("score")
    until(lambda: deployment.count("predictions") >= len(expected), what="an answer to each")
    assert codes(deployment) == expected
    assert deployment.count("predictions") == len(expected), "some were answered twice"
    check_counted_once(deployment, len(expected))
    assert deployment.count("dead-letters") == sum(code != "prediction" for code in expected.values())


async def _send_with_aiokafka(deployment: Deployment) -> None:
    """Another client's batches: the same codec, framed in its own way."""
    async with AIOKafkaProducer(bootstrap_servers=deployment.bootstrap, compression_type="lz4") as producer:
        for number in range(10):
            value = orjson.dumps({"id": f"aiokafka {number}", "features": {"temp": number, "wind": 0}})
            await producer.send_and_wait(deployment.settings.topics.requests, value, partition=2)


def test_what_kafka_has_lost_does_not_hold_up_what_it_has_left(make: Make, bundle: Bundle) -> None:
    """Offsets were committed beyond the end of the topic: it was made anew, or has lost records."""
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=3)
    topic = deployment.settings.topics.requests
    group = confluent_kafka.Consumer(
        {"bootstrap.servers": deployment.bootstrap, "group.id": deployment.settings.app_id}
    )
    beyond = [confluent_kafka.TopicPartition(topic, p, 1_000) for p in range(3)]
    group.commit(offsets=beyond, asynchronous=False)
    deployment.produce("requests", requests(30))
    running = deployment.start("score")
    until(lambda: deployment.count("predictions") >= 30, what="30 answers")
    deployment.produce("requests", requests(30, first=30))
    until(lambda: deployment.count("predictions") >= 60, what="60 answers")
    until(
        lambda: {each.offset for each in group.committed(beyond, 10)} == {20},
        what="what is left is committed",
    )
    group.close()
    check_counted_once(deployment, 60)
    assert f"{topic} has lost what was committed of partition" in running.log.read_text()
