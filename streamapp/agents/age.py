"""The age of the champion: looked at by the clock; ``stale-model`` alerts and retrain events out."""

from __future__ import annotations

import orjson

from streamapp.agents.fold import FoldState
from streamapp.agents.notes import note_alerts, note_retrain
from streamapp.agents.versions import Versions
from streamapp.agents.watch import alert_record, retrain_record
from streamapp.rollout.age import Age
from streamapp.runtime.host import Host, StateTable

__all__ = ["AgeAgent"]

_LOOK_EVERY_S = 2.0


class AgeAgent:
    """Looks at the clock in the process that judges.

    Parameters
    ----------
    host
        Of the process.
    folds
        Table of snapshots: what has been said is not said again after a restart.
    versions
        Say who serves, and what it has learned from.
    """

    def __init__(self, host: Host, folds: StateTable, versions: Versions) -> None:
        self._host = host
        self._models = versions.log
        self._age = self._begin()
        self._state = FoldState(host, folds, "age", restore=self._restore, snapshot=self._snapshot)
        host.every(_LOOK_EVERY_S, self._tick)

    async def _tick(self) -> None:
        host, models = self._host, self._models
        if not host.assigned(host.topics.labelled) or not models.caught_up.is_set():
            return
        champion = None if models.champion is None else models.versions.get(models.champion.version)
        if champion is None:
            return
        async with self._state.turn([]):
            aged = self._age.tick(host.now_ms(), champion)
            host.metrics.open_alerts.labels("stale-model").set(self._age.alert is not None)
            if not aged.alerts and aged.retrain is None:
                return
            name = host.settings.name
            await host.deliver(host.topics.drift_alerts, [alert_record(name, alert) for alert in aged.alerts])
            note_alerts(host, aged.alerts)
            if aged.retrain is not None:
                due = retrain_record(name, aged.retrain, aged.due_ms)
                await host.deliver(host.topics.retrain_events, [due])
                note_retrain(host, aged.retrain)
            self._state.mark()
        await self._state.save()  # at once: there is no record whose commit would do it

    def _begin(self) -> Age:
        settings = self._host.settings
        return Age(
            settings.name,
            stale_after_ms=_ms(settings.stale_after_s),
            retrain_age_ms=_ms(settings.retrain_age_s),
        )

    async def _restore(self, data: bytes | None) -> None:
        self._age = self._begin()
        if data is not None:
            self._age.load(orjson.loads(data))

    def _snapshot(self) -> bytes:
        return orjson.dumps(self._age.to_dict())


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else int(1_000 * seconds)
