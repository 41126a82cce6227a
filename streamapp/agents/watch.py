"""WATCH: closed panes in, drift alerts and retrain events out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from streamapp.agents.estimate import ShownEstimate
from streamapp.agents.fold import FoldState
from streamapp.agents.notes import note_alerts, note_retrain
from streamapp.agents.patience import Patience
from streamapp.agents.verdicts import Verdicts
from streamapp.agents.versions import Versions
from streamapp.drift import Lateness, Silence, Watch, event_id
from streamapp.errors import MessageError, ProfileError, StoreError
from streamapp.messages import (
    NO_VERSION,
    Alert,
    Distribution,
    ModelRef,
    OutRecord,
    Retrain,
    caused_id,
    event_headers,
)
from streamapp.profile.policy_text import parse_policy
from streamapp.runtime.host import Host, StateTable
from streamapp.runtime.log_fields import cause
from streamapp.runtime.metrics import MOST_SHOWN, set_all
from streamapp.runtime.transport import RecordBatch

__all__ = ["WatchAgent", "alert_record", "retrain_record"]

log = logging.getLogger(__name__)

_NO_SKIPS = frozenset({"judged", "anew"})


class WatchAgent:
    """The fold over ``distributions``.

    Parameters
    ----------
    host
        Of the process.
    folds
        Table of snapshots.
    versions
        Gives profiles, and is told from which offset on a version answered.
    estimate
        Given the panes that are judged.
    """

    def __init__(self, host: Host, folds: StateTable, versions: Versions, estimate: ShownEstimate) -> None:
        self._host = host
        self._versions = versions
        self._estimate = estimate
        self._verdicts = Verdicts(host, versions)
        self._policy = parse_policy(host.settings.drift)
        self._warned: set[str] = set()
        self._watch, self._silence, self._lateness = self._begin()
        self._state = FoldState(host, folds, "watch", restore=self._restore, snapshot=self._snapshot)
        self._waiting = asyncio.Lock()
        self._patience = Patience(host)
        self._is_judging = False
        estimate.kept_by(self._state.mark)
        host.agent("watch", [host.topics.distributions], self.handle)
        host.every(1.0, self._tick)

    @property
    def waits_for(self) -> str | None:
        """Version whose bundle the store has not given yet: until then nothing is judged."""
        return self._patience.waits_for

    async def handle(self, batches: Sequence[RecordBatch]) -> Sequence[Awaitable[Any]]:
        """Judge a batch of panes; what they cause is delivered when this returns."""
        self._is_judging = True
        try:
            await self._judge(batches)
        finally:
            self._is_judging = False
        return []

    async def _judge(self, batches: Sequence[RecordBatch]) -> None:
        name, topics = self._host.settings.name, self._host.topics
        panes = _decoded(batches)
        await self._know(pane.version for pane in panes.values())
        async with self._state.turn(batches) as records:
            for record in records:
                pane = panes.get(record.offset)
                if pane is None:
                    continue
                begins, judged = self._watch.begins_reign(pane), self._watch.counts["judged"]
                alerts = self._watch.fold(pane, self._versions.profile_of)
                if begins:
                    await self._versions.answers_since(pane.version, self._watch.since(pane.version))
                if self._watch.counts["judged"] > judged:
                    self._estimate.see(pane)
                alerts = [await self._with_verdict(alert) for alert in alerts]
                over = self._silence.hear(record.timestamp, ModelRef(name=name, version=pane.version))
                late = self._lateness.hear(pane, record.timestamp)
                said = [*alerts, *filter(None, (over, late))]
                if said:
                    await self._host.deliver(topics.drift_alerts, [alert_record(name, a) for a in said])
                    note_alerts(self._host, said)
                opened = [alert for alert in alerts if alert.state == "opened"]
                for alert in opened:
                    event = Retrain(id=caused_id("retrain", alert.id), reason="input", caused_by=alert.id)
                    record_ = retrain_record(name, event, alert.updated_at)
                    await self._host.deliver(topics.retrain_events, [record_])
                    note_retrain(self._host, event)
            self._show()

    async def _know(self, versions: Iterable[str]) -> None:
        """Wait until the store has given what `versions` are compared with, and the version in force.

        StoreError if partitions move meanwhile.
        """
        async with self._waiting:
            snapshot = self._state.unread()
            in_force = None if snapshot is None else _watch_state(orjson.loads(snapshot))["version"]
            for version in sorted({in_force or NO_VERSION, *versions} - {NO_VERSION}):
                await self._patience.ask(self._versions.watched, version)

    async def _tick(self) -> None:
        """Say it when nothing comes any more: the one thing here that the clock decides."""
        if not self._is_judging:  # a batch needs all versions that it has waited for
            self._versions.forget_watched()
        is_mine = self._host.assigned(self._host.topics.distributions)
        if not is_mine or self._waiting.locked():
            return
        try:
            await self._know(())
        except StoreError:  # whoever has the partition next waits for it
            return
        async with self._state.turn([]):
            alert = self._silence.tick(self._host.now_ms())
            if alert is None:
                return
            record = alert_record(self._host.settings.name, alert)
            await self._host.deliver(self._host.topics.drift_alerts, [record])
            note_alerts(self._host, [alert])
            self._state.mark()
            self._show()
        await self._state.save()  # at once: there is no record whose commit would do it

    async def _with_verdict(self, alert: Alert) -> Alert:
        if alert.kind != "output" or alert.state == "resolved":
            return alert
        return self._watch.with_verdict(alert, await self._verdicts.of(alert, self._watch))

    def _begin(self) -> tuple[Watch, Silence, Lateness]:
        settings = self._host.settings
        watch = Watch(
            settings.name,
            false_alarm_every=settings.false_alarm_every,
            clear_after=settings.clear_after,
            policy=self._policy,
        )
        after_s = settings.no_data_after_s
        silence = Silence(settings.name, None if after_s is None else int(1_000 * after_s))
        return watch, silence, Lateness(settings.name, settings.latency_limit_s)

    async def _restore(self, data: bytes | None) -> None:
        await self._take_over(data)
        self._show()  # what is open must not look resolved until the next pane comes

    async def _take_over(self, data: bytes | None) -> None:
        self._watch, self._silence, self._lateness = self._begin()
        if data is None:
            self._estimate.load(None)
            return
        settings, state = self._host.settings, orjson.loads(data)
        watch = _watch_state(state)
        if watch is not state:
            self._silence.load(state["silence"], self._host.now_ms())
            if "lateness" in state:
                self._lateness.load(state["lateness"])
        if watch["version"] is not None:
            await self._versions.watched(watch["version"])
        self._estimate.load(state.get("estimate"))
        try:
            self._watch = Watch.restore(
                orjson.dumps(watch),
                self._versions.profile_of,
                settings.name,
                false_alarm_every=settings.false_alarm_every,
                clear_after=settings.clear_after,
                policy=self._policy,
            )
        except ProfileError as exc:
            log.warning("drift is watched from here on, without what was seen before: %s", cause(exc))

    def _snapshot(self) -> bytes:
        return orjson.dumps(
            {
                "watch": orjson.Fragment(self._watch.snapshot()),
                "silence": self._silence.to_dict(),
                "lateness": self._lateness.to_dict(),
                "estimate": self._estimate.snapshot(),
            }
        )

    def _show(self) -> None:
        if unknown := self._watch.unknown_subjects - self._warned:
            self._warned |= unknown
            names = ", ".join(sorted(unknown))
            log.warning("setting drift names what version %s has not: %s", self._watch.version, names)
        monitor, metrics = self._watch.monitor, self._host.metrics
        skipped = self._watch.counts.items()
        set_all(metrics.unjudged, {(why,): count for why, count in skipped if why not in _NO_SKIPS})
        metrics.open_alerts.labels("no-data").set(self._silence.alert is not None)
        metrics.open_alerts.labels("latency").set(self._lateness.alert is not None)
        if monitor is None:
            return
        largest = sorted(monitor.effects.items(), key=lambda item: -abs(item[1]))[:MOST_SHOWN]
        set_all(metrics.drift, {(feature,): effect for feature, effect in largest})
        open_ = {alert.kind for alert in monitor.open_alerts}
        for kind in ("input", "correlation", "missing", "output"):
            metrics.open_alerts.labels(kind).set(kind in open_)


def _decoded(batches: Sequence[RecordBatch]) -> dict[int, Distribution]:
    """Return the panes in `batches` by their offset; what is none is left out, and said."""
    panes = {}
    for record in (record for batch in batches for record in batch.records):
        try:
            panes[record.offset] = Distribution.decode(record.value)
        except MessageError as exc:
            log.warning("a distribution is not readable: %s", exc.code, extra={"offset": record.offset})
    return panes


def _watch_state(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a snapshot that is of the fold; before there was another, that was all."""
    watch: Mapping[str, Any] = state.get("watch", state)
    return watch


def alert_record(deployment: str, alert: Alert) -> OutRecord:
    """Return an alert as it is written: its ``ce_id`` tells its states apart."""
    headers = event_headers(deployment, Alert.ce_type, event_id(alert), alert.updated_at)
    return OutRecord.of(0, alert.key, alert.encode(), headers)


def retrain_record(deployment: str, event: Retrain, time_ms: int) -> OutRecord:
    """Return a retrain event as it is written."""
    headers = event_headers(deployment, Retrain.ce_type, event.id, time_ms)
    return OutRecord.of(0, deployment.encode(), event.encode(), headers)
