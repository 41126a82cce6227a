"""TRAIN: retrain events in, challengers out. Fitting happens in a process of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import bisect_left
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any

from aiokafka.errors import KafkaError

from streamapp.agents.harm import HarmReader
from streamapp.agents.labelled_log import LabelledLog, log_consumer, read_to_end
from streamapp.agents.notes import note_training
from streamapp.agents.online import OnlineAgent
from streamapp.errors import MessageError, StoreError, StreamappError, TrainingError
from streamapp.messages import DecisionRecord, Model, OutRecord, Retrain, event_headers, event_time_ms
from streamapp.runtime.host import Host
from streamapp.runtime.log_fields import cause
from streamapp.runtime.logs import LogStyle, set_up_logging
from streamapp.runtime.models_log import ModelsLog
from streamapp.runtime.transport import RecordBatch
from streamapp.training import decisions
from streamapp.training.backends import check_backend
from streamapp.training.brakes import TrainingRules
from streamapp.training.harm import Harm
from streamapp.training.job import Job, TrainingOptions
from streamapp.training.limits import TrainingLimits
from streamapp.training.policy import Start, plan_training
from streamapp.training.pool import TrainingPool
from streamapp.training.privacy import turned_off
from streamapp.training.trainers import load_trainer

__all__ = ["Train"]

_LOOK_EVERY_S = 0.5
_RETRY_S = 5.0
_TAIL = 3
"""Newest labelled rows that say what time it is in the stream."""

log = logging.getLogger(__name__)


class Train:
    """The agent of the role ``train``.

    Which events wait is no state of its own: it follows from ``retrain-events``, ``models`` and
    ``decisions``, which whoever gets the partition reads anew. So events are committed as soon as they are
    read, a training that is under way holds up nothing, and one that dies with its process is begun again.
    What becomes of an event is written to ``decisions``, each decision once.

    Parameters
    ----------
    host
        Of the process.
    """

    def __init__(self, host: Host) -> None:
        settings = host.settings
        self._host = host
        self._models = ModelsLog(host)
        load_trainer(settings.trainer)  # what cannot be found is told now, not by each training
        check_backend(settings.training_backend)
        self._pool = TrainingPool(
            limits=TrainingLimits(
                timeout_s=settings.training_timeout_s, memory_mb=settings.training_memory_mb
            ),
            prepare=partial(set_up_logging, LogStyle.of(settings), names_role=False),
        )
        self._rules = TrainingRules(
            min_rows=settings.training_min_rows,
            cooldown_rows=settings.retrain_cooldown_rows,
            cooldown_ms=int(settings.retrain_cooldown_s * 1_000),
            per_day=settings.trainings_per_day,
            max_rows=settings.training_rows,
        )
        window_s = settings.training_window_s
        self._options = TrainingOptions(
            min_rows=settings.training_min_rows,
            window_ms=None if window_s is None else int(window_s * 1000),
            trainer=settings.trainer,
            backend=settings.training_backend,
            dask_address=settings.dask_address,
            windows=settings.training_windows,
        )
        self._events: dict[str, Retrain] = {}
        self._asked: dict[str, tuple[int, int]] = {}
        self._done: set[str] = set()
        self._written: set[str] = set()
        self._now: tuple[int, int] = (0, 0)
        host.agent("train", [host.topics.retrain_events], self.handle)
        host.task(self._models.run)
        host.task(self._work)
        if settings.online:
            OnlineAgent(host, self._models)
        host.at_end(lambda: self._pool.close(kill=True))

    async def handle(self, batches: Sequence[RecordBatch]) -> Sequence[Awaitable[Any]]:
        """Take note of retrain events."""
        for batch in batches:
            self._note(batch.records)
        return []

    def _note(self, records: Sequence[Any]) -> None:
        for record in records:
            try:
                event = Retrain.decode(record.value)
            except MessageError as exc:
                log.warning("a retrain event is not readable: %s", exc.code, extra={"offset": record.offset})
            else:
                self._events.setdefault(event.id, event)
                at_ms, _ = event_time_ms(record.headers, record.timestamp)
                self._asked.setdefault(event.id, (at_ms, record.timestamp))

    def _recall(self, records: Sequence[Any]) -> None:
        """Take note of what was decided before this process came to decide."""
        for record in records:
            try:
                decision = DecisionRecord.decode(record.value)
            except MessageError as exc:
                log.warning("a decision is not readable: %s", exc.code, extra={"offset": record.offset})
                continue
            self._written.add(decision.id)
            if decision.outcome in {"failed", "dropped"}:  # of those that trained the versions tell
                self._done |= set(decision.events)

    async def _work(self) -> None:
        """Plan and train, for ever, while this process owns the partition."""
        await self._models.caught_up.wait()
        async with log_consumer(self._host.settings.connection) as consumer:
            labelled = LabelledLog(consumer, self._host.topics.labelled, keep=self._rules.max_rows)
            tail = LabelledLog(consumer, self._host.topics.labelled, keep=_TAIL)
            harm = HarmReader(consumer, self._host.topics.labelled)
            generation = 0
            while True:
                await asyncio.sleep(_LOOK_EVERY_S)
                if not self._host.assigned() or self._host.app.rebalancing:
                    continue
                self._host.health.waiting_for = None
                if generation != self._host.assignments:
                    generation = self._host.assignments
                    self._note(await read_to_end(consumer, self._host.topics.retrain_events))
                    self._recall(await read_to_end(consumer, self._host.topics.decisions))
                if self._events.keys() - self._done:
                    try:
                        await self._plan(labelled, tail, harm)
                    except KafkaError as exc:  # nothing is lost: the plan is made again
                        log.warning("a training waits for the broker: %s", cause(exc))
                        await asyncio.sleep(_RETRY_S)

    async def _plan(self, labelled: LabelledLog, tail: LabelledLog, harm: HarmReader) -> None:
        topic = self._host.topics.labelled
        begin, end = await labelled.bounds()
        now_ms = await self._stream_time(tail, begin, end)
        champion = self._models.serving
        if champion is not None and champion.withheld:
            await self._turn_off(champion, now_ms)
            return
        versions = list(self._models.versions.values())
        plan = plan_training(
            list(self._events.values()),
            versions,
            topic=topic,
            begin=begin,
            end=end,
            rules=self._rules,
            now_ms=now_ms,
            harm=await self._harm(harm, end),
            done=self._done,
        )
        for dropped in plan.dropped:
            self._count(dropped.event, "dropped")
        lost = [each for each in versions if each.caused_by in plan.answered]
        lost_records = [decisions.recovered(self._events[str(each.caused_by)], each) for each in lost]
        await self._write([*lost_records, *decisions.not_trained(plan, now_ms)])
        self._done |= plan.answered | {dropped.event.id for dropped in plan.dropped}
        harm.forget(self._done)
        if plan.start is not None:
            await self._train(plan.start, labelled, now_ms)

    async def _turn_off(self, champion: Model, now_ms: int) -> None:
        """Drop all events: nothing can be learned from answers that lack what the champion needs."""
        events = [event for event in self._events.values() if event.id not in self._done]
        fresh = [r for r in turned_off(events, champion, now_ms) if r.id not in self._written]
        await self._write(fresh)
        for event in events:
            self._count(event, "dropped")
        self._done |= {event.id for event in events}

    async def _stream_time(self, tail: LabelledLog, begin: int, end: int) -> int:
        """Return when the newest labels had been given; 0 before the first."""
        if self._now[0] != end:
            rows = await tail.table(max(begin, end - _TAIL), end)
            self._now = end, int(rows.labelled_at_ms.max(initial=self._now[1]))
        return self._now[1]

    async def _harm(self, reader: HarmReader, end: int) -> dict[str, Harm]:
        """Return what labels say of the drift behind each event on inputs that waits."""
        record = self._models.serving
        found: dict[str, Harm] = {}
        for event in list(self._events.values()):  # others come while the log is read
            if event.reason != "input" or event.data is not None or event.id in self._done or record is None:
                continue
            at_ms, written_ms = self._asked[event.id]
            try:
                found[event.id] = await reader.of(
                    event.id, at_ms=at_ms, written_ms=written_ms, champion=record, end=end
                )
            except StreamappError as exc:
                found[event.id] = Harm("unknown", f"the champion's baseline cannot be read: {exc}")
        return found

    async def _write(
        self,
        records: Sequence[DecisionRecord],
        *,
        began_ns: int | None = None,
        failure: TrainingError | None = None,
    ) -> None:
        """Write decisions that are not there yet; the last two tell of the training that is behind them."""
        name, fresh = self._host.settings.name, [each for each in records if each.id not in self._written]
        if fresh:
            await self._host.deliver(
                self._host.topics.decisions,
                [
                    OutRecord.of(
                        0,
                        name.encode(),
                        each.encode(),
                        event_headers(name, DecisionRecord.ce_type, each.id, each.at),
                    )
                    for each in fresh
                ],
            )
            self._written |= {each.id for each in fresh}
            for each in fresh:
                note_training(self._host, each, began_ns=began_ns, failure=failure)

    async def _train(self, start: Start, labelled: LabelledLog, now_ms: int) -> None:
        host, settings = self._host, self._host.settings
        record = self._models.serving
        if record is None:
            log.warning("a training waits: there is no champion whose estimator could be cloned")
            await asyncio.sleep(_RETRY_S)
            return
        host.metrics.training.set(1)
        began_ns = time.time_ns()
        try:
            rows = await labelled.rows(start.data)
            job = Job(
                deployment=settings.name,
                bundle=record.bundle,
                sha256=record.sha256,
                keys=settings.keys,
                store=settings.store,
                values=[value for _, value, _ in rows],
                times_ms=[time_ms for _, _, time_ms in rows],
                data=start.data,
                since=_position(start.since, [offset for offset, _, _ in rows]),
                caused_by=start.event.id,
                trained_at_ms=host.now_ms(),
                loss_scale=record.loss_scale,
                options=self._options,
            )
            log.info(
                "training, for reason %s",
                start.event.reason,
                extra={"event": start.event.id, "alert": start.event.caused_by, "count": len(rows)},
            )
            trained = await asyncio.wrap_future(self._pool.submit(job))
        except TrainingError as exc:
            failed = decisions.failed(start, str(exc), now_ms)
            await self._write([failed], began_ns=began_ns, failure=exc)
            self._count(start.event, "failed")
            self._done |= start.answers
            return
        except StoreError as exc:
            log.warning("a training will be tried again: %s", cause(exc), extra={"event": start.event.id})
            await asyncio.sleep(_RETRY_S)
            return
        finally:
            host.metrics.training.set(0)
        await self._models.add(trained.model)
        decision = decisions.trained(start, trained.model, trained.tried, now_ms)
        await self._write([decision], began_ns=began_ns)
        self._done |= start.answers
        self._count(start.event, "trained")

    def _count(self, event: Retrain, outcome: str) -> None:
        self._host.metrics.retrains.labels(event.reason, outcome).inc()


def _position(since: int | None, offsets: list[int]) -> int | None:
    """Return the position of the first row from `since` on."""
    at = None if since is None else bisect_left(offsets, since)
    return at if at is not None and at < len(offsets) else None
