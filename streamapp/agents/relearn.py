"""After a restart: what online challengers had learned is read from ``labelled`` again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

from streamapp.agents.labelled_log import LabelledLog, log_consumer
from streamapp.messages import Model
from streamapp.models.lineage import original
from streamapp.quality.labelled_rows import LabelledRows, as_objects
from streamapp.rollout.online_trial import OnlineTrials
from streamapp.runtime.host import Host
from streamapp.runtime.models_log import ModelsLog

__all__ = ["by_original", "relearn"]

_ROWS_AT_ONCE = 2_000

log = logging.getLogger(__name__)


def by_original(rows: LabelledRows, records: Mapping[str, Model]) -> LabelledRows:
    """Return rows as if what snapshots answered had been answered by what they are snapshots of."""
    versions = [original(version, records) for version in rows.versions.tolist()]
    return replace(rows, versions=as_objects(versions))


async def relearn(host: Host, models: ModelsLog, online: OnlineTrials, end: int) -> None:
    """Give trials that are behind the rows of ``labelled`` up to `end`, where the judge stands.

    A row takes a forest 2 ms: of long trials it is minutes, in which nothing is judged and nothing is lost.
    """
    start = online.relearn_from
    if start is None:
        return
    async with log_consumer(host.settings.connection) as consumer:
        topic = host.topics.labelled
        labelled = LabelledLog(consumer, topic, keep=0)
        begin, _ = await labelled.bounds()
        if begin > start:
            log.warning(
                "an online challenger learned from offset %d, and %d is the first now: it begins anew",
                start,
                begin,
                extra={"topic": topic, "offset": begin},
            )
            online.begin_anew_before(begin)
        for first in range(max(begin, start), end, _ROWS_AT_ONCE):
            until = min(first + _ROWS_AT_ONCE, end)
            rows = await labelled.table(first, until)
            await asyncio.to_thread(online.relearn, by_original(rows, models.versions))
        log.info("online challengers have learned labelled rows %d to %d again", max(begin, start), end)
    online.caught_up()
