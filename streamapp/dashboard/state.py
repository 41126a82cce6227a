"""Everything that is known of one deployment, folded from records; bounded, whatever the topics hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from streamapp.dashboard.accuracy import AccuracyFold
from streamapp.dashboard.drifting import DriftFold
from streamapp.dashboard.evidence import score_lines
from streamapp.dashboard.known import KnownVersion
from streamapp.dashboard.reign import answered_by
from streamapp.dashboard.timeline import Timeline
from streamapp.dashboard.traffic import TrafficFold
from streamapp.dashboard.verdicts import answer_all
from streamapp.dashboard.view import Contact, Evidence, Models, VersionLine, View
from streamapp.errors import MessageError
from streamapp.messages import (
    CHAMPION_KEY,
    NO_VERSION,
    Alert,
    Champion,
    DecisionRecord,
    Distribution,
    Model,
    Record,
    Retrain,
    event_time_ms,
    load_object,
    parse_time,
)
from streamapp.models.lineage import original
from streamapp.quality.labelled_rows import LabelledRows
from streamapp.rollout.states import effective_state

__all__ = ["DeploymentState"]

_KEPT_VERSIONS = 12


class DeploymentState:
    """Folds records of a deployment's topics into its view.

    Parameters
    ----------
    name
        Of the deployment.

    Attributes
    ----------
    contact
        Set by who reads.
    models
        Records by version, for who fetches bundles.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.contact = Contact("reading")
        self._known: dict[str, KnownVersion | str] = {}
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all but what is known of versions: the topics are read again."""
        self.models: dict[str, Model] = {}
        self._champion: Champion | None = None
        self._traffic = TrafficFold()
        self._drift = DriftFold(self.name, self._known_of, self._since_of)
        self._accuracy = AccuracyFold()
        self._timeline = Timeline(self._drift)

    @property
    def champion(self) -> str | None:
        """The version that the pointer names."""
        return None if self._champion is None else self._champion.version

    def misses(self, version: str) -> bool:
        """Return whether of a version nothing is known but why."""
        return isinstance(self._known.get(version), str)

    def wanted(self, topic: str = "models", records: Sequence[Record] = ()) -> list[Model]:
        """Return the versions whose bundles are asked for next, and not known yet.

        Parameters
        ----------
        topic, records
            What :meth:`take` is given next; without them what the champion is.
        """
        versions = {self._champion.version} if self._champion is not None else set()
        if topic == "distributions":
            keys = ((record.key or b"").partition(b"/")[0] for record in records)
            versions = {key.decode(errors="replace") for key in keys} - {NO_VERSION}
        found = [self.models[version] for version in sorted(versions) if version in self.models]
        return [model for model in found if model.version not in self._known]

    def know(self, version: str, known: KnownVersion | str) -> None:
        """Take what is known of a version, or why it is not.

        The oldest are forgotten, but not the champion.
        """
        self._known[version] = known
        for old in list(self._known)[: max(len(self._known) - _KEPT_VERSIONS, 0)]:
            if old != self.champion:
                del self._known[old]

    def take(self, topic: str, records: Sequence[Record]) -> None:
        """Take the next records of a topic, named without the deployment; what is unreadable is left out."""
        if topic == "labelled":
            self._label(records)
            return
        for record in records:
            try:
                self._take(topic, record)
            except MessageError:  # somebody else's record: the roles log it
                continue

    def wait(self, requests: Mapping[int, int], answers: Mapping[int, int], now_ms: int) -> None:
        """Take where each partition of ``requests`` and ``predictions`` ends at wall clock `now_ms`."""
        self._traffic.wait(requests, answers, now_ms)

    def view(self, now_ms: int) -> View:
        """Return the page as it is at wall clock `now_ms`."""
        alerts, timeline = self._timeline.open_alerts, self._timeline.entries()
        seen_ms = self.contact.at_ms if self.contact.state in {"gone", "failed"} else None
        traffic = self._traffic.view(now_ms if seen_ms is None else seen_ms)
        models = self._models()
        found = self._known.get(self.champion or "")
        known = self._known_of(self.champion or "")
        accuracy = self._accuracy.view(known, self._first(self.champion), self._drift.estimate.now())
        drift = self._drift.view(alerts)
        if isinstance(found, str):
            accuracy, drift = replace(accuracy, unreadable=found), replace(drift, unreadable=found)
        view = View(self.name, self.contact, (), traffic, models, accuracy, drift, timeline)
        return replace(view, answers=answer_all(view, alerts, now_ms))

    def evidence(self, entry_id: str) -> Evidence | None:
        """Return what stands behind an entry of the timeline; None if it is known no more."""
        return self._timeline.evidence(entry_id)

    def _take(self, topic: str, record: Record) -> None:
        value, logged_ms = record.value, record.timestamp
        match topic:
            case "models":
                self._model(record.key, value, logged_ms)
            case "distributions" if value is not None:
                pane = Distribution.decode(value)
                self._traffic.count(pane, logged_ms)
                self._drift.take(pane)
            case "predictions" if value is not None:
                self._time(load_object(value), logged_ms)
            case "drift-alerts" if value is not None:
                self._timeline.alert(Alert.decode(value), logged_ms)
            case "retrain-events" if value is not None:
                at_ms, _ = event_time_ms(record.headers, logged_ms)
                self._timeline.event(Retrain.decode(value), at_ms, logged_ms)
            case "decisions" if value is not None:
                self._timeline.decision(DecisionRecord.decode(value))

    def _time(self, answer: dict[str, Any], logged_ms: int) -> None:
        try:
            request = answer.get("request") or answer["parameters"]  # the latter in answers of V2
            partition, offset = int(request["partition"]), int(request["offset"])
            latency_ms = max(float(logged_ms - parse_time(request["timestamp"])), 0.0)
        except (KeyError, TypeError, ValueError):
            return
        self._traffic.time(partition, offset, latency_ms, logged_ms)

    def _label(self, records: Sequence[Record]) -> None:
        rows = LabelledRows.read(
            [record.value for record in records],
            [record.offset for record in records],
            [event_time_ms(record.headers, record.timestamp)[0] for record in records],
        )
        self._drift.estimate.verify(rows)
        # All versions of a deployment have one loss and one set of classes.
        newest = (self._known_of(version) for version in reversed(self._known))
        known = next((one for one in newest if one is not None), None)
        if known is not None and len(rows):
            champion = self._first(self.champion)
            self._accuracy.take(rows, known, champion, answered_by(champion, rows, self.models))

    def _model(self, key: bytes | None, value: bytes | None, logged_ms: int) -> None:
        if key == CHAMPION_KEY:
            self._champion = None if value is None else Champion.decode(value)
            if self._champion is not None:
                self._timeline.champion(self._champion, logged_ms)
        elif key is not None:
            version = key.decode(errors="replace")
            self.models.pop(version, None)
            if value is not None:
                model = Model.decode(value)
                self.models[model.version] = model
                self._timeline.model(model, logged_ms)

    def _models(self) -> Models:
        lines = [(effective_state(model, self._champion), model) for model in self.models.values()]
        champion = next((model for state, model in lines if state == "champion"), None)
        trial = [model for state, model in lines if state in {"challenger", "candidate"}]
        since = None if self._champion is None else self._champion.at
        return Models(
            champion=None if champion is None else _line(champion, "champion", since),
            challengers=tuple(_line(model, model.state, None) for model in reversed(trial)),
            others=len(lines) - len(trial) - (champion is not None),
        )

    def _first(self, version: str | None) -> str:
        """Return the version that `version` is a snapshot of, itself if it is none."""
        return "" if version is None else original(version, self.models)

    def _since_of(self, version: str) -> dict[str, int]:
        return self.models[version].since if version in self.models else {}

    def _known_of(self, version: str) -> KnownVersion | None:
        found = self._known.get(version)
        return found.as_judged(self.models.get(version)) if isinstance(found, KnownVersion) else None


def _line(model: Model, state: str, since_ms: int | None) -> VersionLine:
    return VersionLine(
        version=model.version,
        state=state,
        format=model.format,
        since_ms=since_ms,
        trained_ms=model.trained_at,
        newest_data_ms=model.newest_training_data_at,
        note=model.note or "",
        scores=score_lines(model),
    )
