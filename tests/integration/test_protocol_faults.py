"""What a broker may answer instead of doing it: retried, or the end of the process with nothing committed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka
import pytest

from streamapp.models import Bundle
from streamapp.runtime.host import EXIT_RETRY
from streamapp.topics import CHANGELOGS, TOPICS
from tests.integration.deployment import PARTITIONS, Deployment, requests
from tests.integration.mock_cluster import Api, Code, MockCluster
from tests.integration.running import Running, until


class Served:
    """A deployment on a mock cluster, and its role score, which is started again when it has ended."""

    def __init__(self, cluster: MockCluster, folder: Path, bundle: Bundle) -> None:
        self.cluster = cluster
        self.deployment = Deployment("mock", cluster.bootstrap, folder, pane_seconds=1, predict_timeout=5)
        names = self.deployment.settings.topics
        for topic in TOPICS:
            cluster.create_topic(names[topic.name], PARTITIONS if topic.partitioned else 1)
        for log in CHANGELOGS:
            cluster.create_topic(names.changelog(log.role, log.table), PARTITIONS if log.partitioned else 1)
        self.deployment.deploy(bundle)
        self.sent = 0
        self._running: Running | None = None
        self._consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": cluster.bootstrap,
                "group.id": self.deployment.settings.app_id,
                "log_level": 0,
            }
        )

    def start(self) -> Running:
        if self._running is None or self._running.process.poll() is not None:
            self._running = self.deployment.start("score", instance="one")
            self._running.wait_ready()
        return self._running

    def send(self, count: int = 30) -> None:
        self.deployment.produce("requests", requests(count, first=self.sent))
        self.sent += count

    def answered(self) -> int:
        """How many requests have an answer, repeats dropped."""
        return len({answer["id"] for answer in self.deployment.values("predictions")})

    def lag(self) -> int:
        topic = self.deployment.settings.topics.requests
        at = self._consumer.committed(
            [confluent_kafka.TopicPartition(topic, p) for p in range(PARTITIONS)], 10
        )
        return sum(self._consumer.get_watermark_offsets(one, 10)[1] - max(one.offset, 0) for one in at)

    def wait_for_all(self) -> None:
        until(lambda: self.answered() >= self.sent, what="an answer to each", patience_s=40)
        assert self.answered() == self.sent
        until(lambda: self.lag() == 0, what="all is committed", patience_s=40)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Iterator[Served]:
    with MockCluster() as cluster:
        served = Served(cluster, tmp_path_factory.mktemp("mock"), bundle)
        yield served
        served.deployment.stop()


@pytest.fixture
def running(served: Served) -> Running:
    running = served.start()
    served.send()
    served.wait_for_all()
    return running


@pytest.mark.parametrize(
    ("api", "code"),
    [
        (Api.FETCH, Code.NOT_LEADER_OR_FOLLOWER),
        (Api.FETCH, Code.UNKNOWN_TOPIC_OR_PARTITION),
        (Api.FETCH, Code.KAFKA_STORAGE_ERROR),
        (Api.OFFSET_COMMIT, Code.NOT_COORDINATOR),
        (Api.OFFSET_COMMIT, Code.REQUEST_TIMED_OUT),
        (Api.OFFSET_COMMIT, Code.REBALANCE_IN_PROGRESS),
        (Api.HEARTBEAT, Code.REBALANCE_IN_PROGRESS),
        (Api.HEARTBEAT, Code.UNKNOWN_MEMBER_ID),
    ],
)
def test_what_passes_is_borne(served: Served, running: Running, api: Api, code: Code) -> None:
    served.cluster.push_errors(api, *[code] * 3)
    served.send()
    served.wait_for_all()
    served.cluster.clear_errors(api)
    assert running.process.poll() is None, running.tail()


@pytest.mark.parametrize(
    "code",
    [
        Code.NOT_LEADER_OR_FOLLOWER,
        Code.LEADER_NOT_AVAILABLE,
        Code.REQUEST_TIMED_OUT,
        Code.NOT_ENOUGH_REPLICAS,
        Code.UNKNOWN_TOPIC_OR_PARTITION,
    ],
)
@pytest.mark.parametrize("topic", ["predictions", "distributions"])
def test_what_could_be_delivered_later_is_sent_again(
    served: Served, running: Running, topic: str, code: Code
) -> None:
    name = served.deployment.settings.topics[topic]
    served.cluster.push_partition_errors(name, 0, Api.PRODUCE, *[code] * 3)
    served.send()
    served.wait_for_all()
    assert running.process.poll() is None, running.tail()


@pytest.mark.parametrize(
    "code",
    [Code.TOPIC_AUTHORIZATION_FAILED, pytest.param(Code.MESSAGE_TOO_LARGE, marks=pytest.mark.soak)],
)
def test_what_cannot_be_delivered_ends_the_process_and_is_not_committed(
    served: Served, running: Running, code: Code
) -> None:
    said_before = len(running.log.read_text())
    topic = served.deployment.settings.topics.predictions
    served.cluster.push_partition_errors(topic, 0, Api.PRODUCE, code)
    served.send()
    until(lambda: running.process.poll() is not None, what="the process ends", patience_s=20)
    assert running.process.returncode == EXIT_RETRY
    said = running.log.read_text()[said_before:].splitlines()
    assert len(said) == 1, said
    assert "what agent score sent was not delivered" in said[0]
    assert f"[Error {code.value}]" in said[0]
    assert served.lag() >= 10, "what was not delivered is committed"
    served.start()
    served.wait_for_all()


def test_a_broker_that_is_gone_for_some_seconds_is_waited_for(served: Served, running: Running) -> None:
    served.send(300)
    with served.cluster.down():
        threading.Event().wait(5)
    served.send()
    served.wait_for_all()
    assert running.process.poll() is None, running.tail()


@pytest.mark.soak
def test_a_slow_broker_is_borne(served: Served, running: Running) -> None:
    served.cluster.set_rtt(400)
    served.send(300)
    served.wait_for_all()
    served.cluster.set_rtt(0)
    assert running.process.poll() is None, running.tail()


@pytest.mark.soak
def test_errors_while_a_role_joins_are_borne(served: Served, running: Running) -> None:
    assert running.terminate() == 0
    cluster = served.cluster
    cluster.push_errors(Api.FIND_COORDINATOR, *[Code.COORDINATOR_NOT_AVAILABLE] * 3)
    cluster.push_errors(Api.JOIN_GROUP, Code.COORDINATOR_LOAD_IN_PROGRESS, Code.NOT_COORDINATOR)
    cluster.push_errors(Api.SYNC_GROUP, Code.REBALANCE_IN_PROGRESS, Code.NOT_COORDINATOR)
    cluster.push_errors(Api.OFFSET_FETCH, Code.COORDINATOR_LOAD_IN_PROGRESS, Code.NOT_COORDINATOR)
    cluster.push_errors(Api.LIST_OFFSETS, Code.NOT_LEADER_OR_FOLLOWER, Code.LEADER_NOT_AVAILABLE)
    running = served.start()
    served.send()
    served.wait_for_all()
    assert running.process.poll() is None, running.tail()


def test_a_position_that_is_out_of_range_does_not_stall_the_partition(
    served: Served, running: Running
) -> None:
    said_before = len(running.log.read_text())
    served.send()

    def has_ended() -> bool:
        served.cluster.push_errors(
            Api.FETCH, Code.OFFSET_OUT_OF_RANGE
        )  # another reader may have met the last
        return running.process.poll() is not None

    until(has_ended, what="the process ends")
    served.cluster.clear_errors(Api.FETCH)
    assert running.process.returncode == EXIT_RETRY
    assert "goes back from offset" in running.log.read_text()[said_before:]
    served.start()
    served.wait_for_all()
