"""The life of the embedded broker, seen by a client that shares no code with it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streamapp.runtime.broker import Broker
from streamapp.runtime.broker.probe import answering_cluster
from streamapp.runtime.broker.properties import free_port

pytestmark = pytest.mark.broker


def create(broker: Broker, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)


def produce(broker: Broker, topic: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    failed = []
    for value in values:
        producer.produce(topic, value, partition=0, on_delivery=lambda error, _: failed.append(error))
    assert producer.flush(30) == 0
    assert failed == [None] * len(values)


def read(broker: Broker, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "read"})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        return [message.value() for message in consumer.consume(count, timeout=30)]
    finally:
        consumer.close()


def test_serves_and_creates_no_topic_by_itself(broker: Broker) -> None:
    assert answering_cluster("127.0.0.1", broker.port)
    create(broker, "life")
    produce(broker, "life", b"a", b"b")
    assert read(broker, "life", 2) == [b"a", b"b"]
    metadata = AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(
        "nobody-made-this", timeout=30
    )
    assert metadata.topics["nobody-made-this"].error is not None


def test_takes_large_messages_where_a_topic_allows_them(broker: Broker) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    limit = 20 << 20
    topic = NewTopic("large", 1, 1, config={"max.message.bytes": str(limit)})
    admin.create_topics([topic])["large"].result(30)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "message.max.bytes": limit})
    failed = []
    producer.produce("large", bytes(limit - 1_000), on_delivery=lambda error, _: failed.append(error))
    assert producer.flush(30) == 0
    assert failed == [None]


def test_ephemeral_data_live_through_a_crash_and_go_at_the_end() -> None:
    # Started in a thread that ends: what ties the broker to its owner is the process, not the thread.
    broker = Broker()
    starting = threading.Thread(target=broker.start)
    starting.start()
    starting.join()
    try:
        port, folder = broker.port, broker.data_dir
        create(broker, "kept")
        produce(broker, "kept", b"before")
        broker.kill()
        assert not broker.is_running
        assert not answering_cluster("127.0.0.1", port)
        broker.start()
        assert broker.port == port
        assert broker.data_dir == folder
        assert read(broker, "kept", 1) == [b"before"]
    finally:
        broker.stop()
    assert not broker.is_running
    assert not folder.exists()


def test_data_of_its_own_stay_with_their_cluster_id(tmp_path: Path) -> None:
    folder = tmp_path / "data of Zoë"
    with Broker(data_dir=folder) as first:
        create(first, "kept")
        produce(first, "kept", b"yesterday")
        cluster = AdminClient({"bootstrap.servers": first.bootstrap}).list_topics(timeout=30).cluster_id
    with Broker(data_dir=folder) as second:
        again = AdminClient({"bootstrap.servers": second.bootstrap}).list_topics(timeout=30).cluster_id
        assert read(second, "kept", 1) == [b"yesterday"]
    assert again == cluster


def test_further_listeners_stand_beside_its_own() -> None:
    side = free_port()
    properties = {
        "listeners": f"SIDE://127.0.0.1:{side}",
        "advertised.listeners": f"SIDE://127.0.0.1:{side}",
        "listener.security.protocol.map": "SIDE:PLAINTEXT",
    }
    with Broker(properties=properties) as broker:
        assert answering_cluster("127.0.0.1", broker.port)
        assert answering_cluster("127.0.0.1", side)
