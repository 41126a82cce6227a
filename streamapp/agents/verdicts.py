"""Verdicts on output alerts: rows are fetched for the judgement of :mod:`streamapp.drift.verdict`."""

from __future__ import annotations

import asyncio
import logging

import numpy as np

from streamapp.agents.versions import Versions
from streamapp.drift.verdict import NO_VERDICT, Answered, explain, lookback
from streamapp.errors import StreamappError
from streamapp.messages import Alert, Verdict
from streamapp.runtime.answer_ranges import read_answers
from streamapp.runtime.answered_rows import AnsweredRows, rows_of_answers
from streamapp.runtime.host import Host
from streamapp.runtime.log_fields import cause

__all__ = ["Verdicts"]

_PATIENCE_S = 30.0

log = logging.getLogger(__name__)


class Verdicts:
    """Says why outputs have moved, from the answers in ``predictions``.

    Parameters
    ----------
    host
        Of the process.
    versions
        Give bundles, and since when they answer.
    """

    def __init__(self, host: Host, versions: Versions) -> None:
        self._host = host
        self._versions = versions

    async def of(self, alert: Alert, predecessor: str | None) -> Verdict:
        """Return the verdict on an output alert.

        Parameters
        ----------
        alert
            Opened or updated.
        predecessor
            The version that answered before, if it is compared with the same profile.
        """
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self._judge(alert, predecessor)
        except (StreamappError, TimeoutError) as exc:
            why = "it took too long" if isinstance(exc, TimeoutError) else cause(exc)
            log.warning("no verdict on an alert: %s", why, extra={"alert": alert.id})
            return NO_VERDICT

    async def _judge(self, alert: Alert, predecessor: str | None) -> Verdict:
        if alert.model is None or alert.window is None:
            return NO_VERDICT
        version = alert.model.version
        known, record = await self._versions.watched(version), await self._versions.record(version)
        if known is None or record is None:
            return NO_VERDICT
        ranges = lookback(alert.window)
        records = await read_answers(self._host.settings.connection, self._host.topics.predictions, ranges)
        rows = rows_of_answers(records, version, known.signature)
        changed = any(record.since.get(str(p), 0) > first for p, (first, _) in ranges.items())
        if changed and predecessor is not None:
            former = await self._versions.watched(predecessor)
            if former is None or not former.golden.agrees(known.golden):
                before = None if former is None else rows_of_answers(records, predecessor, former.signature)
                found = NO_VERDICT if before is None else await _explain(before, rows)
                return found.model_copy(update={"cause": "model-changed", "since": record.since})
        window = alert.window.partitions
        is_now = np.array(
            [offset >= window[str(p)][0] for p, offset in zip(rows.partitions, rows.offsets, strict=True)],
            dtype=bool,
        )
        return await _explain(rows.take(~is_now), rows.take(is_now))


async def _explain(before: AnsweredRows, now: AnsweredRows) -> Verdict:
    if before.outputs is None or now.outputs is None or before.outputs.ndim != now.outputs.ndim:
        return NO_VERDICT
    said = Answered(before.columns, before.outputs), Answered(now.columns, now.outputs)
    return await asyncio.to_thread(explain, *said)
