"""SCORE: requests in, answers out, each counted once."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np

from streamapp.agents.notes import note_alerts, note_dead_letters
from streamapp.messages import ERROR_CODE, NO_VERSION, Alert, ModelRef, OutRecord, event_headers, header
from streamapp.models import Bundle, Keys
from streamapp.profile import Profile
from streamapp.runtime.champion import ServedModel
from streamapp.runtime.host import Host
from streamapp.runtime.models_log import ModelsLog
from streamapp.runtime.time_limit import TimeLimitExceeded, time_limit
from streamapp.runtime.topic_plans import answer_limit_bytes
from streamapp.runtime.transport import RecordBatch
from streamapp.serving.answers import Answers
from streamapp.serving.pace import Pace, Parts
from streamapp.serving.panes import PaneBook, Restored, Save
from streamapp.serving.scorer import Scorer

__all__ = ["Score"]

log = logging.getLogger(__name__)

_BREATH_S = 0.02  # a heartbeat's way to the broker and back


class Score:
    """The agent of the role ``score``, its model and its panes.

    Parameters
    ----------
    host
        Of the process.
    """

    def __init__(self, host: Host) -> None:
        settings = host.settings
        self._host = host
        self._scorer = Scorer(
            settings.name,
            max_request_bytes=settings.max_request_bytes,
            max_answer_bytes=answer_limit_bytes(settings.max_request_bytes),
            answer_features=settings.answer_features,
            secret=lambda: Keys(settings.keys).personal_secret()[0],
            max_request_rows=settings.max_request_rows,
            framing=settings.request_framing,
        )
        self._panes = PaneBook(pane_events=settings.pane_events, pane_seconds=settings.pane_seconds)
        self._pace = Pace(limit_s=settings.predict_timeout)
        self._latency_limit_s = math.inf if settings.latency_limit_s is None else settings.latency_limit_s
        self._table = host.table("panes")
        self._saving = asyncio.Lock()
        self._restored: set[int] = set()
        self._restored_at = 0
        models = ModelsLog(host)
        self._models = models
        self._served = ServedModel(settings, models, self._raise_alert)
        self._shown: str | None = None
        host.agent("score", [host.topics.requests], self.handle)
        host.before_commit(self.save)
        host.on_revoked(self._saved)
        host.every(1.0, self._tick)
        host.task(models.run)
        host.task(self._served.run)

    async def handle(self, batches: Sequence[RecordBatch]) -> Sequence[Awaitable[Any]]:
        """Answer what came; the futures are of its answers and dead letters."""
        pending: list[Awaitable[Any]] = []
        records = [record for batch in batches for record in batch.records]
        work = self._pace.parts(records)
        while (part := work.next()) is not None:
            bundle = await self._model()
            await self._restore()
            version, profile = (NO_VERSION, None) if bundle is None else (bundle.version, bundle.profile)
            for partition in {record.partition for record in part}:
                while self._panes.must_close_before(partition, version, profile):
                    await self.save(closing=frozenset({partition}))
            began_ns = time.time_ns()
            answers = self._answer(part, bundle, work)
            if answers is not None:
                if self._host.traces is not None:
                    answers = self._traced(part, answers, bundle, began_ns)
                pending += await self._send(part, answers, version, profile)
                note_dead_letters(answers.dead_letters)
            if work:  # a model that is slow, or hangs: heartbeats and all else want their turn
                self._host.health.progress_at = self._host.health.clock()
                await asyncio.sleep(_BREATH_S)
        return pending

    def _answer(self, part: Sequence[Any], bundle: Bundle | None, work: Parts) -> Answers | None:
        """Return the answers to `part`; None if they took too long, and smaller parts are to be tried."""
        began = time.perf_counter()
        try:
            with time_limit(work.limit_s(part)):
                answers = self._scorer.answer(part, bundle, self._host.now_ms())
        except TimeLimitExceeded as exc:
            log.warning("the model was interrupted: %s", exc, extra=_of(part, bundle))
            if len(part) > 1:
                work.halve(part)
                return None
            answers = self._scorer.reject(part, bundle, str(exc), self._host.now_ms())
        elapsed = time.perf_counter() - began
        self._host.metrics.predict.observe(elapsed)
        waited = self._waits(part)
        self._host.metrics.queue.observe(np.maximum(waited - elapsed, 0))
        self._pace.took(len(part), elapsed)
        late = waited > self._latency_limit_s
        return replace(answers, counted=replace(answers.counted, late=late))

    async def _send(
        self, part: Sequence[Any], answers: Answers, version: str, profile: Profile | None
    ) -> list[Awaitable[Any]]:
        limit, topics = self._scorer.max_answer_bytes, self._host.topics
        pending = await self._host.send(topics.predictions, answers.outputs, max_batch_bytes=limit)
        if answers.dead_letters:
            pending += await self._host.send(topics.dead_letters, answers.dead_letters, max_batch_bytes=limit)
        begin, now_ms = 0, self._host.now_ms()
        for partition, records in groupby(part, attrgetter("partition")):
            end = begin + len(list(records))
            counted = answers.counted.part(begin, end)
            self._panes.observe(partition, counted, version=version, profile=profile, now_ms=now_ms)
            begin = end
        observe = self._host.metrics.latency.observe
        pending[0].add_done_callback(lambda _: observe(self._waits(part)))  # type: ignore[attr-defined]
        self._count(answers)
        return pending

    def _traced(self, part: Sequence[Any], answers: Answers, bundle: Bundle | None, began_ns: int) -> Answers:
        """Return the answers with the contexts of the spans of their processing."""
        assert self._host.traces is not None
        rejected = np.flatnonzero(answers.counted.rejected).tolist()
        codes = (header(letter.headers, ERROR_CODE) or b"" for letter in answers.dead_letters)
        outputs = self._host.traces.answered(
            part,
            answers.outputs,
            topic=self._host.topics.requests,
            codes={at: code.decode() for at, code in zip(rejected, codes, strict=True)},
            model=None if bundle is None else ModelRef(name=bundle.manifest.name, version=bundle.version),
            began_ns=began_ns,
            max_bytes=self._scorer.max_answer_bytes,
        )
        return replace(answers, outputs=outputs)

    async def save(self, *, closing: frozenset[int] = frozenset()) -> None:
        """Write the panes, then publish those that closed: what offsets may be committed after."""
        async with self._saving:
            await self._write(closing)

    async def _saved(self) -> None:
        """Wait for a save that is under way: the next owner of a partition must find what it writes."""
        async with self._saving:
            pass

    async def _write(self, closing: frozenset[int] = frozenset()) -> None:
        saves = self._panes.save(self._host.now_ms(), closing=closing)
        if not saves:
            return
        await self._table.put((save.partition, _key(save.partition), save.data) for save in saves)
        closed = [save for save in saves if save.distribution is not None]
        if closed:
            await self._host.deliver(self._host.topics.distributions, map(_published, closed))
        for save in closed:
            self._panes.published(save.partition)

    async def _model(self) -> Bundle | None:
        health = self._host.health
        if self._served.current is None:
            health.stand_still("a model that can be served")
        bundle = await self._served.get()
        health.go_on()
        if bundle is None and self._models.is_private:
            self._scorer.keep_private()
        if bundle is not None and bundle.version != self._shown:
            self._show(bundle)
        return bundle

    async def _tick(self) -> None:
        host = self._host
        if host.assigned() and host.assignments:
            await self._restore()
            await self.save()
            is_usable = self._served.current is not None or host.settings.no_model == "reject"
            host.health.waiting_for = None if is_usable else "a model that can be served"
            if self._served.current is not None and self._served.current.version != self._shown:
                self._show(self._served.current)

    async def _restore(self) -> None:
        """Take over the panes of partitions that were assigned, once per assignment."""
        if self._restored_at == self._host.assignments:
            return
        async with self._saving:
            assignment = self._host.assignments  # another may follow while this one is restored
            if self._restored_at == assignment:
                return
            partitions = self._host.assigned(self._host.topics.requests)
            ends = await self._host.app.consumer.highwaters(*partitions)
            for partition in self._restored - {tp.partition for tp in partitions}:
                self._panes.forget(partition)
            for tp in partitions:
                outcome = self._panes.restore(
                    tp.partition, self._table.get(_key(tp.partition)), ends[tp] or 0
                )
                if outcome in {Restored.BEYOND_END, Restored.UNREADABLE}:
                    log.warning("a pane is discarded: %s", outcome, extra={"partition": tp.partition})
            self._restored = {tp.partition for tp in partitions}
            # A closed pane is published before the first batch: until then no save gives the next pane, and
            # what is answered meanwhile would be committed without being counted in any.
            await self._write()
            self._restored_at = assignment

    async def _raise_alert(self, alert: Alert) -> None:
        ce_id = f"{alert.id}-{alert.state}"
        headers = event_headers(self._host.settings.name, Alert.ce_type, ce_id, alert.updated_at)
        record = OutRecord.of(0, alert.key, alert.encode(), headers)
        await self._host.deliver(self._host.topics.drift_alerts, [record])
        note_alerts(self._host, [alert])
        self._host.metrics.open_alerts.labels(alert.kind).set(self._served.refused)

    def _waits(self, records: Sequence[Any]) -> np.ndarray:
        """Return the seconds since the timestamps of `records`, which another clock may have set."""
        timestamps = np.fromiter([record.timestamp for record in records], np.int64, len(records))
        return np.maximum(self._host.now_ms() - timestamps, 0) / 1000

    def _count(self, answers: Answers) -> None:
        metrics, counters = self._host.metrics, answers.counters
        metrics.batch_rows.observe(counters.requests)
        metrics.requests.labels("prediction").inc(counters.predictions)
        for code, count in counters.rejections.items():
            metrics.requests.labels("rejection").inc(count)
            metrics.rejections.labels(str(code)).inc(count)
        metrics.unknown_columns.inc(counters.unknown_columns)
        metrics.replaced_times.inc(counters.replaced_times)
        metrics.unseen.add(counters.unseen)

    def _show(self, bundle: Bundle) -> None:
        metrics, manifest = self._host.metrics, bundle.manifest
        metrics.model.clear()
        metrics.model.labels(bundle.version, manifest.format).set(1)
        metrics.model_deployed.set(self._served.deployed_at_ms / 1000)
        metrics.model_trained.set(_seconds(manifest.trained_at_ms))
        metrics.model_newest_data.set(_seconds(manifest.newest_training_data_at_ms))
        self._shown = bundle.version


def _of(part: Sequence[Any], bundle: Bundle | None) -> dict[str, Any]:
    """Return where the first of some requests lies, how many they are, and who answers, for the log."""
    first, version = part[0], None if bundle is None else bundle.version
    at = {"topic": first.topic, "partition": first.partition, "offset": first.offset}
    return {"version": version, **at, "count": len(part)}


def _seconds(time_ms: int | None) -> float:
    return math.nan if time_ms is None else time_ms / 1_000


def _key(partition: int) -> bytes:
    return b"%d" % partition


def _published(save: Save) -> OutRecord:
    assert save.distribution is not None
    return OutRecord(0, save.distribution.key, save.distribution.encode())
