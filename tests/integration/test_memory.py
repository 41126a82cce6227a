"""Memory does not grow with the backlog, and a broker or a model that is slow is waited for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from streamapp.models import Bundle
from streamapp.runtime.broker import Broker
from tests.integration.conftest import Make
from tests.integration.deployment import Deployment, Sending
from tests.integration.faulty_models import ROOT, faulty_bundle
from tests.integration.running import Running, until

_ANSWERED = 'streamapp_requests_total{outcome="prediction"}'
_FETCH_BYTES = 1 << 20
"""What a fetch brings of one partition, and so what a batch holds."""


def rows(count: int, *, partitions: int = 3, padding: int = 0) -> Iterator[Sending]:
    beside = {"x": "x" * padding} if padding else {}
    for number in range(count):
        value = {"id": f"r-{number}", "features": {"temp": number % 7, "wind": 0, **beside}}
        yield Sending(orjson.dumps(value), partition=number % partitions)


def peak_mib(running: Running) -> float:
    """The most memory that the process has ever had."""
    for line in Path(f"/proc/{running.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


def drained(deployment: Deployment, count: int, *, patience_s: float = 120) -> float:
    """Start score on a backlog of `count` requests, and return its peak memory once all are answered."""
    running = deployment.start("score")
    running.wait_ready()
    until(lambda: running.metric(_ANSWERED) >= count, what=f"{count} answers", patience_s=patience_s)
    assert running.page("health") == (200, "ok\n")
    peak = peak_mib(running)
    running.kill()
    return peak


def check_flat(make: Make, bundle: Bundle, few: int, many: int, *, padding: int) -> None:
    """`many` requests take little more memory than `few`, which fill all that is open."""
    peaks = {}
    for count in (few, many):
        deployment = make()
        deployment.deploy(bundle, partitions=3)
        deployment.produce("requests", rows(count, padding=padding))
        peaks[count] = drained(deployment, count)
    print(f"peak MiB by requests: {peaks}")
    assert peaks[many] < 1.10 * peaks[few], peaks


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_memory_does_not_grow_with_the_backlog(make: Make, bundle: Bundle) -> None:
    check_flat(make, bundle, 20_000, 400_000, padding=300)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_large_requests_take_little_more_memory(make: Make, bundle: Bundle) -> None:
    check_flat(make, bundle, 30, 300, padding=990_000)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_slow_model_holds_up_the_reader(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call takes 0.3 s whatever it is asked, so the backlog waits in Kafka and not in memory."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    check_flat(make, faulty_bundle(seconds=0.3), 20_000, 400_000, padding=300)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_what_cannot_be_delivered_holds_up_the_reader(tmp_path: Path, bundle: Bundle) -> None:
    """While a broker stands still, no more is answered than the two open batches of each partition."""
    with Broker() as own:
        deployment = Deployment("slow", own.bootstrap, tmp_path)
        deployment.deploy(bundle, partitions=2)
        deployment.produce("requests", rows(200_000, partitions=2, padding=1_000))
        running = deployment.start("score")
        try:
            until(lambda: running.metric(_ANSWERED) > 20_000, what="it is under way", every_s=0.02)
            assert own.pid is not None
            os.kill(own.pid, signal.SIGSTOP)
            try:
                # What is on its way is read, and then nothing can be.
                seen = [-1.0, running.metric(_ANSWERED)]
                while seen[-1] != seen[-2]:
                    threading.Event().wait(2)
                    seen.append(running.metric(_ANSWERED))
            finally:
                os.kill(own.pid, signal.SIGCONT)
            assert seen[-1] < 200_000, "the broker was stopped too late to show anything"
            assert seen[-1] - seen[1] <= 2 * 2 * (_FETCH_BYTES // 1_000), seen
            until(lambda: running.metric(_ANSWERED) >= 200_000, what="all answers", patience_s=120)
            assert running.process.poll() is None, running.tail()
            assert deployment.count("predictions") == 200_000, "some were answered twice"
        finally:
            deployment.stop()
