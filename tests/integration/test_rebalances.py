"""SCORE while processes come and go: partitions change hands under load."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from streamapp.models import Bundle
from streamapp.runtime.host import EXIT_RETRY
from tests.integration.checks import check_answered_once, check_counted_once
from tests.integration.conftest import Make
from tests.integration.deployment import PARTITIONS, Deployment
from tests.integration.feeding import Feeder
from tests.integration.running import Running, lags, until

SHORT_SESSION = "session:4"
"""A dead member is given up sooner than by the product's settings, under which this would take minutes."""


def is_stopped(running: Running) -> bool:
    return "\nState:\tT" in Path(f"/proc/{running.process.pid}/status").read_text()


def has_answered(running: Running | None) -> bool:
    return running is not None and running.metric('streamapp_requests_total{outcome="prediction"}') > 0


def storm(deployment: Deployment, *faults: str, seconds: float, every_s: float, seed: int) -> tuple[int, int]:
    """Let two further processes join and leave, by SIGTERM and by kill -9; return (sent, changes)."""
    chance = random.Random(seed)
    guests: dict[str, Running | None] = {"two": None, "three": None}
    with Feeder(deployment) as feeder:
        # On a busy machine a guest may leave before it has joined: one at least has had partitions.
        guests["two"] = deployment.start("score", instance="two", faults=faults)
        until(lambda: has_answered(guests["two"]), what="the first guest has answered")
        changes, end = 1, time.monotonic() + seconds
        while time.monotonic() < end:
            name = chance.choice(list(guests))
            guest, guests[name] = guests[name], None
            if guest is None:
                guests[name] = deployment.start("score", instance=name, faults=faults)
            elif chance.random() < 0.5:
                assert guest.terminate() == 0, guest.tail()
            else:
                guest.kill()
            changes += 1
            time.sleep(chance.uniform(0.5, 1.5) * every_s)  # the storm, not a synchronisation
    return feeder.sent, changes


@pytest.mark.parametrize(
    ("seconds", "every_s", "faults"),
    [
        pytest.param(16, 3, [SHORT_SESSION], id="short"),
        pytest.param(180, 8, [], id="long", marks=[pytest.mark.soak, pytest.mark.timeout(600)]),
    ],
)
def test_a_storm_of_rebalances(
    make: Make, bundle: Bundle, seconds: float, every_s: float, faults: list[str]
) -> None:
    deployment = make(pane_seconds=1, commit_interval=0.2)
    deployment.deploy(bundle, partitions=PARTITIONS)
    first = deployment.start("score", instance="one", faults=faults)
    first.wait_ready()
    sent, changes = storm(deployment, *faults, seconds=seconds, every_s=every_s, seed=4)
    repeats = check_answered_once(deployment, sent)
    check_counted_once(deployment, sent)
    until(lambda: deployment.committed("score", "requests") == sent, what="all committed")
    assert first.process.poll() is None, f"the first process has ended: {first.tail()}"
    assert first.metric('streamapp_requests_total{outcome="prediction"}') < sent, "nobody else has answered"
    print(f"{sent} requests, {changes} changes, {repeats} repeats")


def test_a_process_that_was_stopped_before_it_saved_spoils_nothing(make: Make, bundle: Bundle) -> None:
    """Its session is over when it goes on: what it was about to write would undo what its successor wrote."""
    deployment = make(pane_seconds=1, commit_interval=0.2)
    deployment.deploy(bundle, partitions=PARTITIONS)
    armed = deployment.folder / "armed"
    sleeper = deployment.start("score", instance="one", faults=[SHORT_SESSION, f"crash:{armed}"])
    sleeper.wait_ready()
    with Feeder(deployment) as feeder:
        until(lambda: deployment.committed("score", "requests") > 0, what="the first commits")
        armed.write_text("acked 1 stop")
        until(lambda: is_stopped(sleeper), what="the process is stopped")
        armed.unlink()
        other = deployment.start("score", instance="two", faults=[SHORT_SESSION])
        until(lambda: len(lags(other.port)) == PARTITIONS, what="the other has taken over")
        until(lambda: other.metric("streamapp_batch_rows_count") > 20, what="the other has answered")
        sleeper.process.send_signal(signal.SIGCONT)
        assert sleeper.process.wait(60) == EXIT_RETRY, sleeper.tail()
        other.kill()  # so that what is in the table is read again
        deployment.start("score", instance="two")
    check_answered_once(deployment, feeder.sent)
    check_counted_once(deployment, feeder.sent)
