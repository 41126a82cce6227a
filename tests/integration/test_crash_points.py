"""SCORE ended at every step between a request and its commit: nothing is lost, nothing counted twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streamapp.models import Bundle
from streamapp.runtime.broker import Broker
from tests.integration.checks import check_answered_once, check_counted_once
from tests.integration.conftest import making
from tests.integration.deployment import PARTITIONS, Deployment, requests
from tests.integration.faulty_role import CRASHED
from tests.integration.running import Running, until

POINTS = {
    "queued": "answers were produced, not delivered yet",
    "delivered": "answers were delivered, not acknowledged yet",
    "acked": "acknowledged, the pane not written yet",
    "saved": "the pane was written, offsets not committed yet",
    "closed": "a closed pane was written, not published yet",
    "published": "a pane was published, nothing saved since",
    "committed": "offsets were committed",
}


class Stream:
    """One deployment for all cases: each begins with the process that recovered from the case before."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.armed = deployment.folder / "armed"
        self.sent = 0
        self.running = self.start()

    def start(self, *faults: str) -> Running:
        return self.deployment.start("score", instance="one", faults=[f"crash:{self.armed}", *faults])

    def send(self, count: int) -> None:
        self.deployment.produce("requests", requests(count, first=self.sent))
        self.sent += count

    def arm(self, point: str, passes: int) -> None:
        new = self.armed.with_suffix(".new")
        new.write_text(f"{point} {passes}")
        new.replace(self.armed)

    def crash(self) -> None:
        """Send until the process has met its point."""

        def has_ended() -> bool:
            self.send(30)
            return self.running.process.poll() is not None

        until(has_ended, what=lambda: f"the crash; {self.running.tail()}", every_s=0.05)
        assert self.running.process.returncode == CRASHED, self.running.tail()
        self.armed.unlink()

    def check(self) -> None:
        check_answered_once(self.deployment, self.sent)
        check_counted_once(self.deployment, self.sent)


@pytest.fixture(scope="module")
def stream(broker: Broker, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stream]:
    with making(broker, tmp_path_factory.mktemp("crash")) as make:
        deployment = make(pane_seconds=0.5, commit_interval=0.1)
        deployment.deploy(bundle, partitions=PARTITIONS)
        yield Stream(deployment)


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_any_point_loses_nothing_and_counts_nothing_twice(stream: Stream, point: str) -> None:
    stream.running.wait_ready()
    stream.send(30)
    stream.arm(point, 4)
    stream.crash()
    stream.running = stream.start()
    stream.check()


def test_a_crash_between_the_publication_of_a_restored_pane_and_the_save_of_the_next(stream: Stream) -> None:
    """What is answered before a closed pane was published again is in no saved pane: it may not be committed.

    So the role's tick comes late here, and the first batch before it.
    """
    stream.running.wait_ready()
    stream.arm("closed", 1)
    stream.crash()
    stream.send(300)
    stream.arm("committed", 1)
    stream.running = stream.start("late-ticks")
    stream.crash()
    stream.running = stream.start()
    stream.check()
