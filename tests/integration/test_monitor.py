"""The monitor role on a real broker: what was joined and seen survives a kill and a lost disk."""

from __future__ import annotations

import shutil
from collections import Counter

import orjson

from streamapp.models import Bundle
from tests.integration.conftest import Make
from tests.integration.deployment import PARTITIONS, Deployment, labels, requests
from tests.integration.running import Running, until


def joined(monitor: Running, outcome: str) -> float:
    return monitor.metric(f'streamapp_labels_total{{outcome="{outcome}"}}')


def ids(deployment: Deployment) -> Counter[str]:
    """Return how often each distinct ce_id stands in ``labelled``, by the id of its request."""
    messages = deployment.consume("labelled")
    by_ce_id = {dict(message.headers())["ce_id"]: orjson.loads(message.value())["id"] for message in messages}
    return Counter(by_ce_id.values())


def test_a_killed_monitor_joins_every_label_once(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    deployment.start("score").wait_ready()
    monitor = deployment.start("monitor", instance="one")
    monitor.wait_ready()
    count = 0
    for chunk in range(30):
        deployment.produce("requests", requests(100, first=count))
        deployment.produce("feedback", labels(100, first=count))
        count += 100
        if chunk in {10, 20}:
            monitor.kill()
            monitor = deployment.start("monitor", instance="one")
            monitor.wait_ready()
    until(lambda: sum(ids(deployment).values()) >= count, what="all labels joined")
    assert ids(deployment) == Counter({f"r-{i}": 1 for i in range(count)})


def test_a_lost_disk_is_rebuilt_from_the_topics(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    deployment.start("score").wait_ready()
    monitor = deployment.start("monitor", instance="one")
    monitor.wait_ready()
    deployment.produce("requests", requests(400))
    deployment.produce("feedback", labels(100))
    until(lambda: joined(monitor, "answers") >= 400, what="answers read")
    until(lambda: joined(monitor, "joined") >= 100, what="labels joined")
    assert monitor.terminate() == 0
    shutil.rmtree(deployment.folder / "state")
    deployment.start("monitor", instance="one").wait_ready()
    deployment.produce("feedback", labels(300, first=100))
    until(lambda: sum(ids(deployment).values()) >= 400, what="labels of answers from before")
    assert ids(deployment) == Counter({f"r-{i}": 1 for i in range(400)})
    assert deployment.count("labelled") == 400, "rows from before were delivered again"
