"""SCORE and its watchdog while the broker stands still, dies, or stays away."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from streamapp.models import Bundle
from streamapp.runtime.broker import Broker
from streamapp.runtime.host import EXIT_RETRY
from tests.integration.checks import check_answered_once, check_counted_once
from tests.integration.conftest import Make, making
from tests.integration.counters import check_answers_reconcile, counted
from tests.integration.deployment import PARTITIONS, requests
from tests.integration.feeding import Feeder, Kept
from tests.integration.running import lags, until

LIMITS = "limits:5,4"
"""The watchdog's patience, seconds: so long that the right reason is the first when it ends."""


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that may be ended: the session's is needed by others."""
    with Broker(data_dir=tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def make_own(own_broker: Broker, tmp_path: Path) -> Iterator[Make]:
    with making(own_broker, tmp_path) as make:
        yield make


def pause(broker: Broker, seconds: float) -> None:
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGSTOP)
    time.sleep(seconds)  # the outage
    os.kill(broker.pid, signal.SIGCONT)


def crash(broker: Broker) -> None:
    broker.kill()
    broker.start()


def has_sent(feeder: Feeder, count: int) -> bool:
    return feeder.sent >= count


@pytest.mark.parametrize("seconds", [8, pytest.param(30, marks=[pytest.mark.soak, pytest.mark.timeout(400)])])
def test_a_broker_that_stands_still_and_one_that_is_killed(
    make_own: Make, own_broker: Broker, bundle: Bundle, seconds: float
) -> None:
    deployment = make_own(pane_seconds=1, commit_interval=0.2)
    deployment.deploy(bundle, partitions=PARTITIONS)
    with Kept(deployment, "score", instance="one") as kept:
        until(kept.is_ready, what="ready")
        with Feeder(deployment) as feeder:
            for happens in (partial(pause, own_broker, seconds), partial(crash, own_broker)):
                sent = feeder.sent
                until(partial(has_sent, feeder, sent + 600), what="a stream")
                happens()
            sent = feeder.sent
            until(partial(has_sent, feeder, sent + 600), what="a stream after it")
        repeats = check_answered_once(deployment, feeder.sent, patience_s=120)
        check_counted_once(deployment, feeder.sent)
        check_answers_reconcile(deployment, counted(kept.port))
        print(f"{feeder.sent} requests, {repeats} repeats; {kept.lines}")


def check_gives_up(kept: Kept, why: str) -> None:
    """Health turns red, the process ends to be started again, and the supervisor does so."""

    def is_red() -> bool:
        status, text = kept.page("health")
        return status == 503 and why in text

    kept.lines.clear()
    until(is_red, what=lambda: f"red: {why}; {kept.lines}", every_s=0.1)
    until(
        lambda: kept.said(f"exited with status {EXIT_RETRY}; starting again"),
        what=lambda: f"its end: {kept.lines}",
    )
    assert kept.said(why)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_the_watchdog_ends_a_role_that_is_stuck_and_it_is_started_again(make: Make, bundle: Bundle) -> None:
    """The loop blocked in one role, an agent that waits for ever in another."""
    whys = {"block": "the event loop has stood still", "hang": "there is lag, and nothing was committed"}
    with ExitStack() as stack:
        kept: dict[str, Kept] = {}
        for case in whys:
            deployment = make()
            deployment.deploy(bundle, partitions=PARTITIONS)
            stuck = f"{case}:{deployment.folder}/stuck"
            kept[case] = stack.enter_context(Kept(deployment, "score", LIMITS, stuck, instance="one"))
        for each in kept.values():
            until(each.is_ready, what="ready")
            (each.deployment.folder / "stuck").touch()
            each.deployment.produce("requests", requests(30))
        for case, why in whys.items():
            check_gives_up(kept[case], why)
            (kept[case].deployment.folder / "stuck").unlink()
        for each in kept.values():
            check_answered_once(each.deployment, 30)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_the_watchdog_ends_a_role_whose_group_never_settles(make: Make, bundle: Bundle) -> None:
    """The coordinator waits for a member that neither answers nor is given up, and all wait with it."""
    deployment = make()
    deployment.deploy(bundle, partitions=PARTITIONS)
    with Kept(deployment, "score", LIMITS, instance="one") as kept:
        until(kept.is_ready, what="ready")
        silent = deployment.start("score", instance="two", faults=["session:25"])
        until(lambda: len(lags(silent.port)) > 0, what=lambda: f"partitions of the other: {silent.tail()}")
        until(kept.is_ready, what="ready with the other")
        silent.process.send_signal(signal.SIGSTOP)
        deployment.start("score", instance="three")  # all have to join the group anew
        check_gives_up(kept, "a rebalance has been under way")
        silent.process.send_signal(signal.SIGCONT)
        until(kept.is_ready, what="ready when the group has settled")
        deployment.produce("requests", requests(30))
        check_answered_once(deployment, 30)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_the_watchdog_ends_a_role_without_a_broker(
    make_own: Make, own_broker: Broker, bundle: Bundle
) -> None:
    deployment = make_own()
    deployment.deploy(bundle, partitions=PARTITIONS)
    with Kept(deployment, "score", LIMITS, instance="one") as kept:
        until(lambda: lags(kept.port) == [0.0] * PARTITIONS, what="a look at a role without lag")
        own_broker.kill()
        check_gives_up(kept, "the broker has not answered")
        until(lambda: kept.said("role score could not start"), what="a start without a broker")
        assert not kept.said("exited with status 0")
        own_broker.start()
        until(kept.is_ready, what="ready with the broker")
