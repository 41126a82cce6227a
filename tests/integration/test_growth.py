"""Partitions added to ``requests`` while its readers run."""

from __future__ import annotations

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from streamapp.models import Bundle
from tests.integration.checks import answered, check_counted_once
from tests.integration.conftest import Make
from tests.integration.deployment import PARTITIONS, Deployment, requests
from tests.integration.running import until

MORE = 5


def grow(deployment: Deployment) -> None:
    client = AdminClient({"bootstrap.servers": deployment.bootstrap})
    topic = deployment.settings.topics.requests
    client.create_partitions([NewPartitions(topic, MORE)])[topic].result(30)


def partitions(deployment: Deployment, topic: str) -> int:
    client = AdminClient({"bootstrap.servers": deployment.bootstrap})
    full = deployment.settings.topics[topic]
    return len(client.list_topics(full, timeout=10).topics[full].partitions)


def test_new_partitions_are_answered_by_roles_that_run(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1, commit_interval=0.2)
    deployment.deploy(bundle, partitions=PARTITIONS)
    score = deployment.start("score", instance="one")
    monitor = deployment.start("monitor", instance="m")
    score.wait_ready()
    monitor.wait_ready()
    deployment.produce("requests", requests(60))
    grow(deployment)
    until(lambda: partitions(deployment, "predictions") == MORE, what="predictions has grown")
    until(lambda: partitions(deployment, "feedback") == MORE, what="feedback has grown")
    new = [sent._replace(partition=PARTITIONS + i % 2) for i, sent in enumerate(requests(60, first=60))]
    deployment.produce("requests", new)
    until(lambda: len(answered(deployment)) >= 120, what="all are answered")
    check_counted_once(deployment, 120, partitions=MORE)
    # JOIN reads the new partitions of answers, too
    until(lambda: monitor.metric('streamapp_answers_total{outcome="answers"}') >= 120, what="all are joined")
