"""What a version must pass before it may challenge: it loads, answers its golden rows, and in time."""

from __future__ import annotations

import asyncio
import logging
import time
from statistics import median

from streamapp.agents.notes import note_state
from streamapp.agents.versions import Versions
from streamapp.errors import InfrastructureError, SignatureError, StreamappError
from streamapp.messages import Model
from streamapp.models import Bundle, Rows
from streamapp.models.personal import unjudged_line
from streamapp.rollout.latency import Latency
from streamapp.rollout.states import changed
from streamapp.runtime.host import Host
from streamapp.runtime.log_fields import cause

__all__ = ["Admission"]

_REPEATS = 5

log = logging.getLogger(__name__)


class Admission:
    """Checks challengers, each once, and has ``models`` say how it went.

    A clock is read here, and whether a store answers is chance. So this is no part of the fold over
    ``labelled``: what came out stands in the version's record, its state and scores, and whoever folds again
    reads it there.

    Parameters
    ----------
    host
        Of the process.
    versions
        Read and written.
    """

    def __init__(self, host: Host, versions: Versions) -> None:
        self._host = host
        self._versions = versions

    async def admit(self, version: str, champion: Bundle) -> Bundle | None:
        """Return the bundle of a challenger that passes; None of one that does not, or cannot be had now."""
        record = await self._versions.record(version)
        if record is None:
            return None
        try:
            bundle = await self._versions.load(record)
            _check_inputs(bundle, champion)
            if Latency.stands_in(record.scores):
                return bundle
            took = await asyncio.to_thread(_check, bundle, champion)
        except InfrastructureError as exc:
            log.warning("a challenger cannot be checked now: %s", cause(exc), extra={"version": version})
            return None
        except StreamappError as exc:
            log.warning("a challenger fails its checks: %s", cause(exc), extra={"version": version})
            await self._reject(record, f"rejected before any comparison: {exc}", {})
            return None
        settings = self._host.settings
        problem = took.problem(ratio=settings.gate_latency_ratio, floor_ms=settings.gate_latency_ms)
        if problem is not None:
            log.warning("a challenger fails its checks: %s", problem, extra={"version": version})
            await self._reject(record, f"rejected before any comparison: {problem}", took.scores)
            return None
        await self._versions.log.update(
            version, lambda latest: changed(latest, latest.state, scores=took.scores)
        )
        return bundle

    async def _reject(self, record: Model, note: str, scores: dict[str, float]) -> None:
        await self._versions.log.update(
            record.version, lambda latest: changed(latest, "rejected", scores=scores, note=note)
        )
        note_state(self._host, record.version, "rejected", made_by=record)
        self._host.metrics.promotions.labels("rejected").inc()


def _check_inputs(bundle: Bundle, champion: Bundle) -> None:
    """Raise SignatureError if the champion's answers do not show what the challenger needs."""
    if lacking := bundle.signature.lacking(champion.signature.withheld):
        raise SignatureError(unjudged_line(bundle.version, lacking))


def _check(bundle: Bundle, champion: Bundle) -> Latency:
    bundle.check_golden()
    # By turns, so that what slows this machine down now slows both.
    own, its = [], []
    for _ in range(_REPEATS):
        own.append(_ms(bundle, bundle.golden.rows))
        its.append(_ms(champion, champion.golden.rows))
    return Latency(ms=median(own), champion_ms=median(its))


def _ms(bundle: Bundle, rows: Rows) -> float:
    began = time.perf_counter()
    bundle.predict(rows)
    return (time.perf_counter() - began) * 1_000
