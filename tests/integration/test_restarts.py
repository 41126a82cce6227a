"""SCORE ended and started again: by SIGTERM under load, by kill -9, elsewhere, under another clock."""

from __future__ import annotations

import random
import subprocess
import time

import pytest
from confluent_kafka.admin import AdminClient

from streamapp.models import Bundle
from tests.integration.checks import check_answered_once, check_counted_once, panes
from tests.integration.conftest import Make
from tests.integration.deployment import PARTITIONS, Deployment, requests
from tests.integration.feeding import Feeder
from tests.integration.running import Running, until

ELSEWHERE = ["unshare", "--uts", "sh", "-c", 'hostname elsewhere && exec "$@"', "sh"]
"""Runs a command under another host name."""


def can_run_elsewhere() -> bool:
    try:
        return subprocess.run([*ELSEWHERE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def members(deployment: Deployment) -> dict[str, set[int]]:
    """Return which partitions of requests each static member of the group has."""
    client = AdminClient({"bootstrap.servers": deployment.bootstrap})
    group = deployment.settings.topics.app_id("score")
    described = client.describe_consumer_groups([group])[group].result(30)
    topic = deployment.settings.topics.requests
    return {
        member.group_instance_id: {
            at.partition for at in member.assignment.topic_partitions if at.topic == topic
        }
        for member in described.members
    }


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_twenty_kills_at_random_points(make: Make, bundle: Bundle) -> None:
    chance = random.Random(20)
    deployment = make(pane_seconds=1, commit_interval=0.2)
    deployment.deploy(bundle, partitions=PARTITIONS)
    running = deployment.start("score", instance="one")
    with Feeder(deployment) as feeder:
        for _ in range(20):
            if chance.random() < 0.8:  # else while it starts
                running.wait_ready()
            time.sleep(chance.uniform(0, 2))  # the random point
            running.kill()
            running = deployment.start("score", instance="one")
    repeats = check_answered_once(deployment, feeder.sent, patience_s=120)
    check_counted_once(deployment, feeder.sent, patience_s=120)
    print(f"{feeder.sent} requests, {repeats} repeats")


def test_sigterm_under_load_ends_in_time_and_repeats_nothing(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    running = deployment.start("score", instance="one")
    with Feeder(deployment, chunk=120) as feeder:
        until(lambda: running.metric("streamapp_batch_rows_count") > 30, what="a stream of answers")
        began = time.monotonic()
        assert running.terminate() == 0, running.tail()
        seconds = time.monotonic() - began
        deployment.start("score", instance="one")
    assert check_answered_once(deployment, feeder.sent) == 0
    check_counted_once(deployment, feeder.sent)
    assert seconds < 10
    print(f"{feeder.sent} requests, ended within {seconds:.1f} s")


@pytest.mark.skipif(not can_run_elsewhere(), reason="another host name needs unshare --uts")
def test_a_member_comes_back_on_another_port_and_host(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    first = deployment.start("score", instance="one")
    deployment.start("score", instance="two")
    # The same id in another role is another member of another group.
    monitor = deployment.start("monitor", instance="one")

    def share() -> bool:
        sizes = sorted(map(len, members(deployment).values()))
        return sizes == [1, 2]

    until(share, what="both have partitions")
    before = members(deployment)
    monitor.wait_ready()
    first.kill()
    began = time.monotonic()
    first = deployment.start("score", instance="one", wrapper=ELSEWHERE)  # and on another port
    first.wait_ready()
    print(f"ready after {time.monotonic() - began:.1f} s")
    assert members(deployment) == before, "a restart has moved partitions"
    deployment.produce("requests", requests(90))
    check_answered_once(deployment, 90)
    assert first.metric('streamapp_requests_total{outcome="prediction"}') == 30 * len(before["one"])


def test_a_clock_that_is_set_back_by_an_hour(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1, commit_interval=0.2)
    deployment.deploy(bundle, partitions=PARTITIONS)
    set_back = deployment.folder / "set-back"
    running: Running = deployment.start("score", instance="one", faults=[f"clock:{set_back}"])
    running.wait_ready()
    deployment.produce("requests", requests(30))
    until(lambda: deployment.count("predictions") == 30, what="answers before")
    set_back.write_text("3600")
    deployment.produce("requests", requests(30, first=30))
    check_counted_once(deployment, 60)  # the open panes of before close, too
    set_back.unlink()
    deployment.produce("requests", requests(30, first=60))
    check_counted_once(deployment, 90)
    assert check_answered_once(deployment, 90) == 0
    assert all(pane.from_ <= pane.to for pane in panes(deployment))
    assert running.page("health") == (200, "ok\n")
