"""What is asked of the broker: topics made and dropped, records counted, answers read back."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from tests.benchmarks.peers.load import PARTITIONS

__all__ = ["Answers", "Cluster"]

_TIMEOUT_S = 20.0
_IDLE_S = 5.0


class Answers(NamedTuple):
    """Answers as they lie in their topic."""

    identities: list[bytes]
    """What tells repeats: ``ce_id`` where there is one, else the key."""
    appended_ms: np.ndarray
    """When the broker appended each, ascending."""

    @property
    def distinct(self) -> int:
        """How many there are without repeats."""
        return len(set(self.identities))


class Cluster:
    """A client of the broker for the benchmark itself.

    Parameters
    ----------
    bootstrap
        ``HOST:PORT``.
    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        # Critical messages alone: at the end the broker goes before its clients.
        self._client: dict[str, str | int | float | bool] = {"bootstrap.servers": bootstrap, "log_level": 2}
        self._admin = AdminClient(self._client)
        self._probe = Consumer(self._client | {"group.id": "probe", "enable.auto.commit": False})

    def create(self, *topics: str) -> None:
        """Create topics that take the same records as streamapp's."""
        config = {"max.message.bytes": str(4 << 20)}
        made = self._admin.create_topics([NewTopic(topic, PARTITIONS, 1, config=config) for topic in topics])
        for future in made.values():
            future.result(_TIMEOUT_S)
        time.sleep(0.3)  # until all know them

    def drop(self, *topics: str) -> None:
        """Remove topics; one that is left over does no harm."""
        for future in self._admin.delete_topics(list(topics)).values():
            try:
                future.result(_TIMEOUT_S)
            except KafkaException as error:
                print(f"  (not removed: {error})")

    def drop_prefixed(self, prefix: str) -> None:
        """Remove all topics whose names begin with `prefix`."""
        known = self._admin.list_topics(timeout=_TIMEOUT_S).topics
        if topics := [topic for topic in known if topic.startswith(prefix)]:
            self.drop(*topics)

    def count(self, topic: str) -> int:
        """Return how many records a topic has."""
        ends = (
            self._probe.get_watermark_offsets(TopicPartition(topic, partition), timeout=_TIMEOUT_S)
            for partition in range(PARTITIONS)
        )
        return sum(end[1] for end in ends if end is not None)

    def members(self, group: str) -> int:
        """Return how many members a group has, 0 while it is moving partitions."""
        (future,) = self._admin.describe_consumer_groups([group]).values()
        described = future.result(_TIMEOUT_S)
        return len(described.members) if described.state.name == "STABLE" else 0

    def answers(self, topic: str) -> Answers:
        """Read all answers of a topic."""
        consumer = Consumer(self._client | {"group.id": "reader", "enable.auto.commit": False})
        consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
        total, identities, times = self.count(topic), list[bytes](), list[int]()
        moved = time.monotonic()
        while len(times) < total and time.monotonic() - moved < _IDLE_S:
            for message in consumer.consume(5_000, 0.2):
                if message.error() is None:
                    identities.append(_identity(message))
                    times.append(message.timestamp()[1])
                    moved = time.monotonic()
        consumer.close()
        return Answers(identities, np.sort(np.array(times, np.int64)))


def _identity(message: Any) -> bytes:
    for name, value in message.headers() or ():
        if name == "ce_id":
            return bytes(value)
    return bytes(message.key())
