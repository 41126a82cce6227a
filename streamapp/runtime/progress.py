"""Lag and signs of life of a role, measured from outside its own consumer."""

from __future__ import annotations

import asyncio
import faulthandler
import logging

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streamapp.errors import BrokerError
from streamapp.runtime.broker_errors import denial
from streamapp.runtime.client import admin_client
from streamapp.runtime.health import GIVE_UP_S, STUCK_S
from streamapp.runtime.host import Host
from streamapp.runtime.log_fields import cause
from streamapp.runtime.ownership import unowned
from streamapp.runtime.refusal import refusal

__all__ = ["Progress"]

_LOOK_EVERY_S = 2.0
_TIMEOUT_S = 10.0
_LAST_RESORT_S = 15.0

log = logging.getLogger(__name__)


class Progress:
    """Looks at the ends of a role's topics and at what is committed, with a consumer of its own.

    Faust's consumer would not tell: one that waits for a fetch that will never come looks like an idle one.

    Parameters
    ----------
    host
        Whose role.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._committed: dict[TopicPartition, int | None] = {}
        host.task(self._look_often)
        host.task(self._beat)

    async def _beat(self) -> None:
        health = self._host.health
        while True:
            # Compiled code that never lets go of the interpreter stops the watchdog's thread, too.
            faulthandler.dump_traceback_later(STUCK_S + GIVE_UP_S + _LAST_RESORT_S, exit=True)
            health.beat_at = health.clock()
            if not self._host.app.rebalancing:
                health.settled_at = health.beat_at
            await asyncio.sleep(1.0)

    async def _look_often(self) -> None:
        consumer = AIOKafkaConsumer(
            **self._host.settings.connection.client_options,
            enable_auto_commit=False,
            isolation_level="read_committed",  # what cannot be read yet is no lag
        )
        await consumer.start()
        try:
            while True:
                await asyncio.sleep(_LOOK_EVERY_S)
                try:
                    async with asyncio.timeout(_TIMEOUT_S):
                        await self._look(consumer)
                except (TimeoutError, KafkaError, BrokerError, OSError) as exc:
                    await self._note(exc)
                else:
                    self._host.health.trouble = None
        finally:
            await consumer.stop()

    async def _note(self, exc: Exception) -> None:
        connection = self._host.settings.connection
        why = denial(exc, connection) or await refusal(connection) or cause(exc)
        self._host.health.trouble = why
        log.warning("the broker does not answer: %s", why)

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        host, health = self._host, self._host.health
        assigned = [TopicPartition(tp.topic, tp.partition) for tp in host.assigned()]
        if self._committed.keys() - assigned:
            host.metrics.lag.clear()  # of partitions that another process has now
        if not assigned:
            self._committed = {}
            await consumer.topics()
            if await self._others_hold_all():
                health.is_standby, health.progress_at = True, health.clock()
            health.contact_at = health.clock()
            return
        health.is_standby = False
        ends = await consumer.end_offsets(assigned)
        begins = await consumer.beginning_offsets(assigned)
        health.contact_at = health.clock()
        committed = {tp: host.committed(tp.topic, tp.partition) for tp in assigned}
        lag = {tp: max(ends[tp] - (committed[tp] or begins[tp]), 0) for tp in assigned}
        for tp, records in lag.items():
            host.metrics.lag.labels(tp.topic, str(tp.partition)).set(records)
        if committed != self._committed or not any(lag.values()):
            health.progress_at = health.clock()
        self._committed = committed

    async def _others_hold_all(self) -> bool:
        host = self._host
        async with admin_client(host.settings.connection, timeout_s=_TIMEOUT_S) as admin:
            return not await unowned(admin, host.settings.app_id, host.transport.batched)
