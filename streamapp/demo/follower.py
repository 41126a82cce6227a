"""Reads what the deployment writes, and how far its roles are."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections.abc import Coroutine
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streamapp.connection import Connection
from streamapp.demo.record import Record
from streamapp.runtime.client import reader
from streamapp.topics import TopicNames

__all__ = ["Follower", "is_ready"]

_FOLLOWED = ("predictions", "labelled", "drift-alerts", "retrain-events", "models", "dead-letters")
_LOOK_EVERY_S = 0.2
_HTTP_S = 5.0
_RUNNING = b"streamapp_training_running "


class Follower:
    """Keeps a record up to date, and knows whether a training runs and how far JUDGE and WATCH are.

    Parameters
    ----------
    connection
        How the cluster is reached.
    names
        Of the deployment.
    record
        Filled.
    train_port
        Web port of the role train.

    Attributes
    ----------
    moved
        Set whenever something is new; whoever waits clears it.
    is_training
        Whether a model is being fitted.
    lag
        Records of ``labelled`` and ``distributions`` that their folds have not committed yet.
    """

    def __init__(self, connection: Connection, names: TopicNames, record: Record, *, train_port: int) -> None:
        self._connection = connection
        self._names = names
        self._record = record
        self._metrics_url = f"http://127.0.0.1:{train_port}/metrics"
        self.moved = asyncio.Event()
        self.is_training = False
        self.lag = {"labelled": 0, "distributions": 0}
        self._ends = dict.fromkeys(self.lag, 0)

    def jobs(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Return what is to be run beside the feeder, until cancelled."""
        return self._read(), self._look_at_lag(), self._look_at_training()

    async def _read(self) -> None:
        topics = {self._names[topic]: topic for topic in (*_FOLLOWED, "distributions")}
        async with reader(self._connection, list(topics), start="beginning") as consumer:
            while True:
                fetched = await consumer.getmany(timeout_ms=200, max_records=2_000)
                for partition, records in fetched.items():
                    topic = topics[partition.topic]
                    if topic in self._ends and records:
                        self._ends[topic] = records[-1].offset + 1
                    for record in records:
                        self._record.take(topic, record.key, record.value, record.timestamp)
                if fetched:
                    self.moved.set()

    async def _look_at_lag(self) -> None:
        group = self._names.app_id("monitor")
        admin = AIOKafkaAdminClient(**self._connection.client_options)
        await admin.start()
        try:
            while True:
                try:
                    committed = await admin.list_consumer_group_offsets(group)
                except KafkaError:
                    committed = {}  # the group is being made, or moves
                for topic, end in self._ends.items():
                    found = committed.get(TopicPartition(self._names[topic], 0))
                    self.lag[topic] = max(end - (0 if found is None else max(found.offset, 0)), 0)
                self.moved.set()
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            await admin.close()

    async def _look_at_training(self) -> None:
        while True:
            page = await asyncio.to_thread(_get, self._metrics_url)
            line = next((each for each in (page or b"").splitlines() if each.startswith(_RUNNING)), None)
            # While the role is away nobody trains.
            self.is_training = line is not None and float(line.removeprefix(_RUNNING)) > 0
            self.moved.set()
            await asyncio.sleep(_LOOK_EVERY_S)


async def is_ready(port: int) -> bool:
    """Return whether the role at a web port says that it is ready."""
    return await asyncio.to_thread(_get, f"http://127.0.0.1:{port}/ready") is not None


def _get(url: str) -> Any:
    """Return what a URL answers with status 200, else None."""
    try:
        with urllib.request.urlopen(url, timeout=_HTTP_S) as response:
            return response.read()
    except (urllib.error.URLError, OSError, TimeoutError):
        return None
