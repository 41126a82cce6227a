"""Whether drift of inputs did harm, read from ``labelled`` for TRAIN."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

from streamapp.agents.labelled_log import LabelledLog
from streamapp.messages import Model
from streamapp.models import Bundle
from streamapp.models.losses import Floats
from streamapp.quality.labelled_rows import Ints, losses_of
from streamapp.training.harm import Harm, harm_of

__all__ = ["HarmReader"]

_ROWS_AT_ONCE = 5_000


@dataclass(slots=True)
class _Seen:
    """What the champion's answers since an event cost."""

    version: str
    next_offset: int
    times_ms: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    losses: Floats = field(default_factory=lambda: np.empty(0))


class HarmReader:
    """Follows the labels that come after events on inputs, each row read once per event.

    Parameters
    ----------
    consumer
        Started, without a group; it is assigned to what is read.
    topic
        Full name of ``labelled``.
    """

    def __init__(self, consumer: AIOKafkaConsumer, topic: str) -> None:
        self._consumer = consumer
        self._at = TopicPartition(topic, 0)
        self._log = LabelledLog(consumer, topic, keep=_ROWS_AT_ONCE)
        self._seen: dict[str, _Seen] = {}
        self._champion: tuple[str, Bundle] | None = None

    async def of(self, event: str, *, at_ms: int, written_ms: int, champion: Model, end: int) -> Harm:
        """Return what the labels written since an event say.

        Parameters
        ----------
        event
            Its id.
        at_ms, written_ms
            Its event time, and the timestamp of its record.
        champion
            Whose answers count.
        end
            Offset of the next record of ``labelled``.

        Raises
        ------
        StreamappError
            If the champion's bundle cannot be read.
        """
        if self._champion is None or self._champion[0] != champion.version:
            bundle = await asyncio.to_thread(Bundle.inspect, champion.bundle, sha256=champion.sha256)
            self._champion = champion.version, bundle
        seen = self._seen.get(event)
        if seen is None or seen.version != champion.version:
            found = (await self._consumer.offsets_for_times({self._at: written_ms}))[self._at]
            seen = self._seen[event] = _Seen(champion.version, end if found is None else found.offset)
        bundle = self._champion[1]
        harm = harm_of(at_ms, seen.times_ms, seen.losses, bundle.baseline)
        while harm.verdict == "unknown" and seen.next_offset < end:
            await self._read(seen, bundle, min(end, seen.next_offset + _ROWS_AT_ONCE))
            harm = harm_of(at_ms, seen.times_ms, seen.losses, bundle.baseline)
        return harm

    async def _read(self, seen: _Seen, bundle: Bundle, end: int) -> None:
        rows = await self._log.table(seen.next_offset, end)
        rows = rows.take(np.flatnonzero((rows.versions == seen.version) & (rows.revisions == 0)))
        manifest = bundle.manifest
        losses = losses_of(rows, manifest.loss, manifest.loss_scale, bundle.signature.classes)
        seen.times_ms = np.concatenate((seen.times_ms, rows.times_ms))
        seen.losses = np.concatenate((seen.losses, losses))
        seen.next_offset = end

    def forget(self, done: set[str]) -> None:
        """Let go of what was read for events that are done."""
        for event in self._seen.keys() & done:
            del self._seen[event]
