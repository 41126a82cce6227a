"""A made-up deployment, bikes: the records that its topics would hold, scene by scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import orjson

from streamapp.dashboard.known import KnownVersion
from streamapp.dashboard.state import DeploymentState
from streamapp.dashboard.view import Contact
from streamapp.drift import Watch
from streamapp.messages import (
    CHAMPION_KEY,
    Alert,
    Champion,
    DecisionRecord,
    Distribution,
    InRecord,
    Labelled,
    Message,
    Model,
    ModelRef,
    OffsetRange,
    RequestRef,
    Retrain,
    TriedWindow,
    Window,
    format_time,
)
from streamapp.models import Bundle
from streamapp.models.predictions import Predictions
from streamapp.profile import as_columns
from tests.dashboard.bikes import bundle, bundle_of, draw

NOW_MS = 1_304_323_200_000
_PANE, _GAP_MS = 64, 1_500


@dataclass
class Story:
    """Records as they would have come, and a state that reads them."""

    name: str = "bikes"

    def __post_init__(self) -> None:
        self.state = DeploymentState(self.name)
        self.offset = self.labelled = 0
        self.at_ms = NOW_MS
        self.version = ""
        self.deployed: dict[str, Model] = {}
        self.watch = Watch(self.name)
        self.records: list[tuple[str, InRecord]] = []

    def write(self, topic: str, key: bytes, message: Message, logged_ms: int | None = None) -> None:
        logged = self.at_ms if logged_ms is None else logged_ms
        self.take(topic, [InRecord(0, 0, logged, key, message.encode())])

    def take(self, topic: str, records: list[InRecord]) -> None:
        self.records += [(topic, record) for record in records]
        self.state.take(topic, records)

    def begin(self, made: Bundle) -> None:
        """Answer with a version, wherever its record is."""
        self.state.know(made.version, KnownVersion.of(made))
        self.version = made.version

    def deploy(self, made: Bundle, *, note: str | None = None, caused_by: str | None = None) -> None:
        record = made.record("memory://bikes", "champion")
        record = record.model_copy(
            update={
                "note": note,
                "caused_by": caused_by,
                "trained_at": self.at_ms - 600_000,
                "newest_training_data_at": self.at_ms - 3_600_000,
                "scores": {}
                if note is None
                else {"zero-one": 0.161, "champion-zero-one": 0.224, "rows": 640.0, "e-value": 21.4},
                "training_data": []
                if caused_by is None
                else [OffsetRange(topic=f"{self.name}.labelled", partition=0, start=900, end=5_300)],
            }
        )
        self.write("models", record.version.encode(), record)
        self.write("models", CHAMPION_KEY, Champion(version=record.version, at=self.at_ms))
        self.deployed[made.version] = record
        self.begin(made)

    def answer(
        self,
        rows: int,
        *,
        warmer: float = 0.0,
        broken: bool = False,
        labels: bool = True,
        rejected: int = 0,
        latency_ms: float = 12,
    ) -> None:
        """Answer rows in panes, with labels if there are any, and say what WATCH would say."""
        known = bundle_of(self.version)
        X, y = draw(self.offset + 11, rows, warmer=warmer, broken=broken)
        every = known.predict(X)  # at once, because that is what takes time here
        assert every.probabilities is not None
        for at in range(0, rows, _PANE):
            own = slice(at, at + _PANE)
            part, truth = X[own], y[own]
            answers = Predictions(every.values[own], every.probabilities[own], every.classes)
            assert answers.probabilities is not None
            summary = known.profile.summarize(as_columns(part), answers.probabilities)
            first, began = self.offset, self.at_ms
            self.offset += len(part)
            self.at_ms += _GAP_MS
            pane = Distribution(
                version=self.version, partition=0, first_offset=first, next_offset=self.offset,
                events=len(part), rejected=rejected, rows=len(part), from_=began, to=self.at_ms,
                summary=summary.to_dict(),
            )  # fmt: skip
            self.write("distributions", pane.key, pane)
            self.latencies(latency_ms, answers=5, seed=first)
            if self.watch.begins_reign(pane) and self.version in self.deployed:
                record = self.deployed[self.version].model_copy(update={"since": {"0": first}})
                self.write("models", record.version.encode(), record)
            for alert in self.watch.fold(pane, lambda version: bundle_of(version).profile):
                self.write("drift-alerts", alert.key, alert)
            if labels:
                self._label(answers, truth, first, began)

    def _label(self, answers: Predictions, truth: np.ndarray, first: int, began: int) -> None:
        assert answers.probabilities is not None
        assert answers.classes is not None
        told = zip(answers.values.tolist(), answers.probabilities.tolist(), truth.tolist(), strict=True)
        records = []
        for i, (value, row, label) in enumerate(told):
            labelled = Labelled(
                id=f"r-{first + i}",
                model=ModelRef(name=self.name, version=self.version),
                prediction=value,
                probabilities=dict(zip(map(str, answers.classes), row, strict=True)),
                request=RequestRef(
                    topic=f"{self.name}.requests", partition=0, offset=first + i, timestamp=began
                ),
                predicted_at=began,
                label=label,
                source="system",
                labelled_at=began + 1_000,
                revision=0,
            )
            time = format_time(began).encode()
            records.append(InRecord(0, self.labelled, began, b"k", labelled.encode(), [("ce_time", time)]))
            self.labelled += 1
        self.take("labelled", records)

    def latencies(self, median_ms: float = 12, *, answers: int = 200, seed: int = 0) -> None:
        """Show a sample of the newest answers, which took that long."""
        rng = np.random.default_rng(seed)
        for took in rng.gamma(4.0, median_ms / 4, answers).tolist():
            asked = format_time(self.at_ms - int(took))
            request = {"partition": 0, "offset": self.offset - 1, "timestamp": asked}
            value = orjson.dumps({"request": request})
            self.state.take("predictions", [InRecord(0, 0, self.at_ms, None, value)])

    def wait(self, requests: int = 0) -> None:
        """So many requests wait behind those that were answered."""
        self.state.wait({0: self.offset + requests}, {0: self.offset}, self.at_ms)

    def accuracy_alert(self) -> Alert:
        alert = Alert(
            id="accuracy-1", state="opened", kind="accuracy", subject="all", severity="critical",
            model=ModelRef(name=self.name, version=self.version),
            summary="37.1 % of the answers were wrong over the last 124 labelled rows, 16.5 % on the holdout",
            window=Window(from_=self.at_ms - 60_000, to=self.at_ms, events=124),
            false_alarm_every=10_000, opened_at=self.at_ms, updated_at=self.at_ms,
        )  # fmt: skip
        self.write("drift-alerts", alert.key, alert)
        return alert

    def train(self, cause: str, version: str, *, outcome: str = "trained") -> Retrain:
        event = Retrain(id=f"event-{cause}", reason="accuracy", caused_by=cause, since=4_800)
        self.write("retrain-events", self.name.encode(), event)
        decision = DecisionRecord(
            id=f"decision-{cause}", at=self.at_ms, events=[event.id],
            outcome="trained" if outcome == "trained" else "waiting",
            reason="500 rows since the change are there"
            if outcome == "trained"
            else "there are 124 rows since the change and 500 are needed",
            caused_by=cause, version=version if outcome == "trained" else None,
            data=[OffsetRange(topic=f"{self.name}.labelled", partition=0, start=900, end=5_300)],
            candidates=[
                TriedWindow(window="all rows", rows=4_400, loss=0.243),
                TriedWindow(window="since the change", rows=540, loss=0.171),
            ],
        )  # fmt: skip
        self.write("decisions", self.name.encode(), decision)
        return event

    def live(self) -> DeploymentState:
        self.state.contact = Contact("live", self.at_ms)
        return self.state


def answered(rows: int, name: str = "bikes") -> Story:
    """The first champion has answered so many, and all is well."""
    story = Story(name)
    story.deploy(bundle(1))
    story.answer(rows)
    story.wait()
    story.live()
    return story


def calm(name: str = "bikes") -> Story:
    story = answered(6_400, name)
    story.latencies()
    return story


def drifting(name: str = "bikes") -> Story:
    story = calm(name)
    story.answer(1_280, warmer=0.8, broken=True, latency_ms=40)
    story.accuracy_alert()
    story.train("accuracy-1", "", outcome="waiting")
    story.latencies(40)
    story.wait(12)
    story.live()
    return story


def promoted(name: str = "bikes") -> Story:
    story = drifting(name)
    story.train("accuracy-1", bundle(2).version)
    story.at_ms += 60_000
    gone = bundle(1).record("memory://bikes", "retired")
    story.write("models", gone.version.encode(), gone)
    note = (
        "promoted while the champion is in alarm: its zero-one loss is 0.1610 over 640 labelled rows, "
        f"that of champion {bundle(1).version} on the same rows 0.2240"
    )
    story.deploy(bundle(2), note=note, caused_by="event-accuracy-1")
    known = (
        bundle(1)
        .record("memory://bikes", "rejected")
        .model_copy(
            update={
                "version": "0badc0ffee00",
                "note": "rejected: its zero-one loss is 0.2410 over 300 labelled rows, the champion's 0.1980",
                "scores": {"zero-one": 0.241, "champion-zero-one": 0.198, "rows": 300.0, "e-value": 20.3},
            }
        )
    )
    story.write("models", known.version.encode(), known, story.at_ms - 90_000)
    resolved = Alert(
        id="accuracy-1", state="resolved", kind="accuracy", subject="all", severity="critical",
        summary="over", resolution="rebased", opened_at=story.at_ms - 90_000, updated_at=story.at_ms,
    )  # fmt: skip
    story.write("drift-alerts", resolved.key, resolved)
    story.answer(3_200)
    trial = (
        bundle(1)
        .record("memory://bikes", "challenger")
        .model_copy(update={"version": "c0ffee123456", "trained_at": story.at_ms})
    )
    story.write("models", trial.version.encode(), trial)
    story.latencies()
    story.wait()
    story.live()
    return story


def no_data(name: str = "bikes") -> Story:
    story = Story(name)
    story.deploy(bundle(1))
    story.live()
    return story


def broker_gone(name: str = "bikes") -> Story:
    story = drifting(name)
    reason = "no Kafka broker answers at kafka-1:9092: start one with streamapp broker"
    story.state.contact = Contact("gone", story.at_ms, reason)
    story.at_ms += 180_000
    return story


def stalled(name: str = "bikes") -> Story:
    """Nothing is answered any more, and requests go on."""
    story = calm(name)
    story.at_ms += 300_000
    story.wait(100_000)
    return story


_MAKE: tuple[Callable[..., Story], ...] = (calm, drifting, promoted, no_data, broker_gone, stalled)
SCENES = {make.__name__.replace("_", "-"): make for make in _MAKE}


@cache
def told(name: str) -> Story:
    """One of them for who only looks at it."""
    return SCENES[name]()
