"""The role ``monitor``: JOIN, WATCH, JUDGE and the model's age in one process, with one view of versions."""

from __future__ import annotations

from streamapp.agents.age import AgeAgent
from streamapp.agents.estimate import ShownEstimate
from streamapp.agents.join import JoinAgent
from streamapp.agents.judge import JudgeAgent
from streamapp.agents.versions import Versions
from streamapp.agents.watch import WatchAgent
from streamapp.runtime.host import Host

__all__ = ["Monitor"]


class Monitor:
    """Three agents and a look at the clock; all but JOIN share the table of folds.

    Parameters
    ----------
    host
        Of the process.
    """

    def __init__(self, host: Host) -> None:
        folds = host.table("folds", partitions=1)
        versions = Versions(host)
        estimate = ShownEstimate(host, versions)
        JoinAgent(host, versions)
        self._watch = WatchAgent(host, folds, versions, estimate)
        self._judge = JudgeAgent(host, folds, versions, estimate)
        AgeAgent(host, folds, versions)
        host.every(1.0, self._tick)
        self._host = host

    async def _tick(self) -> None:
        host = self._host
        waits_for = self._watch.waits_for or self._judge.waits_for
        if waits_for is not None:
            host.health.stand_still(f"the store, which has the bundle of version {waits_for}")
        elif host.assigned():
            host.health.go_on()
        # Both logs have one partition, so the group gives them to one process; another may have them now.
        if not host.assigned(host.topics.distributions, host.topics.labelled):
            host.metrics.forget_judgements()
