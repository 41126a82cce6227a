"""What TRAIN keeps of ``labelled`` must be what stands there, however it is asked for."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer

from streamapp.agents.labelled_log import LabelledLog, Row
from streamapp.messages import OffsetRange
from streamapp.models import Bundle
from tests.integration.conftest import Make
from tests.integration.deployment import Deployment, Sending


async def read(deployment: Deployment, ranges: list[tuple[int, int]], keep: int) -> list[list[Row]]:
    topic = deployment.settings.topics.labelled
    consumer = AIOKafkaConsumer(bootstrap_servers=deployment.bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        log = LabelledLog(consumer, topic, keep=keep)
        assert await log.bounds() == (0, 100)
        parts = [OffsetRange(topic=topic, partition=0, start=start, end=end) for start, end in ranges]
        return [await log.rows([part]) for part in parts]
    finally:
        await consumer.stop()


def test_ranges_are_whole_and_in_order_whatever_is_kept(make: Make, bundle: Bundle) -> None:
    deployment = make()
    deployment.deploy(bundle, partitions=1)
    time = ("ce_time", b"2013-01-01T00:00:00Z")
    deployment.produce("labelled", [Sending(b"%d" % i, headers=[time]) for i in range(100)])
    ranges = [(0, 10), (5, 20), (20, 50), (45, 60), (0, 30), (90, 100), (10, 100), (50, 50)]
    for keep in (20, 40, 1_000):
        for (start, end), rows in zip(ranges, asyncio.run(read(deployment, ranges, keep)), strict=True):
            assert [offset for offset, _, _ in rows] == list(range(start, end))
            assert [value for _, value, _ in rows] == [b"%d" % i for i in range(start, end)]
            assert {time_ms for _, _, time_ms in rows} <= {1_356_998_400_000}
