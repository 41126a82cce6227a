"""Monitor and train killed at random points while requests, labels and retrain events flow."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from typing import Any

import orjson
import pytest

from streamapp.models import Bundle
from tests.integration.checks import ce_id
from tests.integration.conftest import Make
from tests.integration.deployment import PARTITIONS, Deployment, Sending
from tests.integration.running import Running, until

CHUNK = 60
SETTLED_S = 180.0


class Traffic:
    """Requests, a label each (some before the request is sent, some with another key), and retrain events."""

    def __init__(self, deployment: Deployment, chance: random.Random) -> None:
        self.deployment, self.chance = deployment, chance
        self.sent = 0
        self.wishes: list[str] = []
        self.data: list[dict[str, Any]] = []

    def go_on(self) -> None:
        first, self.sent = self.sent, self.sent + CHUNK
        requests, labels = [], []
        for i in range(first, self.sent):
            temp = self.chance.gauss(0, 1)
            features = {"temp": temp, "wind": self.chance.gauss(0, 1)}
            requests.append(
                Sending(orjson.dumps({"id": f"r-{i}", "features": features}), b"k%d" % i, i % PARTITIONS)
            )
            is_elsewhere = i % 10 == 0
            value = orjson.dumps({"id": f"r-{i}", "label": "busy" if temp > 0 else "calm"})
            labels.append(Sending(value, b"k%d" % i, (i + is_elsewhere) % PARTITIONS))
        both = [("requests", requests), ("feedback", labels)]
        for topic, records in both if self.chance.random() < 0.7 else reversed(both):
            self.deployment.produce(topic, records)

    def wish(self, rows: int) -> None:
        """Ask for a model of the newest `rows` labelled rows: each such event is answered by itself."""
        number = len(self.wishes)
        end = self.deployment.count("labelled")
        topic = self.deployment.settings.topics.labelled
        data = [{"topic": topic, "partition": 0, "start": end - rows, "end": end}]
        event = {"id": f"wish-{number}", "reason": "user", "caused_by": None, "data": data}
        self.wishes.append(f"wish-{number}")
        self.data.append(data[0])
        # Written twice, as by a client that does not know whether it has been.
        self.deployment.produce("retrain-events", [Sending(orjson.dumps(event), b"it")] * 2)


def labelled(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """The rows of ``labelled`` by distinct ce_id; a repeat must say the same."""
    contents: dict[str, set[bytes]] = defaultdict(set)
    for message in deployment.consume("labelled"):
        contents[ce_id(message)].add(message.value())
    twice = [each for each, values in contents.items() if len(values) > 1]
    assert not twice, f"rows that are repeated with another content: {twice[:3]}"
    return {each: orjson.loads(next(iter(values))) for each, values in contents.items()}


def versions(deployment: Deployment) -> dict[str, list[dict[str, Any]]]:
    """All records of each version, in their order."""
    records: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in deployment.values("models"):
        if "state" in record:
            records[record["version"]].append(record)
    return records


def trained(deployment: Deployment) -> Counter[str]:
    """How many versions each retrain event has."""
    return Counter(each[-1]["caused_by"] for each in versions(deployment).values() if each[-1]["caused_by"])


def check_joined_once(deployment: Deployment, count: int) -> None:
    until(
        lambda: len(labelled(deployment)) >= count, what="all labels joined", patience_s=SETTLED_S, every_s=1
    )
    by_request = Counter(row["id"] for row in labelled(deployment).values())
    assert by_request == Counter({f"r-{i}": 1 for i in range(count)})
    assert all(row["revision"] == 0 for row in labelled(deployment).values())


def check_trained_once(deployment: Deployment, traffic: Traffic) -> None:
    wishes = set(traffic.wishes)
    until(
        lambda: wishes <= trained(deployment).keys(),
        what=lambda: f"a version for each wish: {wishes - trained(deployment).keys()}",
        patience_s=SETTLED_S,
        every_s=1,
    )
    found = versions(deployment)
    assert trained(deployment) == dict.fromkeys(trained(deployment), 1), "an event with two versions"
    events = {value["id"] for value in deployment.values("retrain-events")}
    assert trained(deployment).keys() <= events
    by_cause = {records[-1]["caused_by"]: records[-1] for records in found.values()}
    for wish, data in zip(traffic.wishes, traffic.data, strict=True):
        assert by_cause[wish]["training_data"] == [data], "trained on other rows than was asked for"
    for records in found.values():  # what a version is made of never changes, whatever becomes of it
        facts = ("bundle", "sha256", "caused_by", "training_data", "trained_at")
        assert len({orjson.dumps([record[fact] for fact in facts]) for record in records}) == 1


def run(deployment: Deployment, kills: int, chance: random.Random) -> Traffic:
    """Let traffic flow, and kill monitor and train in turn, `kills` times in all, at random points."""
    traffic = Traffic(deployment, chance)
    running: dict[str, Running] = {}

    def start(role: Any) -> None:
        running[role] = deployment.start(role, instance="one")

    for role in ("score", "monitor", "train"):
        start(role)
    for each in running.values():
        each.wait_ready()
    while deployment.count("labelled") < 300:
        traffic.go_on()
    for number in range(kills):
        role = ("monitor", "train")[number % 2]
        if chance.random() < 0.7:  # else while it starts
            running[role].wait_ready()
        if role == "train":
            traffic.wish(200)
        ends_at = time.monotonic() + chance.uniform(0, 2.0)  # the random point
        while time.monotonic() < ends_at:
            traffic.go_on()
        running[role].kill()
        start(role)
    return traffic


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_kills_of_monitor_and_train_lose_and_double_nothing(make: Make, bundle: Bundle) -> None:
    kills = 20
    deployment = make(
        pane_seconds=0.5,
        commit_interval=0.1,
        training_min_rows=100,
        retrain_every_rows=0,  # of itself nothing is trained: each version is somebody's wish
        gate_max_rows=400,
    )
    deployment.deploy(bundle, partitions=PARTITIONS)
    traffic = run(deployment, kills, random.Random(kills))
    check_joined_once(deployment, traffic.sent)
    check_trained_once(deployment, traffic)
    print(f"{kills} kills, {traffic.sent} labels, {len(traffic.wishes)} wishes")
