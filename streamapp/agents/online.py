"""TRAIN's other half: a champion that learns goes on learning, and is published as snapshots."""

from __future__ import annotations

import asyncio
import logging

from aiokafka.errors import KafkaError

from streamapp.agents.labelled_log import LabelledLog, log_consumer
from streamapp.errors import StoreError, StreamappError
from streamapp.models import Bundle, Keys, Store
from streamapp.models.lineage import is_gone_back_to
from streamapp.runtime.host import Host
from streamapp.runtime.log_fields import cause
from streamapp.runtime.models_log import ModelsLog
from streamapp.training.online import OnlineChampion

__all__ = ["OnlineAgent"]

_LOOK_EVERY_S = 0.5
_RETRY_S = 5.0
_ROWS_AT_ONCE = 200

log = logging.getLogger(__name__)


class OnlineAgent:
    """Follows ``labelled`` while the champion is one that learns.

    Parameters
    ----------
    host
        Of the process; only where the role's partition is assigned does it learn.
    models
        Read and written: a snapshot is a candidate, and JUDGE makes it champion.
    """

    def __init__(self, host: Host, models: ModelsLog) -> None:
        self._host = host
        self._models = models
        self._online: OnlineChampion | None = None
        self._own: set[str] = set()
        host.task(self._work)

    async def _work(self) -> None:
        await self._models.caught_up.wait()
        async with log_consumer(self._host.settings.connection) as consumer:
            labelled = LabelledLog(consumer, self._host.topics.labelled, keep=0)
            generation = 0
            while True:
                await asyncio.sleep(_LOOK_EVERY_S)
                if not self._host.assigned() or self._host.app.rebalancing:
                    continue
                if generation != self._host.assignments:
                    generation = self._host.assignments
                    self._own.clear()
                try:
                    await self.go_on(labelled)
                except (KafkaError, StoreError) as exc:  # nothing is lost: it goes on from where it was
                    log.warning("learning waits: %s", cause(exc))
                    await asyncio.sleep(_RETRY_S)

    async def go_on(self, labelled: LabelledLog) -> None:
        """Learn what is there, and publish what is due; StoreError if the store does not answer."""
        champion = self._models.serving
        if champion is None or champion.format != "river" or champion.withheld:
            self._online, self._own = None, set()
            return
        begin, end = await labelled.bounds()
        online = await self._follow(end)
        while online is not None and (online.offset < end or online.is_due(end)):
            online.skip_to(begin)
            start = online.offset
            until = min(start + _ROWS_AT_ONCE, end)
            if start < until:
                await asyncio.to_thread(online.learn, await labelled.table(start, until), until)
            if online.is_due(end):
                await self._publish(online)
            online = await self._follow(end)

    async def _follow(self, end: int) -> OnlineChampion | None:
        """Return the learner of the champion; None if it is none that learns."""
        models, champion = self._models, self._models.serving
        if champion is None or is_gone_back_to(champion.version, models.versions):
            self._online, self._own = None, set()
        elif champion.version not in self._own:
            self._online, self._own = None, {champion.version}
            if champion.format == "river":  # another may have come meanwhile
                settings = self._host.settings
                try:
                    bundle = await asyncio.to_thread(
                        Bundle.load, champion.bundle, trust=settings.keys, sha256=champion.sha256
                    )
                except StoreError:
                    self._own.clear()
                    raise
                except StreamappError as exc:
                    log.warning(
                        "the champion cannot go on learning: %s",
                        cause(exc),
                        extra={"version": champion.version},
                    )
                    return None
                self._online = OnlineChampion.of(
                    bundle,
                    models.versions,
                    topic=self._host.topics.labelled,
                    end=end,
                    every=settings.online_snapshot_rows,
                )
        return self._online

    async def _publish(self, online: OnlineChampion) -> None:
        settings = self._host.settings
        try:
            bundle = await asyncio.to_thread(online.publish, self._host.now_ms())
            key = Keys(settings.keys).local()[0]
            url = await asyncio.to_thread(lambda: Store(settings.store).put(bundle, key=key))
        except StoreError:
            online.take_back()
            raise
        except StreamappError as exc:
            log.warning("what was learned is not published: %s", cause(exc), extra={"offset": online.offset})
            return
        record = bundle.record(url, "candidate")
        self._own.add(record.version)
        note = f"snapshot of {record.caused_by}, which goes on learning"
        await self._models.add(record.model_copy(update={"note": note}))
        log.info("a snapshot is published", extra={"version": record.version, "offset": online.offset})
