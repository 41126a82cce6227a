"""JUDGE: labelled rows in; accuracy and target alerts, retrain events, promotions and rejections out."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from streamapp.agents.admission import Admission
from streamapp.agents.estimate import ShownEstimate
from streamapp.agents.fold import FoldState
from streamapp.agents.notes import note_alerts, note_retrain, note_state
from streamapp.agents.relearn import by_original, relearn
from streamapp.agents.versions import Versions
from streamapp.agents.watch import alert_record, retrain_record
from streamapp.messages import Model, ModelState, OffsetRange, event_time_ms
from streamapp.models import Bundle
from streamapp.models.lineage import awaits_snapshot, first_snapshot, next_snapshot, original, served_last
from streamapp.profile.policy_text import parse_policy
from streamapp.quality import OnlineLearner
from streamapp.quality.estimate import EstimatedAccuracy
from streamapp.quality.labelled_rows import LabelledRows
from streamapp.quality.shown import gauges, page, segment_gauges
from streamapp.rollout import Candidate, Decision, Judge, Judged
from streamapp.rollout.states import changed, effective_state, outdated, retired
from streamapp.runtime.host import Host, StateTable
from streamapp.runtime.metrics import set_all
from streamapp.runtime.transport import RecordBatch

__all__ = ["JudgeAgent"]

_ROWS_AT_ONCE = 500
"""After a promotion the rest of a fold counts for no gate: folds are short."""
_RETRY_S = 30.0
"""Until a challenger is looked at again whose bundle could not be had."""


class JudgeAgent:
    """The fold over ``labelled``, and the only writer of versions' states.

    Parameters
    ----------
    host
        Of the process.
    folds
        Table of snapshots.
    versions
        Read and written.
    estimate
        Given the labelled rows.
    """

    def __init__(self, host: Host, folds: StateTable, versions: Versions, estimate: ShownEstimate) -> None:
        settings = host.settings
        self._host = host
        self._versions = versions
        self._admission = Admission(host, versions)
        self._estimate = estimate
        self._limits: dict[str, Any] = {
            "accuracy_false_alarm_every": settings.accuracy_false_alarm_every,
            "gate": settings.gate,
            "gate_alpha": settings.gate_alpha,
            "gate_margin": settings.gate_margin,
            "gate_margin_in_alarm": settings.gate_margin_in_alarm,
            "gate_min_rows": settings.gate_min_rows,
            "gate_max_rows": settings.gate_max_rows,
            "gate_segment_margin": settings.gate_segment_margin,
            "gate_segment_rows": settings.gate_segment_rows,
            "keep_champions": settings.keep_champions,
            "rollback_alpha": settings.rollback_alpha,
            "rollback_rows": settings.rollback_rows,
            "rollback_cooldown_rows": settings.rollback_cooldown_rows,
            "retrain_every_ms": _ms(settings.retrain_every_s),
            "retrain_every_rows": settings.retrain_every_rows,
            "retrain_cooldown_rows": settings.retrain_cooldown_rows,
            "clear_after": settings.clear_after,
            "policy": parse_policy(settings.drift),
        }
        self._judge = Judge(settings.name, **self._limits)
        self._followed: object = None
        self._look_again_at = math.inf
        self._state = FoldState(host, folds, "judge", restore=self._restore, snapshot=self._snapshot)
        self._is_shown = False
        self._shown_estimate: EstimatedAccuracy | None = None
        self._is_folding = False
        host.every(1.0, self._show)
        host.agent("judge", [host.topics.labelled], self.handle)

    async def handle(self, batches: Sequence[RecordBatch]) -> Sequence[Awaitable[Any]]:
        """Judge a batch of labelled rows; what they cause is delivered when this returns."""
        decided = False
        async with self._state.turn(batches) as records:
            for at in range(0, len(records), _ROWS_AT_ONCE):
                part = records[at : at + _ROWS_AT_ONCE]
                await self._follow()
                await relearn(self._host, self._versions.log, self._judge.online, part[0].offset)
                rows = LabelledRows.read(
                    [record.value for record in part],
                    [record.offset for record in part],
                    [event_time_ms(record.headers, record.timestamp)[0] for record in part],
                )
                self._estimate.verify(rows)
                rows = by_original(rows, self._versions.log.versions)
                judged = await self._fold(rows)
                await self._note_scale()
                await self._carry_out(judged)
                decided = decided or judged.promoted is not None
            self._is_shown = False
        if decided:  # at once: a crash must not leave an alert open that the promotion has resolved
            await self._state.save()
        return []

    async def _fold(self, rows: LabelledRows) -> Judged:
        """Fold in a thread: learning takes milliseconds a row, and a loop that waits loses partitions."""
        self._is_folding = True
        try:
            return await asyncio.to_thread(self._judge.fold, rows)
        finally:
            self._is_folding = False

    async def _note_scale(self) -> None:
        """Have ``models`` say which error counts as a loss of 1, for those who read losses elsewhere."""
        found, models = self._judge.found_scale, self._versions.log
        if found is None:
            return
        version, scale = found
        judged = {version}
        if models.champion is not None and original(models.champion.version, models.versions) == version:
            judged.add(models.champion.version)
        for each in judged:
            await models.update(each, lambda record: record.model_copy(update={"loss_scale": scale}))

    async def _follow(self) -> None:
        """Tell the judge what ``models`` says, if it says something new."""
        models, clock = self._versions.log, asyncio.get_running_loop().time
        await models.caught_up.wait()
        pointer = models.champion
        while pointer is not None and (later := next_snapshot(pointer.version, models.versions)) is not None:
            await models.point_at(later.version, later.newest_training_data_at or pointer.at)
            await models.update(later.version, lambda record: changed(record, "champion", note=record.note))
            pointer = models.champion
        challengers = sorted(v for v, model in models.versions.items() if model.state == "challenger")
        now = (pointer and pointer.version, tuple(challengers))
        if pointer is None or (now == self._followed and clock() < self._look_again_at):
            return
        # A snapshot is judged as what it is a snapshot of: gates, alerts and baseline go on.
        first = original(pointer.version, models.versions)
        champion = await self._versions.bundle(first)
        if champion is None:
            return
        admitted = [await self._admission.admit(version, champion) for version in challengers]
        former = await self._former(champion, pointer.version)
        self._judge.follow(
            _champion(champion, pointer.version, models.versions),
            {each.version: _candidate(each, online=self._host.settings.online) for each in admitted if each},
            {version: replace(_candidate(bundle), version=version) for version, bundle in former.items()},
        )
        self._versions.forget({first, *challengers, *(bundle.version for bundle in former.values())})
        self._followed = now
        self._look_again_at = clock() + _RETRY_S if None in admitted else math.inf
        for stale in outdated(models.versions, pointer):
            await models.update(
                stale.version, lambda record: changed(record, effective_state(record, pointer))
            )

    async def _former(self, champion: Bundle, serving: str) -> dict[str, Bundle]:
        """Return, by the version that JUDGE knows, what would serve if one of the last champions came back.

        None as long as what serves is not what has won: TRAIN publishes that once it has learned it again.
        What needs personal columns is left out: rows do not show these.
        """
        first, records = champion.version, self._versions.log.versions
        packed, is_online = champion.manifest.training_data, self._host.settings.online
        if serving == first and is_online and awaits_snapshot(first, packed, records):
            return {}
        found = {}
        for version in self._judge.shadows(first):
            bundle = await self._versions.bundle(served_last(version, records))
            if bundle is not None and not bundle.signature.lacking(champion.signature.withheld):
                found[version] = bundle
        return found

    async def _carry_out(self, judged: Judged) -> None:
        name, topics, metrics = self._host.settings.name, self._host.topics, self._host.metrics
        if judged.alerts:
            await self._host.deliver(topics.drift_alerts, [alert_record(name, a) for a in judged.alerts])
            note_alerts(self._host, judged.alerts)
        if judged.retrains:
            due = [retrain_record(name, due.event, due.at_ms) for due in judged.retrains]
            await self._host.deliver(topics.retrain_events, due)
            for each in judged.retrains:
                note_retrain(self._host, each.event)
        for decision in judged.rejected:
            await self._decide(decision, "rejected")
            metrics.promotions.labels("rejected").inc()
        if judged.promoted is not None:
            await self._promote(judged.promoted)
        if judged.rejected or judged.promoted:
            self._followed = None

    async def _promote(self, decision: Decision) -> None:
        await self._note_learned(decision)
        models = self._versions.log
        served = models.champion
        decision = replace(decision, version=served_last(decision.version, models.versions))
        # The pointer decides what is served; the record follows it, also after a crash in between.
        await models.point_at(decision.version, decision.at_ms)
        worse = decision.rolled_back
        if worse is not None:
            if served is not None and original(served.version, models.versions) == worse:
                worse = served.version
            note = f"rolled back to {decision.version}, {decision.note}"
            await models.update(worse, lambda record: retired(record, note=note))
            note_state(self._host, worse, "retired", made_by=models.versions.get(worse))
        await self._decide(decision, "champion")
        self._host.metrics.promotions.labels("promoted" if worse is None else "rolled-back").inc()

    async def _note_learned(self, decision: Decision) -> None:
        """Say which rows an online challenger has learned from: TRAIN begins where its trial did."""
        if decision.learned_from is None:
            return
        start, end = decision.learned_from, decision.offset + 1
        part = OffsetRange(topic=self._host.topics.labelled, partition=0, start=start, end=end)

        def noted(record: Model) -> Model:
            known = record.training_data
            return record.model_copy(update={"training_data": known if part in known else [*known, part]})

        await self._versions.log.update(decision.version, noted)

    async def _decide(self, decision: Decision, state: ModelState) -> None:
        await self._versions.log.update(
            decision.version,
            lambda record: changed(record, state, scores=decision.scores, note=decision.note),
        )
        note_state(
            self._host, decision.version, state, made_by=self._versions.log.versions.get(decision.version)
        )

    async def _restore(self, data: bytes | None) -> None:
        name = self._host.settings.name
        self._judge = (
            Judge(name, **self._limits) if data is None else Judge.restore(data, name, **self._limits)
        )
        self._followed, self._is_shown = None, False

    def _snapshot(self) -> bytes:
        return self._judge.snapshot()

    async def _show(self) -> None:
        """Show what is new: once a second, as it takes longer than to judge a small batch."""
        if self._is_folding:
            return
        if self._host.assigned(self._host.topics.labelled):
            async with self._state.turn([]):
                pass  # restored: what is open must not look resolved until the next label comes
        estimate = self._estimate.now()
        if self._is_shown and estimate == self._shown_estimate:
            return
        self._is_shown, self._shown_estimate = True, estimate
        quality, metrics = self._judge.quality, self._host.metrics
        metrics.open_alerts.labels("accuracy").set(self._judge.open_alert is not None)
        metrics.open_alerts.labels("target").set(self._judge.open_target_alert is not None)
        self._host.pages["/quality"] = page(quality, estimate)
        found = gauges(quality, estimate)
        set_all(metrics.quality, {(metric,): value for metric, value in found.items()})
        self._estimate.show(estimate)
        if quality is not None:
            metrics.coverage.set(quality.coverage.ratio)
            set_all(metrics.segments, segment_gauges(quality))


def _candidate(bundle: Bundle, *, online: bool = False) -> Candidate:
    manifest = bundle.manifest
    learns = online and manifest.format == "river"
    return Candidate(
        version=bundle.version,
        predict=bundle.predict,
        loss=manifest.loss,
        loss_scale=manifest.loss_scale,
        classes=bundle.signature.classes,
        newest_training_data_at_ms=manifest.newest_training_data_at_ms,
        baseline=bundle.baseline,
        profile=bundle.profile,
        signature=bundle.signature,
        segments=bundle.segments,
        learner=partial(OnlineLearner.of, bundle) if learns else None,
    )


def _champion(bundle: Bundle, serving: str, records: Mapping[str, Model]) -> Candidate:
    """Return the champion; of one that learns, only what snapshots have answered is compared."""
    champion = _candidate(bundle)
    begun = None if serving == bundle.version else first_snapshot(bundle.version, records)
    if begun is None or begun.newest_training_data_at is None:
        return champion
    return replace(champion, newest_training_data_at_ms=begun.newest_training_data_at)


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)
