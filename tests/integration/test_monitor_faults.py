"""What the monitor role makes of what happened while it was away, or while it had no room."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from streamapp.models import Bundle
from streamapp.runtime.host import EXIT_RETRY
from tests.integration.checks import check_answered_once, check_counted_once, panes
from tests.integration.conftest import Make, make_bundle
from tests.integration.deployment import PARTITIONS, Deployment, labels, requests
from tests.integration.running import until

LIMITED = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536)); " + (
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
NO_ROOM: Sequence[str] = [sys.executable, "-c", LIMITED]
"""Runs a command that can write no file beyond 64 KiB: a full disk, which not every user can make."""


def since(deployment: Deployment, version: str) -> dict[str, int]:
    """Return the first offsets that a version answered, by its newest record."""
    records = [m for m in deployment.values("models") if m["version"] == version and "state" in m]
    return dict(records[-1]["since"])


def test_a_version_promoted_while_the_monitor_was_away(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=0.5, commit_interval=0.2)
    deployment.deploy(bundle, partitions=PARTITIONS)
    score = deployment.start("score", instance="one")
    monitor = deployment.start("monitor", instance="one")
    score.wait_ready()
    monitor.wait_ready()
    deployment.produce("requests", requests(300))
    check_counted_once(deployment, 300)
    until(lambda: len(since(deployment, bundle.version)) == PARTITIONS, what="the first version's since")
    monitor.kill()
    deployment.produce("requests", requests(300, first=300))
    check_counted_once(deployment, 600)
    successor = make_bundle(2, flip=True)
    deployment.deploy(successor)
    until(
        lambda: score.metric(f'streamapp_model_info{{format="joblib",version="{successor.version}"}}') == 1,
        what="the new version serves",
    )
    deployment.produce("requests", requests(300, first=600))
    check_counted_once(deployment, 900)
    deployment.start("monitor", instance="one").wait_ready()
    until(lambda: len(since(deployment, successor.version)) == PARTITIONS, what="the new version's since")
    until(
        lambda: deployment.committed("monitor", "distributions") == deployment.count("distributions"),
        what="all panes are judged",
    )
    assert since(deployment, bundle.version) == {str(p): 0 for p in range(PARTITIONS)}
    assert since(deployment, successor.version) == {str(p): 200 for p in range(PARTITIONS)}
    events: Counter[str] = Counter()
    for pane in panes(deployment):
        events[pane.version] += pane.events
    assert events == {bundle.version: 600, successor.version: 300}


def test_a_full_disk_ends_the_monitor_and_room_lets_it_go_on(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=0.5, commit_interval=0.2)
    deployment.deploy(bundle, partitions=PARTITIONS)
    deployment.start("score", instance="one", wrapper=NO_ROOM).wait_ready()
    monitor = deployment.start("monitor", instance="one", wrapper=NO_ROOM)
    monitor.wait_ready()
    count = 0

    def has_ended() -> bool:
        nonlocal count
        deployment.produce("requests", requests(300, first=count))
        deployment.produce("feedback", labels(300, first=count))
        count += 300
        return monitor.process.poll() is not None

    until(has_ended, what=lambda: f"its end; {monitor.tail()}")
    assert monitor.process.returncode == EXIT_RETRY
    (line,) = [line for line in monitor.log.read_text().splitlines() if "CRITICAL" in line]
    assert "File too large" in line
    # SCORE keeps nothing on disk, so it does not notice.
    assert check_answered_once(deployment, count) == 0
    check_counted_once(deployment, count)
    deployment.start("monitor", instance="one").wait_ready()
    until(lambda: len(joined(deployment)) >= count, what="all labels are joined")
    assert joined(deployment) == {f"r-{i}" for i in range(count)}


def joined(deployment: Deployment) -> set[str]:
    return {row["id"] for row in deployment.values("labelled")}
