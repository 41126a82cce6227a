"""What a role's page of metrics shows, and what it counts as what."""

from __future__ import annotations

import math

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streamapp.messages import RejectionCode
from streamapp.runtime.health import STUCK_S, Health
from streamapp.runtime.metrics import MOST_SHOWN, Metrics
from streamapp.settings import ROLES, Role


def samples(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """Values of a metric by its labels, from the page as Prometheus would read it."""
    page = generate_latest(metrics.registry).decode()
    return {
        tuple(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == f"streamapp_{name}"
    }


def families(metrics: Metrics, *, with_values: bool = False) -> set[str]:
    """Names of the metrics on a page, or of those that have values there."""
    return {
        family.name.removeprefix("streamapp_")
        for family in metrics.registry.collect()
        if family.name.startswith("streamapp_") and (family.samples or not with_values)
    }


def test_each_role_names_all_metrics_and_has_values_of_what_it_measures() -> None:
    pages = {role: Metrics(role) for role in ROLES}
    for metrics in pages.values():
        metrics.lag.labels("t", "0").set(1)
        metrics.store.labels("s").set(1)
        metrics.open_alerts.labels("input").set(1)
        metrics.drift.labels("temp").set(0.1)
        metrics.unseen.add({"temp": 1})
        assert families(metrics) == families(Metrics())
    values = {role: families(metrics, with_values=True) for role, metrics in pages.items()}
    assert values["train"] == {"healthy", "ready", "lag_records", "retrains", "training_running"}
    assert values["score"] & values["monitor"] == {
        "healthy",
        "ready",
        "lag_records",
        "open_alerts",
        "store_bytes",
        "replaced_times",
    }
    assert {"requests", "request_latency_seconds", "unseen_categories"} <= values["score"]
    assert {"labels", "drift_effect", "promotions"} <= values["monitor"]


def test_of_columns_with_unseen_categories_the_largest_are_shown() -> None:
    metrics = Metrics()
    metrics.unseen.add({f"column-{i}": i + 1 for i in range(MOST_SHOWN + 50)})
    metrics.unseen.add({"column-0": 1_000})
    found = samples(metrics, "unseen_categories_total")
    assert len(found) == MOST_SHOWN
    assert found["column-0",] == 1_001, "what was counted before it was shown is counted"
    assert min(found.values()) == 52


def test_every_metric_is_explained_and_named_as_prometheus_wants_it() -> None:
    for family in Metrics().registry.collect():
        if family.name.startswith("streamapp_"):
            assert family.documentation.endswith("."), family.name
            assert not family.name.endswith("_total"), "a counter's name has it once, and no other's has it"
            if family.name.endswith("_seconds"):
                assert family.type == "histogram" or "timestamp" in family.name, family.name


def test_counters_begin_at_zero_for_each_outcome_that_is_known() -> None:
    metrics = Metrics()
    assert samples(metrics, "requests_total") == {("prediction",): 0, ("rejection",): 0}
    assert samples(metrics, "rejections_total") == {(code.value,): 0 for code in RejectionCode}
    assert samples(metrics, "retrains_total")["failed", "input"] == 0
    assert samples(metrics, "labels_total")[("joined",)] == 0


@pytest.mark.parametrize("name", ["model_trained_timestamp_seconds", "label_coverage_ratio"])
def test_what_is_not_known_yet_is_no_number(name: str) -> None:
    (value,) = samples(Metrics(), name).values()
    assert math.isnan(value)


def test_what_became_of_labels_and_of_answers_is_counted_apart() -> None:
    metrics = Metrics()
    metrics.count_joined({"answers": 5, "repeats": 1, "reviewed": 2, "unlabelled": 3})
    metrics.count_joined({"joined": 4, "waiting": 7, "wrong-clock": 1, "not-json": 2})
    found = {
        name: {labels: value for labels, value in samples(metrics, name).items() if value}
        for name in (
            "answers_total",
            "labels_total",
            "reviews_total",
            "replaced_times_total",
            "unlabelled_total",
        )
    }
    assert found == {
        "answers_total": {("answers",): 5, ("repeats",): 1},
        "labels_total": {("joined",): 4, ("not-json",): 2},
        "reviews_total": {("reviewed",): 2},
        "replaced_times_total": {(): 1},
        "unlabelled_total": {(): 3},
    }


def test_a_process_that_judges_no_more_shows_no_judgements() -> None:
    metrics = Metrics("monitor")
    metrics.open_alerts.labels("accuracy").set(1)
    metrics.quality.labels("loss").set(0.2)
    metrics.coverage.set(0.5)
    metrics.labels.labels("joined").inc()
    metrics.forget_judgements()
    assert samples(metrics, "open_alerts") == samples(metrics, "quality") == {}
    assert math.isnan(samples(metrics, "label_coverage_ratio")[()])
    assert samples(metrics, "labels_total")["joined",] == 1, "what was counted stays counted"


@pytest.mark.parametrize("role", ROLES)
def test_health_is_a_metric_too(role: Role) -> None:
    now = [0.0]
    health, metrics = Health(lambda: now[0]), Metrics(role)
    metrics.follow(health)
    assert (samples(metrics, "healthy"), samples(metrics, "ready")) == ({(): 1}, {(): 0})
    now[0], health.waiting_for = STUCK_S + 1, None
    assert (samples(metrics, "healthy"), samples(metrics, "ready")) == ({(): 0}, {(): 1})
