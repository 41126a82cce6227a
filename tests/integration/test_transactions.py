"""Transactional producers: what is committed is answered once, what is aborted never, and no lag is left."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import confluent_kafka
import pytest

from streamapp.models import Bundle
from tests.integration.conftest import Make
from tests.integration.deployment import PARTITIONS, Deployment, Sending, requests
from tests.integration.running import Running, until


class AbortError(Exception):
    """Ends a transaction without committing it."""


class Transactional:
    """A producer that writes in transactions, as a user's exactly-once program does."""

    def __init__(self, deployment: Deployment) -> None:
        self._topic = deployment.settings.topics.requests
        self._producer = confluent_kafka.Producer(
            {"bootstrap.servers": deployment.bootstrap, "transactional.id": deployment.name, "log_level": 0}
        )
        self._producer.init_transactions(30)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._producer.begin_transaction()
        try:
            yield
        except AbortError:
            self._producer.flush(30)  # what is aborted stands in the log, too
            self._producer.abort_transaction(30)
        else:
            self._producer.commit_transaction(30)

    def send(self, records: Iterable[Sending]) -> None:
        for record in records:
            self._producer.produce(self._topic, record.value, key=record.key, partition=record.partition)
        self._producer.flush(30)


def ids(deployment: Deployment) -> list[str]:
    return sorted(answer["id"] for answer in deployment.values("predictions"))


def numbers(*ranges: range) -> list[str]:
    return sorted(f"r-{i}" for numbers in ranges for i in numbers)


def wait_for_no_lag(deployment: Deployment) -> None:
    """What the group has committed is where the log ends: what lag tools compare."""
    topic = deployment.settings.topics.requests
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": deployment.bootstrap, "group.id": deployment.settings.app_id}
    )

    def has_none() -> bool:
        at = consumer.committed([confluent_kafka.TopicPartition(topic, p) for p in range(PARTITIONS)], 10)
        return all(one.offset == consumer.get_watermark_offsets(one, 10)[1] for one in at)

    try:
        until(has_none, what="no lag is left", patience_s=20)
    finally:
        consumer.close()


@pytest.fixture
def served(make: Make, bundle: Bundle) -> tuple[Deployment, Running]:
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    running = deployment.start("score", instance="one")
    running.wait_ready()
    return deployment, running


def test_committed_requests_are_answered_once_and_leave_no_lag(served: tuple[Deployment, Running]) -> None:
    deployment, _ = served
    producer = Transactional(deployment)
    for first in range(0, 900, 90):  # a control record in each partition after every thirty requests
        with producer.transaction():
            producer.send(requests(90, first=first))
    until(lambda: deployment.count("predictions") >= 900, what="900 answers")
    assert ids(deployment) == numbers(range(900))
    wait_for_no_lag(deployment)

    def counted() -> int:
        panes = {
            (pane["partition"], pane["first_offset"]): pane for pane in deployment.values("distributions")
        }
        return sum(pane["events"] for pane in panes.values())

    until(lambda: counted() >= 900, what="all are counted")
    assert counted() == 900


def test_aborted_requests_are_not_answered_and_leave_no_lag(served: tuple[Deployment, Running]) -> None:
    deployment, running = served
    producer = Transactional(deployment)
    with producer.transaction():  # the first records of all: nothing was ever committed before them
        producer.send(requests(30, first=10_000))
        raise AbortError
    wait_for_no_lag(deployment)
    with producer.transaction():
        producer.send(requests(30))
    with producer.transaction():
        producer.send(requests(3_000, first=20_000))
        raise AbortError
    deployment.produce("requests", requests(30, first=30))
    with producer.transaction():
        producer.send(requests(30, first=30_000))
        raise AbortError
    until(lambda: deployment.count("predictions") >= 60, what="60 answers")
    wait_for_no_lag(deployment)
    assert ids(deployment) == numbers(range(60))
    running.kill()
    deployment.start("score", instance="one").wait_ready()  # it begins behind the last control record
    deployment.produce("requests", requests(30, first=60))
    until(lambda: deployment.count("predictions") >= 90, what="90 answers")
    assert ids(deployment) == numbers(range(90))


def test_an_open_transaction_holds_up_its_partition_alone(served: tuple[Deployment, Running]) -> None:
    deployment, _ = served
    producer = Transactional(deployment)
    others = [record for record in requests(60, first=30) if record.partition != 0]
    with producer.transaction():
        producer.send(record for record in requests(30) if record.partition == 0)
        deployment.produce("requests", requests(60, first=30))  # behind it in the log, so read after it
        until(lambda: deployment.count("predictions") >= len(others), what="the answers of other partitions")
        assert deployment.count("predictions") == len(others)
    until(lambda: deployment.count("predictions") >= len(others) + 30, what="all answers")
    assert ids(deployment) == numbers(range(0, 30, 3), range(30, 90))
    wait_for_no_lag(deployment)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_transactions_are_no_reason_to_be_restarted(served: tuple[Deployment, Running]) -> None:
    deployment, running = served
    producer = Transactional(deployment)
    with producer.transaction():
        producer.send(requests(30))
    with producer.transaction():
        producer.send(requests(30, first=30))
        open_until = time.monotonic() + 55  # a role is unhealthy after 45 s without progress
        while time.monotonic() < open_until:
            assert running.page("health") == (200, "ok\n")
            time.sleep(1)
        raise AbortError
    closed_until = time.monotonic() + 55
    while time.monotonic() < closed_until:
        assert running.page("health") == (200, "ok\n")
        time.sleep(1)
    assert ids(deployment) == numbers(range(30))
