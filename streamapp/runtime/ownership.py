"""Which partitions of a role nobody reads, and what is done about those that were added while it runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError, for_code

from streamapp.errors import BrokerError
from streamapp.runtime.admin import grow_partitions
from streamapp.runtime.host import Host
from streamapp.runtime.log_fields import cause

__all__ = ["Growth", "unowned"]

_LOOK_EVERY_S = 3.0
_TIMEOUT_S = 30.0

Partition = tuple[str, int]

log = logging.getLogger(__name__)


async def unowned(admin: AIOKafkaAdminClient, group: str, topics: Iterable[str]) -> set[Partition]:
    """Return the partitions of `topics` that no member of `group` reads.

    The group is asked: that a process has no partitions may be an error, and says nothing of others.

    Raises
    ------
    KafkaError
        If Kafka does not tell, for example for want of a right.
    """
    wanted = set(_partitions(await admin.describe_topics(list(topics))))
    response = (await admin.describe_consumer_groups([group]))[0]
    for described in response.groups:
        if described[0]:
            raise for_code(described[0])(group)
        for member in described[5]:
            if member[-1]:
                assignment = ConsumerProtocolMemberAssignment.decode(bytes(member[-1]))
                wanted -= {(topic, p) for topic, ps in assignment.assignment for p in ps}
    return wanted


def _partitions(described: Iterable[dict[str, object]]) -> Iterable[Partition]:
    for topic in described:
        partitions = topic["partitions"]
        assert isinstance(partitions, list)
        for partition in partitions:
            yield str(topic["topic"]), int(partition["partition"])


class Growth:
    """Takes over the partitions that ``requests`` is given while the role runs.

    Topics that must have as many are raised first. The group is then asked to share out anew: Kafka does not
    do so when partitions are added, nor when a static member comes back after they were.

    Parameters
    ----------
    host
        Whose role.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._requests = 0
        self._unowned: set[Partition] = set()
        host.task(self._look_often)

    async def _look_often(self) -> None:
        while True:
            admin = AIOKafkaAdminClient(**self._host.settings.connection.client_options)
            try:
                await admin.start()
                while True:
                    await asyncio.sleep(_LOOK_EVERY_S)
                    async with asyncio.timeout(_TIMEOUT_S):
                        await self._look(admin)
            except BrokerError as exc:
                log.warning("partitions could not follow %s: %s", self._host.topics.requests, cause(exc))
                await asyncio.sleep(_LOOK_EVERY_S)
            except (TimeoutError, KafkaError, OSError) as exc:
                log.debug("cannot look for new partitions: %s", cause(exc))  # runtime/progress.py tells
                await asyncio.sleep(_LOOK_EVERY_S)
            finally:
                await admin.close()

    async def _look(self, admin: AIOKafkaAdminClient) -> None:
        host, names = self._host, self._host.topics
        if host.app.rebalancing or not host.assignments:
            return
        (requests,) = await admin.describe_topics([names.requests])
        count = len(requests["partitions"])
        if count == self._requests and not self._unowned:
            return
        grown = await grow_partitions(host.settings.connection, names, role=host.settings.role)
        for topic, partitions in grown.items():
            log.info("%s has %d partitions now, as %s has", topic, partitions, names.requests)
        missing = await unowned(admin, host.settings.app_id, host.transport.batched)
        # Twice in a row, or they are on their way to an owner.
        if missing & self._unowned and not host.app.rebalancing:
            log.info("%d partitions have no reader: asking the group to share out anew", len(missing))
            await host.app.consumer.rejoin()
            count, missing = 0, set()  # look again after it
        self._requests, self._unowned = count, missing
