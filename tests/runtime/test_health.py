from __future__ import annotations

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from streamapp.errors import ConfigError
from streamapp.runtime.broker.properties import free_port
from streamapp.runtime.health import GIVE_UP_S, STUCK_S, Health
from streamapp.runtime.metrics import BatchHistogram, Metrics, set_all
from streamapp.runtime.web import WebServer
from tests.integration.running import page

SIGNS = {
    "beat_at": "event loop",
    "contact_at": "broker has not answered",
    "progress_at": "nothing was committed",
    "settled_at": "rebalance",
}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock)


def refresh(health: Health, *, but: str = "") -> None:
    for sign in SIGNS.keys() - {but}:
        setattr(health, sign, health.clock())


@pytest.mark.parametrize("sign", SIGNS)
def test_a_sign_of_life_that_stays_away_is_a_fault_and_then_the_end(
    health: Health, clock: Clock, sign: str
) -> None:
    assert health.fault() is None
    clock.now += STUCK_S
    refresh(health, but=sign)
    assert health.fault() is None
    clock.now += 1
    assert SIGNS[sign] in (health.fault() or "")
    assert health.must_give_up() is None
    clock.now += GIVE_UP_S
    refresh(health, but=sign)
    assert SIGNS[sign] in (health.must_give_up() or "")
    refresh(health)
    assert health.fault() is health.must_give_up() is None


def test_what_the_broker_said_is_named(health: Health, clock: Clock) -> None:
    health.trouble = "Kafka at kafka:9092 does not take the password {of} user 'alice'"
    assert health.readiness() == (False, f"waiting for partitions: {health.trouble}")
    assert health.fault() is None
    clock.now += STUCK_S + 1
    refresh(health, but="contact_at")
    assert health.fault() == f"the broker has not answered for 46 s: {health.trouble}"
    health.trouble = None
    refresh(health)
    assert health.readiness() == (False, "waiting for partitions")


def test_standing_still_for_a_good_reason_is_no_fault(health: Health, clock: Clock) -> None:
    health.idles = True
    clock.now += STUCK_S + GIVE_UP_S + 1
    refresh(health, but="progress_at")
    assert health.fault() is health.must_give_up() is None


def test_what_stood_still_has_as_long_as_ever_to_go_on(health: Health, clock: Clock) -> None:
    """Else it would end when what it waited for is there, before it can commit anything."""
    health.stand_still("the store")
    assert health.readiness() == (False, "waiting for the store")
    clock.now += STUCK_S + GIVE_UP_S + 1
    refresh(health, but="progress_at")
    health.go_on()
    assert health.readiness() == (True, "ready")
    assert health.fault() is health.must_give_up() is None
    clock.now += STUCK_S + 1
    refresh(health, but="progress_at")
    health.go_on()
    assert SIGNS["progress_at"] in (health.fault() or ""), "it did not stand still"


def test_a_role_is_ready_when_it_waits_for_nothing_or_stands_by(health: Health) -> None:
    assert health.readiness() == (False, "waiting for partitions")
    health.is_standby = True
    assert health.readiness() == (True, "standby")
    health.is_standby, health.waiting_for = False, None
    assert health.readiness() == (True, "ready")


def test_the_pages_say_what_holds(health: Health, clock: Clock) -> None:
    metrics, port = Metrics(), free_port()
    WebServer("127.0.0.1", port, health, metrics).start()
    assert page(port, "health") == (200, "ok\n")
    assert page(port, "ready") == (503, "waiting for partitions\n")
    metrics.requests.labels("prediction").inc(3)
    status, text = page(port, "metrics")
    assert status == 200
    assert 'streamapp_requests_total{outcome="prediction"} 3.0' in text
    assert "process_resident_memory_bytes" in text
    clock.now += STUCK_S + 1
    assert page(port, "health") == (503, "the event loop has stood still for 46 s\n")
    assert page(port, "")[0] == 404


def test_a_role_has_pages_of_its_own(health: Health) -> None:
    pages: dict[str, bytes] = {}
    port = free_port()
    WebServer("127.0.0.1", port, health, Metrics(), pages).start()
    assert page(port, "quality") == (404, "there are /health, /ready and /metrics\n")
    pages["/quality"] = b'{"rows":0}'
    assert page(port, "quality") == (200, '{"rows":0}')
    assert page(port, "") == (404, "there are /quality, /health, /ready and /metrics\n")


def test_a_gauge_has_the_values_that_were_set_last_and_no_others() -> None:
    metrics = Metrics()
    set_all(metrics.segments, {("hub", "n"): 0.1, ("hub", "s"): 0.2})
    set_all(metrics.segments, {("hub", "s"): 0.3, ("size", "big"): 0.4})
    text = generate_latest(metrics.registry).decode()
    assert [line for line in text.splitlines() if line.startswith("streamapp_segment_loss")] == [
        'streamapp_segment_loss{column="hub",level="s"} 0.3',
        'streamapp_segment_loss{column="size",level="big"} 0.4',
    ]


def test_a_taken_port_is_one_line(health: Health) -> None:
    port = free_port()
    WebServer("127.0.0.1", port, health, Metrics()).start()
    with pytest.raises(ConfigError, match=f"web port {port} on 127.0.0.1 is taken.*--web-port"):
        WebServer("127.0.0.1", port, health, Metrics())


def test_a_batch_histogram_counts_like_one_that_takes_one_at_a_time() -> None:
    bounds, seconds = (0.01, 0.1, 1.0), [0.0, 0.01, 0.02, 0.1, 0.5, 7.0]
    registry, plain = CollectorRegistry(), CollectorRegistry()
    own = BatchHistogram("h", "About.", bounds)
    registry.register(own)
    other = Histogram("h", "About.", buckets=bounds, registry=plain)
    own.observe(np.array(seconds[:4]))
    own.observe(np.array(seconds[4:]))
    for each in seconds:
        other.observe(each)
    lines = [
        {line for line in generate_latest(each).decode().splitlines() if "_created" not in line}
        for each in (registry, plain)
    ]
    assert lines[0] == lines[1]


def test_the_metrics_of_the_contract_are_there() -> None:
    names = {family.name for family in Metrics().registry.collect()}
    wanted = (
        "requests rejections request_latency_seconds predict_seconds batch_rows lag_records model_info "
        "model_trained_timestamp_seconds model_deployed_timestamp_seconds "
        "training_data_newest_timestamp_seconds drift_effect open_alerts labels label_coverage_ratio quality "
        "segment_loss retrains promotions"
    )
    assert {f"streamapp_{name}" for name in wanted.split()} <= names
    assert {"process_cpu_seconds", "process_resident_memory_bytes"} <= names
