"""How many records came to topics lately."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from streamapp.errors import BrokerError
from streamapp.runtime.admin import create_topics
from streamapp.runtime.broker import Broker
from streamapp.runtime.checks.arrivals import DAY_MS, Arrivals, Stretch, begun_ms, read_arrivals
from streamapp.runtime.client import producer
from streamapp.topics import TopicNames

HOUR_MS = 3_600_000
MINUTE_MS = 60_000


async def _forget(broker: Broker, at: TopicPartition, before: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        await admin.delete_records({at: RecordsToDelete(before)})
    finally:
        await admin.close()


@pytest.mark.broker
def test_records_of_the_last_day_are_counted_from_offsets(broker: Broker) -> None:
    names, now_ms = TopicNames(f"came-{uuid.uuid4().hex[:8]}"), time.time_ns() // 1_000_000
    hours = [age * HOUR_MS for age in range(30, -1, -1)]
    at_once = [HOUR_MS + MINUTE_MS] * 100
    ages: dict[tuple[str, int], Sequence[int]] = {
        # A day of many: what is older does not count.
        ("predictions", 0): hours,
        ("predictions", 1): [DAY_MS + 1, DAY_MS // 2],
        # Retention will leave four hours of the partition with most of them, and more of the other.
        ("feedback", 0): hours,
        ("feedback", 1): [9 * HOUR_MS, 2 * HOUR_MS],
        # The clock of who writes is ahead.
        ("requests", 0): [age - 30 * MINUTE_MS for age in hours[-3:]],
        # All that there is came at once, an hour ago; and the same where there had been something before.
        ("review", 0): at_once,
        ("labelled", 0): [2 * DAY_MS, *at_once],
        # Nothing for two days.
        ("redrives", 0): [2 * DAY_MS],
    }

    async def run() -> dict[str, Arrivals]:
        await create_topics(
            broker.connection, names, partitions=2, label_horizon_s=86_400, max_request_bytes=1 << 20
        )
        async with producer(broker.connection) as client:
            for (topic, partition), own in ages.items():
                for age_ms in own:
                    at_ms = now_ms - age_ms
                    await client.send(names[topic], b"{}", partition=partition, timestamp_ms=at_ms)
        await _forget(broker, TopicPartition(names.feedback, 0), len(hours) - 5)
        topics = sorted({names[topic] for topic, _ in ages} | {names.decisions})
        return await read_arrivals(broker.connection, topics, now_ms=now_ms)

    found = asyncio.run(run())
    assert found == {
        names.predictions: Arrivals(26, over_ms=DAY_MS, busy_ms=DAY_MS),
        names.feedback: Arrivals(6, over_ms=4 * HOUR_MS, busy_ms=4 * HOUR_MS),
        names.requests: Arrivals(3, over_ms=2 * HOUR_MS, busy_ms=2 * HOUR_MS),
        names.labelled: Arrivals(100, over_ms=DAY_MS, busy_ms=DAY_MS - HOUR_MS - MINUTE_MS),
        names.review: Arrivals(100, over_ms=HOUR_MS + MINUTE_MS, busy_ms=0),
        names.redrives: Arrivals(0, over_ms=DAY_MS),
        names.decisions: Arrivals(),
    }
    assert found[names.review].per_s is None
    assert found[names.labelled].per_s == pytest.approx(100 / 86_400)


@pytest.mark.broker
def test_a_topic_that_does_not_exist_has_no_records(broker: Broker) -> None:
    with pytest.raises(BrokerError, match=r"there is no topic nowhere\.predictions"):
        asyncio.run(read_arrivals(broker.connection, ["nowhere.predictions"], now_ms=0))


def test_a_partition_to_which_hardly_anything_comes_does_not_say_when_a_topic_began() -> None:
    busy = Stretch(begin=5, first=90, first_ms=1_003, end=190)
    just_now = Stretch(begin=7, first=7, first_ms=9_000, end=8)
    assert begun_ms([just_now, busy], 1_000) == 1_000
    assert begun_ms([just_now], 1_000) == 9_000


@pytest.mark.parametrize(
    ("came", "per_s"),
    [
        (Arrivals(), None),
        (Arrivals(0, over_ms=DAY_MS), 0.0),
        (Arrivals(864, over_ms=DAY_MS, busy_ms=1), 0.01),
        (Arrivals(9_999, over_ms=DAY_MS - 1, busy_ms=HOUR_MS - 1), None),
        (Arrivals(36_000, over_ms=2 * HOUR_MS, busy_ms=HOUR_MS), 5.0),
    ],
)
def test_a_rate_needs_a_day_or_an_hour_of_traffic(came: Arrivals, per_s: float | None) -> None:
    assert came.per_s == per_s
