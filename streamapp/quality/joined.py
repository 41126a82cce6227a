"""What reading some records caused, and the writes that wait for its delivery."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from streamapp.messages import OutRecord
from streamapp.quality.progress import Progress
from streamapp.quality.store import KeyValue
from streamapp.quality.view import View

__all__ = ["JoinBatch", "Joined"]


class JoinBatch:
    """Writes that wait for the delivery of what they go with; see :meth:`Join.apply`.

    Made of the `partition` and `generation` of its join, and of its `progress`, which is copied.
    `own_first` says whether the partition's own store is written before those of its siblings, or after;
    `oldest`, per log, the first key that may be left in it.
    """

    def __init__(self, partition: int, generation: int, progress: Progress) -> None:
        self.partition = partition
        self.generation = generation
        self.progress = progress.copy()
        self.views: dict[int, View] = {}
        self.waiting: Counter[int] = Counter()
        self.own_first = False
        self.oldest: dict[bytes, bytes] = {}

    def view(self, partition: int, store: KeyValue) -> View:
        """Return `store`, that of `partition`, as it will be after this batch."""
        if partition not in self.views:
            self.views[partition] = View(store)
        return self.views[partition]


@dataclass(slots=True)
class Joined:
    """What some records caused.

    Attributes
    ----------
    batch
        To be applied once everything else here was delivered.
    rows
        For ``labelled``.
    dead_letters
        Feedback that cannot be read, or that no request ever came for.
    forwards
        Feedback for the partition of ``feedback`` where its answer must be.
    reviews
        For ``review``.
    unknown_versions
        Of answers that might have been drawn for review with another probability, were more known about them:
        tell the sampler, forget this batch, and read the records again.
    counts
        Outcome to number of records. Of answers: ``answers``, ``rejections``, ``repeats``, ``unreadable``,
        ``reviewed`` (drawn for review), ``review-dropped`` (drawn, but kept back); of labels: ``joined``,
        ``corrected``, ``outranked``, ``waiting``, ``forwarded``, ``repeated``, ``wrong-clock`` (its time lay
        ahead of its record's) and the codes of dead letters; of ``expire``: ``unlabelled``.
    """

    batch: JoinBatch
    rows: list[OutRecord] = field(default_factory=list)
    dead_letters: list[OutRecord] = field(default_factory=list)
    forwards: list[OutRecord] = field(default_factory=list)
    reviews: list[OutRecord] = field(default_factory=list)
    unknown_versions: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
