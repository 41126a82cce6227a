"""Verdicts on output alerts: rows are fetched for the judgement of :mod:`streamapp.drift.verdict`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from streamapp.agents.versions import Versions
from streamapp.drift import Watch
from streamapp.drift.quiet import Quiet, newest_of
from streamapp.drift.verdict import NO_VERDICT, Answered, find_cause
from streamapp.messages import Alert, Verdict
from streamapp.models import Signature
from streamapp.runtime.answer_ranges import read_answers
from streamapp.runtime.answered_rows import rows_of_answers
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
        Give signatures and golden rows.
    """

    def __init__(self, host: Host, versions: Versions) -> None:
        self._host = host
        self._versions = versions

    async def of(self, alert: Alert, watch: Watch) -> Verdict:
        """Return the verdict on an output alert that `watch` has just opened or updated.

        None of it may end the fold, which would meet the same alert again: whatever fails, there is no
        verdict, and the log says why.
        """
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self._judge(alert, watch)
        except Exception as exc:  # the rows are users', and numerics raise what they like
            why = "it took too long" if isinstance(exc, TimeoutError) else cause(exc)
            log.warning("no verdict on an alert: %s", why, extra={"alert": alert.id})
            return NO_VERDICT

    async def _judge(self, alert: Alert, watch: Watch) -> Verdict:
        version, quiet = watch.version, watch.quiet
        if version is None or alert.window is None:
            return NO_VERDICT
        known = await self._versions.watched(version)
        if known is None:
            return NO_VERDICT
        now = await self._answered(version, known.signature, newest_of(alert.window))
        if now is None:
            return NO_VERDICT
        own = None
        if quiet.own is not None:
            own = await self._answered(version, known.signature, quiet.own.span.partitions)
        former, is_other = await self._former(quiet.former, version)
        since = watch.since(version) if is_other else None
        return await asyncio.to_thread(find_cause, now, own, former, since)

    async def _former(self, quiet: Quiet | None, version: str) -> tuple[Answered | None, bool]:
        """Return comparable quiet rows of the version before, if any, and whether it answers otherwise."""
        if quiet is None:
            return None, False
        known, former = await self._versions.watched(version), await self._versions.watched(quiet.version)
        if known is None or former is None or former.signature.classes != known.signature.classes:
            return None, False
        rows = await self._answered(quiet.version, former.signature, quiet.span.partitions)
        return rows, not known.answers_as(former)

    async def _answered(
        self, version: str, signature: Signature, offsets: Mapping[int, tuple[int, int]]
    ) -> Answered | None:
        records = await read_answers(self._host.settings.connection, self._host.topics.predictions, offsets)
        rows = rows_of_answers(records, version, signature)
        return None if rows.outputs is None else Answered(rows.columns, rows.outputs)
