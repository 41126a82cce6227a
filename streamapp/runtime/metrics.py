"""What is counted and measured: Prometheus metrics, one registry per process.

Each page names all metrics, and has values of what its role measures: a zero that nobody counts would look
like a measurement. Counters start at 0 for each outcome that is known, so that the first one is a rise; what
is not known yet is NaN.
"""

from __future__ import annotations

import math
from collections import Counter as Counts
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from threading import Lock
from typing import TypeVar, get_args

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from streamapp.messages import RejectionCode, RetrainReason
from streamapp.runtime.health import Health
from streamapp.settings import Role

__all__ = ["MOST_SHOWN", "BatchHistogram", "LargestCounts", "Metrics", "set_all"]

_M = TypeVar("_M", bound=Collector)

MOST_SHOWN = 100
"""Columns that a metric tells apart: a model may have thousands, and each is a series."""

_LATENCY_S = (.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60)  # fmt: skip
_PREDICT_S = (.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5)  # fmt: skip
_ANSWERS = ("answers", "rejections", "repeats", "unreadable")
_LABELS = ("joined", "corrected", "outranked", "repeated", "forwarded", "unknown-id")
_REVIEWS = ("reviewed", "review-dropped")
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


class LargestCounts(Collector):
    """A counter by one label, of which the largest values are shown, :data:`MOST_SHOWN` at most.

    Parameters
    ----------
    name, about
        Of the metric.
    label
        Its name.
    """

    def __init__(self, name: str, about: str, label: str) -> None:
        self._name, self._about, self._label = name, about, label
        self._counts: Counts[str] = Counts()
        self._lock = Lock()  # as of the histogram

    def add(self, counts: Mapping[str, int]) -> None:
        """Count so many more by value of the label."""
        with self._lock:
            self._counts.update(counts)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the metric as it stands now."""
        with self._lock:
            largest = self._counts.most_common(MOST_SHOWN)
        family = CounterMetricFamily(self._name, self._about, labels=[self._label])
        for value, count in largest:
            family.add_metric([value], count)
        yield family


class _Named(Collector):
    """A metric without its values: those are another role's."""

    def __init__(self, metric: Collector) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        for family in self._metric.collect():
            yield Metric(family.name, family.documentation, family.type)


@dataclass(frozen=True, slots=True)
class _Group:
    """Makes the metrics of some roles, and registers them; `is_own` if this process is one of these."""

    registry: CollectorRegistry
    is_own: bool

    def counter(self, name: str, about: str, **labels: Iterable[str]) -> Counter:
        """Return a counter that starts at 0 for each combination of the values of `labels`."""
        made = self._added(Counter(f"streamapp_{name}", about, list(labels), registry=None))
        for values in product(*labels.values()) if labels else ():
            made.labels(*values)
        return made

    def gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return self._added(Gauge(f"streamapp_{name}", about, labels, registry=None))

    def unknown(self, name: str, about: str) -> Gauge:
        """Return a gauge that is NaN until it is set: of that no rule says it is too low."""
        made = self.gauge(name, about)
        made.set(math.nan)
        return made

    def histogram(self, name: str, about: str, bounds: Sequence[float]) -> Histogram:
        return self._added(Histogram(f"streamapp_{name}", about, buckets=bounds, registry=None))

    def batched(self, name: str, about: str, bounds_s: Sequence[float]) -> BatchHistogram:
        return self._added(BatchHistogram(f"streamapp_{name}", about, bounds_s))

    def largest(self, name: str, about: str, label: str) -> LargestCounts:
        return self._added(LargestCounts(f"streamapp_{name}", about, label))

    def _added(self, made: _M) -> _M:
        self.registry.register(made if self.is_own else _Named(made))
        return made


class Metrics:
    """The metrics of the contract; names and labels are part of it.

    Parameters
    ----------
    role
        Whose metrics have values; None: those of all. Each can be set in any case.
    """

    def __init__(self, role: Role | None = None) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

        def of(*roles: Role) -> _Group:
            return _Group(self.registry, role is None or role in roles)

        everyone, watched = of("score", "monitor", "train"), of("score", "monitor")
        self.healthy = everyone.gauge("healthy", "1 while /health says so.")
        self.ready = everyone.gauge("ready", "1 while /ready says so.")
        self.lag = everyone.gauge("lag_records", "Records not yet committed.", "topic", "partition")
        self.open_alerts = watched.gauge("open_alerts", "Alerts that are open.", "kind")
        self.store = watched.gauge("store_bytes", "What state takes, on disk (join) or in memory.", "store")
        self.replaced_times = watched.counter("replaced_times_total", "Event times that could not be used.")
        self._add_serving(of("score"))
        self._add_monitoring(of("monitor"))
        self._add_training(of("train"))

    def _add_serving(self, score: _Group) -> None:
        self.requests = score.counter(
            "requests_total", "Requests answered.", outcome=("prediction", "rejection")
        )
        self.rejections = score.counter("rejections_total", "Requests rejected.", code=RejectionCode)
        self.latency = score.batched(
            "request_latency_seconds", "From the request's timestamp to its answer's delivery.", _LATENCY_S
        )
        self.queue = score.batched(
            "request_queue_seconds", "From the request's timestamp until its batch is begun.", _LATENCY_S
        )
        self.predict = score.histogram("predict_seconds", "One batch: decode, predict, encode.", _PREDICT_S)
        self.batch_rows = score.histogram("batch_rows", "Requests in one batch.", _ROWS)
        self.unknown_columns = score.counter(
            "unknown_columns_total", "Values in columns the model does not know."
        )
        self.unseen = score.largest(
            "unseen_categories_total", "Values with a category unseen before.", "feature"
        )
        self.model = score.gauge("model_info", "1 for the champion.", "version", "format")
        self.model_trained = score.unknown(
            "model_trained_timestamp_seconds", "When the champion was trained."
        )
        self.model_deployed = score.unknown("model_deployed_timestamp_seconds", "When it became champion.")
        self.model_newest_data = score.unknown(
            "training_data_newest_timestamp_seconds", "Newest data the champion has learned from."
        )

    def _add_monitoring(self, monitor: _Group) -> None:
        self.drift = monitor.gauge("drift_effect", "Signed size of the drift of a column.", "feature")
        self.unjudged = monitor.gauge(
            "panes_unjudged", "Panes of the log that drift was not judged on.", "reason"
        )
        self.answers = monitor.counter("answers_total", "Records of predictions, as read.", outcome=_ANSWERS)
        self.unlabelled = monitor.counter("unlabelled_total", "Answers forgotten without a label.")
        self.reviews = monitor.counter("reviews_total", "Answers drawn for review.", outcome=_REVIEWS)
        self.labels = monitor.counter("labels_total", "Records of feedback, once settled.", outcome=_LABELS)
        self.waiting = monitor.gauge("labels_waiting", "Records of feedback whose request has no answer yet.")
        self.coverage = monitor.unknown(
            "label_coverage_ratio", "Labelled share of the answers in the window."
        )
        self.quality = monitor.gauge("quality", "Over the newest labelled rows.", "metric")
        self.segments = monitor.gauge(
            "segment_loss", "Over the newest labelled rows of a level.", "column", "level"
        )
        self.estimate_state = monitor.gauge(
            "accuracy_estimate_state", "1 for what labels say of estimated-accuracy.", "state"
        )
        self.promotions = monitor.counter(
            "promotions_total", "Challengers decided on.", outcome=("promoted", "rejected", "rolled-back")
        )

    def _add_training(self, train: _Group) -> None:
        self.retrains = train.counter(
            "retrains_total",
            "Trainings.",
            reason=get_args(RetrainReason),
            outcome=("trained", "failed", "dropped"),
        )
        self.training = train.gauge("training_running", "1 while a model is being fitted.")

    def count_joined(self, counts: Mapping[str, int]) -> None:
        """Count what became of some answers and labels, by :attr:`streamapp.quality.joined.Joined.counts`."""
        for outcome, count in counts.items():
            match outcome:
                case "waiting":  # a state, not an outcome: the gauge has it
                    pass
                case "wrong-clock":
                    self.replaced_times.inc(count)
                case "unlabelled":
                    self.unlabelled.inc(count)
                case _ if outcome in _ANSWERS:
                    self.answers.labels(outcome).inc(count)
                case _ if outcome in _REVIEWS:
                    self.reviews.labels(outcome).inc(count)
                case _:  # the code of a dead letter, or what became of the label
                    self.labels.labels(outcome).inc(count)

    def forget_judgements(self) -> None:
        """Show no longer what WATCH and JUDGE have found: another process has taken over from them."""
        shown = (
            self.open_alerts,
            self.drift,
            self.unjudged,
            self.quality,
            self.segments,
            self.estimate_state,
        )
        for found in shown:
            found.clear()
        self.coverage.set(math.nan)

    def follow(self, health: Health) -> None:
        """Show what `health` says at the time of each request."""
        self.healthy.set_function(lambda: health.fault() is None)
        self.ready.set_function(lambda: health.readiness()[0])


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
