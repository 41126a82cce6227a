"""TRAIN: retrain events in, challengers out. Fitting happens in a process of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from streamapp.agents.labelled_log import LabelledLog, read_to_end
from streamapp.errors import MessageError, StoreError, TrainingError
from streamapp.messages import Retrain
from streamapp.runtime.host import Host
from streamapp.runtime.models_log import ModelsLog
from streamapp.runtime.transport import RecordBatch
from streamapp.training.backends import check_backend
from streamapp.training.job import Job, TrainingOptions
from streamapp.training.limits import TrainingLimits
from streamapp.training.policy import Start, TrainingRules, plan_training
from streamapp.training.pool import TrainingPool
from streamapp.training.trainers import load_trainer

__all__ = ["Train"]

_LOOK_EVERY_S = 0.5
_RETRY_S = 5.0

log = logging.getLogger(__name__)


class Train:
    """The agent of the role ``train``.

    Which events wait is no state of its own: it follows from ``retrain-events`` and ``models``, which whoever
    gets the partition reads anew. So events are committed as soon as they are read, a training that is under
    way holds up nothing, and one that dies with its process is begun again.

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
            )
        )
        self._rules = TrainingRules(
            min_rows=settings.training_min_rows,
            cooldown_rows=settings.retrain_cooldown_rows,
            max_rows=settings.training_rows,
        )
        window_s = settings.training_window_s
        self._options = TrainingOptions(
            min_rows=settings.training_min_rows,
            window_ms=None if window_s is None else int(window_s * 1000),
            trainer=settings.trainer,
            backend=settings.training_backend,
            dask_address=settings.dask_address,
        )
        self._events: dict[str, Retrain] = {}
        self._done: set[str] = set()
        host.agent("train", [host.topics.retrain_events], self.handle)
        host.task(self._models.run)
        host.task(self._work)
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
                log.warning("retrain event at offset %d is not readable: %s", record.offset, exc)
            else:
                self._events.setdefault(event.id, event)

    async def _work(self) -> None:
        """Plan and train, for ever, while this process owns the partition."""
        await self._models.caught_up.wait()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._host.settings.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=8 << 20,
        )
        await consumer.start()
        labelled = LabelledLog(consumer, self._host.topics.labelled, keep=self._rules.max_rows)
        try:
            generation = 0
            while True:
                await asyncio.sleep(_LOOK_EVERY_S)
                if not self._host.assigned() or self._host.app.rebalancing:
                    continue
                self._host.health.waiting_for = None
                if generation != self._host.assignments:
                    generation = self._host.assignments
                    self._note(await read_to_end(consumer, self._host.topics.retrain_events))
                if self._events.keys() - self._done:
                    try:
                        await self._plan(labelled)
                    except KafkaError as exc:  # nothing is lost: the plan is made again
                        log.warning("a training waits for the broker: %s", exc)
                        await asyncio.sleep(_RETRY_S)
        finally:
            await consumer.stop()

    async def _plan(self, labelled: LabelledLog) -> None:
        topic = self._host.topics.labelled
        begin, end = await labelled.bounds()
        # In log order, those that are done too: the plan tells from their order what has been answered.
        events = [event for event in self._events.values() if event.id not in self._done]
        plan = plan_training(
            events, self._models.versions.values(), topic=topic, begin=begin, end=end, rules=self._rules
        )
        self._done |= plan.answered
        for dropped in plan.dropped:
            log.warning("no training for event %s: %s", dropped.event.id, dropped.why)
            self._count(dropped.event, "dropped")
            self._done.add(dropped.event.id)
        if plan.start is not None:
            await self._train(plan.start, labelled)

    async def _train(self, start: Start, labelled: LabelledLog) -> None:
        host, settings = self._host, self._host.settings
        champion = self._models.champion
        record = None if champion is None else self._models.versions.get(champion.version)
        if record is None:
            log.warning("a training waits: there is no champion whose estimator could be cloned")
            await asyncio.sleep(_RETRY_S)
            return
        host.metrics.training.set(1)
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
                caused_by=start.event.id,
                trained_at_ms=host.now_ms(),
                options=self._options,
            )
            log.info("training on %d labelled rows, for %s", len(rows), start.event.reason)
            trained = await asyncio.wrap_future(self._pool.submit(job))
        except TrainingError as exc:
            log.warning("the training for event %s gave no model: %s", start.event.id, exc)
            self._count(start.event, "failed")
            self._done |= start.answers
            return
        except StoreError as exc:
            log.warning("a training will be tried again: %s", exc)
            await asyncio.sleep(_RETRY_S)
            return
        finally:
            host.metrics.training.set(0)
        await self._models.add(trained.model)
        self._done |= start.answers
        self._count(start.event, "trained")
        log.info("%s is a challenger: loss %.4g on its holdout", trained.model.version, trained.loss)

    def _count(self, event: Retrain, outcome: str) -> None:
        self._host.metrics.retrains.labels(event.reason, outcome).inc()
