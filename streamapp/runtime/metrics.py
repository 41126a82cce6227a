"""What is counted and measured: Prometheus metrics, one registry per process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from threading import Lock

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

__all__ = ["BatchHistogram", "Metrics", "set_all"]

_LATENCY_S = (.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60)  # fmt: skip
_PREDICT_S = (.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5)  # fmt: skip
_ROWS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)


class BatchHistogram(Collector):
    """A histogram of seconds that takes the observations of a batch at once.

    Parameters
    ----------
    name, about
        Of the metric.
    bounds_s
        Upper bounds of the buckets, increasing.
    """

    def __init__(self, name: str, about: str, bounds_s: Sequence[float]) -> None:
        self._name, self._about = name, about
        self._bounds = np.array(bounds_s)
        self._counts = np.zeros(len(bounds_s) + 1, dtype=np.int64)
        self._sum = 0.0
        self._lock = Lock()  # the pages are served by another thread

    def observe(self, seconds: np.ndarray) -> None:
        """Count the observations `seconds`, (n,)."""
        counts = np.bincount(self._bounds.searchsorted(seconds), minlength=len(self._counts))
        with self._lock:
            self._counts += counts
            self._sum += float(seconds.sum())

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the metric as it stands now."""
        with self._lock:
            cumulated, total = self._counts.cumsum().tolist(), self._sum
        bounds = [*map(str, self._bounds.tolist()), "+Inf"]
        yield HistogramMetricFamily(
            self._name, self._about, buckets=list(zip(bounds, cumulated, strict=True)), sum_value=total
        )


class Metrics:
    """The metrics of the contract; names and labels are part of it."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"streamapp_{name}", about, labels, registry=registry)

        def gauge(name: str, about: str, *labels: str) -> Gauge:
            return Gauge(f"streamapp_{name}", about, labels, registry=registry)

        def histogram(name: str, about: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"streamapp_{name}", about, buckets=buckets, registry=registry)

        self.requests = counter("requests_total", "Requests answered.", "outcome")
        self.rejections = counter("rejections_total", "Requests rejected.", "code")
        self.latency = BatchHistogram(
            "streamapp_request_latency_seconds",
            "From the request's timestamp to its answer's delivery.",
            _LATENCY_S,
        )
        registry.register(self.latency)
        self.predict = histogram("predict_seconds", "One batch: decode, predict, encode.", _PREDICT_S)
        self.batch_rows = histogram("batch_rows", "Requests in one batch.", _ROWS)
        self.unknown_columns = counter("unknown_columns_total", "Values in columns the model does not know.")
        self.unseen = counter("unseen_categories_total", "Values with a category unseen before.", "feature")
        self.replaced_times = counter("replaced_times_total", "ce_time headers that could not be used.")
        self.lag = gauge("lag_records", "Records not yet committed.", "topic", "partition")
        self.model = gauge("model_info", "1 for the champion.", "version", "format")
        self.model_trained = gauge("model_trained_timestamp_seconds", "When the champion was trained.")
        self.model_deployed = gauge("model_deployed_timestamp_seconds", "When it became champion.")
        self.model_newest_data = gauge(
            "training_data_newest_timestamp_seconds", "Newest data the champion has learned from."
        )
        self.drift = gauge("drift_effect", "Signed size of the drift of a column.", "feature")
        self.open_alerts = gauge("open_alerts", "Alerts that are open.", "kind")
        self.labels = counter("labels_total", "Labels and answers joined.", "outcome")
        self.coverage = gauge("label_coverage_ratio", "Labelled share of the answers in the window.")
        self.quality = gauge("quality", "Over the newest labelled rows.", "metric")
        self.segments = gauge("segment_loss", "Over the newest labelled rows of a level.", "column", "level")
        self.estimate_state = gauge(
            "accuracy_estimate_state", "1 for what labels say of estimated-accuracy.", "state"
        )
        self.retrains = counter("retrains_total", "Trainings.", "reason", "outcome")
        self.training = gauge("training_running", "1 while a model is being fitted.")
        self.promotions = counter("promotions_total", "Challengers decided on.", "outcome")


def set_all(gauge: Gauge, values: Mapping[tuple[str, ...], float]) -> None:
    """Let `gauge` have `values`, by its labels, and no others."""
    shown = {tuple(sample.labels.values()) for sample in _samples(gauge)}
    for labels in shown - values.keys():
        gauge.remove(*labels)
    for labels, value in values.items():
        gauge.labels(*labels).set(value)


def _samples(gauge: Gauge) -> Iterator[Sample]:
    for family in gauge.collect():
        yield from family.samples
