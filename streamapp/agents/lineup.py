"""Who takes part in what JUDGE decides, as ``models`` says, each with the bundle that this takes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from streamapp.agents.admission import Admission
from streamapp.agents.patience import Patience
from streamapp.agents.versions import Versions
from streamapp.messages import Champion, Model
from streamapp.models import Bundle
from streamapp.models.lineage import awaits_snapshot, first_snapshot, next_snapshot, original, served_last
from streamapp.quality import OnlineLearner
from streamapp.rollout import Candidate, Judge
from streamapp.rollout.states import changed
from streamapp.runtime.host import Host

__all__ = ["Lineup", "Lineups", "candidate_of"]

_RETRY_S = 30.0
"""Until a challenger is looked at again whose bundle could not be had."""


@dataclass(frozen=True, slots=True, eq=False)
class Lineup:
    """Whom JUDGE is to follow.

    Attributes
    ----------
    serving
        The version that answers.
    champion
        What that is a snapshot of: gates, alerts and baseline go on from one snapshot to the next. Mostly it
        is the same.
    challengers, former
        By version.
    """

    serving: str
    champion: Candidate
    challengers: Mapping[str, Candidate]
    former: Mapping[str, Candidate]


class Lineups:
    """Reads ``models``, and has the bundles of those who take part fetched.

    Parameters
    ----------
    host
        Of the process.
    versions
        Read and written.

    Attributes
    ----------
    patience
        Says whose bundle is waited for.
    """

    def __init__(self, host: Host, versions: Versions) -> None:
        self._host = host
        self._versions = versions
        self._admission = Admission(host, versions)
        self._newest: Lineup | None = None
        self._read: object = None
        self._look_again_at = math.inf
        self.patience = Patience(host)

    async def newest(self, judge: Judge) -> Lineup | None:
        """Return who takes part now, the same object until there is something new; None: nobody.

        The bundles of the champion and of those before it are waited for. Whether a challenger's can be had
        is chance, and looked at again later. A champion whose bundle is bad is not followed, as SCORE does
        not serve it: the one before goes on.

        Parameters
        ----------
        judge
            Knows who has served.

        Raises
        ------
        StoreError
            If partitions move while the store is waited for.
        """
        models, clock = self._versions.log, asyncio.get_running_loop().time
        await models.caught_up.wait()
        pointer = await self._pointer()
        if pointer is None:
            return None
        challengers = sorted(v for v, model in models.versions.items() if model.state == "challenger")
        read = (pointer.version, challengers)
        if read != self._read or clock() >= self._look_again_at:
            self._newest, is_whole = await self._made(pointer.version, challengers, judge)
            self._read = read
            self._look_again_at = math.inf if is_whole else clock() + _RETRY_S
        return self._newest

    def forget(self) -> None:
        """Look at everything anew: other versions have served, or were rejected."""
        self._read = None

    async def _pointer(self) -> Champion | None:
        """Return the pointer, which snapshots of what serves take over as they come."""
        models = self._versions.log
        while models.champion is not None:
            pointer = models.champion
            later = next_snapshot(pointer.version, models.versions)
            if later is None:
                break
            await models.point_at(later.version, later.newest_training_data_at or pointer.at)
            await models.update(later.version, lambda record: changed(record, "champion", note=record.note))
        return models.champion

    async def _made(
        self, serving: str, challengers: Sequence[str], judge: Judge
    ) -> tuple[Lineup | None, bool]:
        """Return the lineup, if there is a champion for it, and whether all are in it that are to be."""
        versions, records = self._versions, self._versions.log.versions
        first, is_refused = original(serving, records), False
        champion = await self.patience.ask(versions.bundle, first)
        if champion is None and judge.champion not in {None, first}:
            first, is_refused = str(judge.champion), True
            serving = served_last(first, records)
            champion = await self.patience.ask(versions.bundle, first)
        if champion is None:
            return None, False
        admitted = {version: await self._admission.admit(version, champion) for version in challengers}
        former = await self._former(champion, serving, judge)
        versions.forget({first, *challengers, *(bundle.version for bundle in former.values())})
        online = self._host.settings.online
        lineup = Lineup(
            serving,
            _champion(champion, serving, records),
            {v: candidate_of(bundle, online=online) for v, bundle in admitted.items() if bundle is not None},
            {v: replace(candidate_of(bundle), version=v) for v, bundle in former.items()},
        )
        return lineup, not is_refused and None not in admitted.values()

    async def _former(self, champion: Bundle, serving: str, judge: Judge) -> dict[str, Bundle]:
        """Return, by the version that JUDGE knows, what would serve if one of the last champions came back.

        None as long as what serves is not what has won: TRAIN publishes that once it has learned it again.
        What needs personal columns is left out: rows do not show these.
        """
        first, records = champion.version, self._versions.log.versions
        packed, is_online = champion.manifest.training_data, self._host.settings.online
        if serving == first and is_online and awaits_snapshot(first, packed, records):
            return {}
        found = {}
        for version in judge.shadows(first):
            bundle = await self.patience.ask(self._versions.bundle, served_last(version, records))
            if bundle is not None and not bundle.signature.lacking(champion.signature.withheld):
                found[version] = bundle
        return found


def candidate_of(bundle: Bundle, *, online: bool = False) -> Candidate:
    """Return a version as JUDGE knows it; one of river learns if versions go on learning `online`."""
    manifest = bundle.manifest
    learns = online and manifest.format == "river"
    return Candidate(
        version=bundle.version,
        predict=bundle.predict,
        loss=manifest.loss,
        loss_scale=manifest.loss_scale,
        classes=bundle.signature.classes,
        newest_training_data_at_ms=manifest.newest_training_data_at_ms,
        baseline=bundle.baseline,
        profile=bundle.profile,
        signature=bundle.signature,
        segments=bundle.segments,
        learner=partial(OnlineLearner.of, bundle) if learns else None,
    )


def _champion(bundle: Bundle, serving: str, records: Mapping[str, Model]) -> Candidate:
    """Return the champion; of one that learns, only what snapshots have answered is compared."""
    champion = candidate_of(bundle)
    begun = None if serving == bundle.version else first_snapshot(bundle.version, records)
    if begun is None or begun.newest_training_data_at is None:
        return champion
    return replace(champion, newest_training_data_at_ms=begun.newest_training_data_at)
