"""JUDGE: labelled rows in; accuracy and target alerts, retrain events, promotions and rejections out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from streamapp.agents.estimate import ShownEstimate
from streamapp.agents.fold import FoldState
from streamapp.agents.lineup import Lineup, Lineups
from streamapp.agents.notes import note_alerts, note_retrain, note_state
from streamapp.agents.relearn import by_original, relearn
from streamapp.agents.versions import Versions
from streamapp.agents.watch import alert_record, retrain_record
from streamapp.messages import Model, ModelState, OffsetRange, event_time_ms
from streamapp.models.lineage import original, served_last
from streamapp.profile.policy_text import parse_policy
from streamapp.quality.estimate import EstimatedAccuracy
from streamapp.quality.labelled_rows import LabelledRows
from streamapp.quality.shown import gauges, page, segment_gauges
from streamapp.rollout import Decision, Judge, Judged
from streamapp.rollout.states import changed, effective_state, outdated, retired
from streamapp.runtime.host import Host, StateTable
from streamapp.runtime.metrics import set_all
from streamapp.runtime.transport import RecordBatch
from streamapp.settings import Settings

__all__ = ["JudgeAgent", "judge_limits"]

_ROWS_AT_ONCE = 500
"""After a promotion the rest of a fold counts for no gate: folds are short."""


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
        self._lineups = Lineups(host, versions)
        self._estimate = estimate
        self._limits = judge_limits(settings)
        self._judge = Judge(settings.name, **self._limits)
        self._followed: Lineup | None = None
        self._state = FoldState(host, folds, "judge", restore=self._restore, snapshot=self._snapshot)
        self._is_shown = False
        self._shown_estimate: EstimatedAccuracy | None = None
        self._is_folding = False
        host.every(1.0, self._show)
        host.agent("judge", [host.topics.labelled], self.handle)

    @property
    def waits_for(self) -> str | None:
        """Version whose bundle the store has not given yet: until then nothing is judged."""
        return self._lineups.patience.waits_for

    async def handle(self, batches: Sequence[RecordBatch]) -> Sequence[Awaitable[Any]]:
        """Judge a batch of labelled rows; what they cause is delivered when this returns."""
        for part in _parts(batches):
            async with self._state.turn([]):
                pass  # restored: it knows who has served
            lineup = await self._lineups.newest(self._judge)
            async with self._state.turn([part]) as records:
                judged = await self._take(records, lineup) if records else Judged()
            if judged.promoted:  # at once: a crash must not leave an alert open that the promotion resolved
                await self._state.save()
        return []

    async def _take(self, records: Sequence[Any], lineup: Lineup | None) -> Judged:
        """Judge rows, and return what they have caused, which is carried out."""
        await self._follow(lineup)
        await relearn(self._host, self._versions.log, self._judge.online, records[0].offset)
        rows = LabelledRows.read(
            [record.value for record in records],
            [record.offset for record in records],
            [event_time_ms(record.headers, record.timestamp)[0] for record in records],
        )
        self._estimate.verify(rows)
        judged = await self._fold(by_original(rows, self._versions.log.versions))
        await self._note_scale()
        await self._carry_out(judged)
        self._is_shown = False
        return judged

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

    async def _follow(self, lineup: Lineup | None) -> None:
        """Tell the judge who takes part, if that is new, and have records say what the pointer does."""
        if lineup is None or lineup is self._followed:
            return
        self._judge.follow(lineup.champion, lineup.challengers, lineup.former)
        self._followed = lineup
        models = self._versions.log
        pointer = models.champion
        if pointer is None or pointer.version != lineup.serving:
            return
        for stale in outdated(models.versions, pointer):
            await models.update(
                stale.version, lambda record: changed(record, effective_state(record, pointer))
            )

    def _follow_anew(self) -> None:
        self._followed = None
        self._lineups.forget()

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
            self._follow_anew()

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
        self._follow_anew()
        self._is_shown = False

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


def judge_limits(settings: Settings) -> dict[str, Any]:
    """Return what a :class:`~streamapp.rollout.Judge` is given of the settings."""
    return {
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


def _parts(batches: Sequence[RecordBatch]) -> Iterator[RecordBatch]:
    """Yield `batches` in parts of some rows."""
    for batch in batches:
        for at in range(0, len(batch.records), _ROWS_AT_ONCE):
            yield batch._replace(records=batch.records[at : at + _ROWS_AT_ONCE])


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)
