"""The champion that goes on learning: where it stands, and when it is published anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from streamapp.messages import Model, OffsetRange
from streamapp.models import Bundle
from streamapp.models.lineage import is_gone_back_to, learned_on_trial, learned_until, original
from streamapp.models.snapshot import snapshot
from streamapp.quality import LabelledRows, OnlineLearner
from streamapp.quality.recent import RecentRequests

__all__ = ["OnlineChampion"]


class OnlineChampion:
    """Learns labelled rows in log order; the same rows after the same bundle give the same model.

    Parameters
    ----------
    bundle
        The version that serves, or did when this began.
    first
        The version that it is a snapshot of; its own, if it is none.
    topic
        Full name of ``labelled``.
    start
        Offset of the next row to learn.
    every
        Rows learned between two snapshots, ≥ 1.
    is_behind
        Whether what serves has not learned what the learner that won had learned: then the first snapshot is
        due when it has.

    Attributes
    ----------
    offset
        Of the next row to learn.
    """

    def __init__(
        self, bundle: Bundle, first: str, *, topic: str, start: int, every: int, is_behind: bool = False
    ) -> None:
        self._bundle = bundle
        self._first = first
        self._topic = topic
        self._start = start
        self._every = every
        self._is_behind = is_behind
        self._learner = OnlineLearner.of(bundle)
        self._recent = RecentRequests()
        self._published = 0
        self._before_last = (self._published, self._is_behind)
        self._before = list(bundle.manifest.training_data)
        self.offset = start

    @classmethod
    def of(
        cls, bundle: Bundle, records: Mapping[str, Model], *, topic: str, end: int, every: int
    ) -> Self | None:
        """Return the learner that goes on from `bundle`, the champion; None if it is not to learn.

        A snapshot goes on behind the rows that its bundle names. A challenger that won begins where its
        trial began, which JUDGE has added to its record. Others begin where the log ends now.

        Parameters
        ----------
        bundle
            Of the champion.
        records
            All versions.
        topic, every
            As of the constructor.
        end
            Offset of the next record of ``labelled``.
        """
        record = records.get(bundle.version)
        if record is None or bundle.manifest.format != "river" or is_gone_back_to(bundle.version, records):
            return None
        first = original(bundle.version, records)
        if first != bundle.version:
            return cls(bundle, first, topic=topic, start=learned_until(record), every=every)
        trial = learned_on_trial(record, bundle.manifest.training_data)
        start = end if trial is None else trial.start
        return cls(bundle, first, topic=topic, start=start, every=every, is_behind=trial is not None)

    def learn(self, rows: LabelledRows, end: int) -> None:
        """Learn the next rows; the first label of each request, once.

        Parameters
        ----------
        rows
            From :attr:`offset` on.
        end
            Where they end: the offset of the next record.
        """
        is_new = rows.revisions == 0
        is_new[is_new] = self._recent.add(
            rows.partitions[is_new], rows.request_offsets[is_new], rows.request_rows[is_new]
        )
        self._learner.learn(rows.take(is_new.nonzero()[0]))
        self.offset = end

    def skip_to(self, begin: int) -> None:
        """Go on at `begin`, where the log begins now, if the rows up to there are gone: none claims them."""
        if begin > self.offset:
            if self.offset > self._start:
                self._before = _joined(self._before, self._learned())
            self._start = self.offset = begin

    def _learned(self) -> OffsetRange:
        return OffsetRange(topic=self._topic, partition=0, start=self._start, end=self.offset)

    def is_due(self, end: int) -> bool:
        """Return whether a snapshot is to be published, if the log ends at `end`."""
        learned = self._learner.learned - self._published
        return learned >= self._every or (self._is_behind and learned > 0 and self.offset >= end)

    def publish(self, at_ms: int) -> Bundle:
        """Return what has been learned as a bundle; errors as of ``models.snapshot.snapshot``."""
        self._before_last = self._published, self._is_behind
        self._published, self._is_behind = self._learner.learned, False
        return snapshot(
            self._bundle,
            self._learner.model,
            at_ms=at_ms,
            newest_label_ms=self._learner.newest_label_ms,
            training_data=_joined(self._before, self._learned()),
            caused_by=self._first,
        )

    def take_back(self) -> None:
        """Note that what was published last did not arrive: a snapshot is as due as it was before."""
        self._published, self._is_behind = self._before_last


def _joined(before: list[OffsetRange], learned: OffsetRange) -> list[OffsetRange]:
    """Return `learned` behind the ranges before it, as one with the last where it begins at its end."""
    last = before[-1] if before else None
    if last is not None and (last.topic, last.partition, last.end) == (
        learned.topic, learned.partition, learned.start,
    ):  # fmt: skip
        return [*before[:-1], last.model_copy(update={"end": learned.end})]
    return [*before, learned]
