"""The page of a real deployment, while its broker stands still, and afterwards."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import confluent_kafka.admin
import pytest

from streamapp.runtime.broker import Broker
from tests.dashboard.bikes import bundle
from tests.dashboard.scenes import Story
from tests.integration.conftest import making
from tests.integration.deployment import Deployment, Sending
from tests.integration.running import Running, until


def ends(deployment: Deployment) -> dict[str, int]:
    """How many records each topic of the deployment holds."""
    return {
        topic.split(".", 1)[1]: deployment.count(topic.split(".", 1)[1])
        for topic in deployment.settings.topics
    }


def write(deployment: Deployment, story: Story) -> None:
    """Write what a story tells and has not written yet."""
    for topic, record in story.records:
        headers = [(name, value or b"") for name, value in record.headers]
        deployment.produce(topic, [Sending(record.value, record.key, headers=headers)])
    story.records.clear()


def told(deployment: Deployment, rows: int) -> Story:
    """Deploy a version, and write that it has answered."""
    deployment.deploy(bundle(1), partitions=1)
    story = Story(deployment.name)
    story.begin(bundle(1))
    story.answer(rows)
    write(deployment, story)
    return story


def shows(page: Running, name: str, pattern: str) -> bool:
    status, text = page.page(name)
    return status == 200 and re.search(pattern, text) is not None


@pytest.mark.broker
@pytest.mark.timeout(300)
def test_a_page_follows_its_topics_writes_nothing_and_outlives_an_outage(tmp_path: Path) -> None:
    with Broker(data_dir=tmp_path / "broker") as broker, making(broker, tmp_path) as make:
        deployment, beside = make(), make()
        story = told(deployment, 2_176)
        told(beside, 640)
        store = Path(str(beside.settings.store))
        store.rename(store.with_name("elsewhere"))
        before = ends(deployment)
        page = deployment.start_dashboard(beside.name)
        name = deployment.name
        until(lambda: shows(page, beside.name, "cannot be read here: no bundle"), what="a store that is away")
        store.with_name("elsewhere").rename(store)
        until(lambda: shows(page, name, "accuracy 79[0-9.]+ %"), what="the accuracy on the page")
        until(lambda: shows(page, name, "the last 2,[0-9]+ requests look like"), what="a comparison")
        until(lambda: shows(page, name, "requests a second are answered"), what="health")  # once all is read
        assert ends(deployment) == before

        deployment.produce("requests", [Sending(b"{}")] * 5_000)
        before = ends(deployment)
        until(lambda: shows(page, name, "2,824 requests wait"), what="what waits on the page")

        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            until(lambda: shows(page, name, "No contact with Kafka since"), what="the outage on the page")
            assert shows(page, name, "accuracy 79[0-9.]+ %")  # what was known stays
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        until(lambda: shows(page, name, "Live, "), what="contact again")
        assert ends(deployment) == before
        groups = confluent_kafka.admin.AdminClient({"bootstrap.servers": broker.bootstrap})
        assert groups.list_consumer_groups().result().valid == []

        story.answer(1_280, warmer=1.0)
        write(deployment, story)
        until(lambda: shows(page, name, "temp has moved up by"), what="the drift on the page")
        until(lambda: shows(page, beside.name, "the last 640 requests look like"), what="all read anew")
        assert page.terminate() == 0
