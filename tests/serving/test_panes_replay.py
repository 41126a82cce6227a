"""Each offset is counted exactly once, whatever crashes, moves and versions come between."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from streamapp.messages import Distribution
from streamapp.serving.answers import Counted
from streamapp.serving.pane import read_pane
from streamapp.serving.panes import PaneBook, Restored, Save

PARTITIONS = (0, 1)
VERSIONS = ("v1", "v2", "none")


@dataclass
class Partition:
    """What outlives every process: the topic, what is committed, the table, what was published."""

    end: int = 0
    committed: int = 0
    table: bytes | None = None
    published: dict[bytes, Distribution] = field(default_factory=dict)


@dataclass
class Process:
    """What is lost in a crash."""

    book: PaneBook = field(default_factory=lambda: PaneBook(pane_events=4, pane_seconds=5))
    read_to: dict[int, int] = field(default_factory=dict)
    to_write: list[Save] = field(default_factory=list)
    to_publish: list[Save] = field(default_factory=list)


def batch(first: int, end: int) -> Counted:
    """Requests of which every third was rejected and every fifth late, event time ten times the offset."""
    offsets = np.arange(first, end)
    return Counted(offsets, offsets * 10, offsets % 3 == 0, offsets % 5 == 0, np.zeros(0, np.intp), {}, None)


class Panes(RuleBasedStateMachine):
    """Two processes, two partitions; every step between two writes is a step of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.partitions = {p: Partition() for p in PARTITIONS}
        self.processes = [Process(), Process()]
        self.owner: dict[int, int] = {}
        self.now_ms = 0
        self.version = "v1"

    @initialize()
    def start(self) -> None:
        for partition in PARTITIONS:
            self._assign(partition, 0)

    def _assign(self, partition: int, to: int) -> None:
        self.owner[partition] = to
        kept, process = self.partitions[partition], self.processes[to]
        restored = process.book.restore(partition, kept.table, kept.end)
        assert restored in {Restored.NOTHING, Restored.OPEN, Restored.CLOSED}
        process.read_to[partition] = kept.committed

    def _owner(self, partition: int) -> Process:
        return self.processes[self.owner[partition]]

    @rule(ms=st.sampled_from([1, 5_000, -7_000]))
    def the_clock_moves(self, ms: int) -> None:
        self.now_ms += ms

    @rule(version=st.sampled_from(VERSIONS))
    def another_version_serves(self, version: str) -> None:
        self.version = version

    @rule(partition=st.sampled_from(PARTITIONS), count=st.integers(1, 6))
    def a_batch_is_answered(self, partition: int, count: int) -> None:
        process = self._owner(partition)
        first = process.read_to[partition]
        end = first + count
        self.partitions[partition].end = max(end, self.partitions[partition].end)
        if process.book.must_close_before(partition, self.version):
            self._finish(process)
            while process.book.must_close_before(partition, self.version):
                process.to_write = process.book.save(self.now_ms, closing={partition})
                self._finish(process)
        process.book.observe(
            partition, batch(first, end), version=self.version, profile=None, now_ms=self.now_ms
        )
        process.read_to[partition] = end

    def _finish(self, process: Process) -> None:
        while process.to_write:
            self._write(process)
        while process.to_publish:
            self._publish(process)

    @rule(which=st.integers(0, 1), closing=st.sets(st.sampled_from(PARTITIONS)))
    def a_save_begins(self, which: int, closing: set[int]) -> None:
        process = self.processes[which]
        if not process.to_write:  # what was not published yet is given again
            process.to_write, process.to_publish = process.book.save(self.now_ms, closing=closing), []

    @rule(partition=st.sampled_from(PARTITIONS), step=st.integers(0, 4), moves=st.booleans())
    def a_process_crashes_in_a_save(self, partition: int, step: int, moves: bool) -> None:
        process = self._owner(partition)
        self._finish(process)
        process.to_write = process.book.save(self.now_ms, closing={partition})
        if step > 0:
            while process.to_write:
                self._write(process)
        if step > 1:
            self._publish(process, is_acknowledged=step > 2)
        if step > 3:
            self.offsets_are_committed(partition)
        self.a_process_crashes(self.owner[partition])
        if moves:
            self.a_partition_moves(partition)

    @rule(which=st.integers(0, 1))
    def the_table_is_written(self, which: int) -> None:
        self._write(self.processes[which])

    def _write(self, process: Process) -> None:
        if not process.to_write:
            return
        save = process.to_write.pop(0)
        self.partitions[save.partition].table = save.data
        if save.distribution is not None:
            process.to_publish.append(save)

    @rule(which=st.integers(0, 1), is_acknowledged=st.booleans())
    def a_pane_is_published(self, which: int, is_acknowledged: bool) -> None:
        self._publish(self.processes[which], is_acknowledged=is_acknowledged)

    def _publish(self, process: Process, *, is_acknowledged: bool = True) -> None:
        if not process.to_publish:
            return
        save = process.to_publish[0]
        assert save.distribution is not None
        published = self.partitions[save.partition].published
        known = published.setdefault(save.distribution.key, save.distribution)
        assert known == save.distribution, "a key was written again with another content"
        if is_acknowledged:  # else it lies in the topic, and the process does not know
            process.to_publish.pop(0)
            process.book.published(save.partition)

    @rule(partition=st.sampled_from(PARTITIONS))
    def offsets_are_committed(self, partition: int) -> None:
        process, kept = self._owner(partition), self.partitions[partition]
        saved_to = process.book.saved_to(partition)
        if any(save.partition == partition for save in process.to_write):
            return  # a commit comes after the writes of its save
        end = process.read_to[partition]
        kept.committed = max(kept.committed, end if saved_to is None else min(end, saved_to))

    @rule(which=st.integers(0, 1))
    def a_process_crashes(self, which: int) -> None:
        self.processes[which] = Process()
        for partition, owner in self.owner.items():
            if owner == which:
                self._assign(partition, which)

    @rule(partition=st.sampled_from(PARTITIONS))
    def a_partition_moves(self, partition: int) -> None:
        left = self.owner[partition]
        process = self.processes[left]
        process.book.forget(partition)
        process.to_write = [save for save in process.to_write if save.partition != partition]
        process.to_publish = [save for save in process.to_publish if save.partition != partition]
        self._assign(partition, 1 - left)

    @invariant()
    def what_was_published_does_not_overlap(self) -> None:
        for kept in self.partitions.values():
            panes = sorted(kept.published.values(), key=lambda pane: pane.first_offset)
            for pane in panes:
                assert pane.events == pane.next_offset - pane.first_offset
                offsets = range(pane.first_offset, pane.next_offset)
                assert pane.rejected == sum(offset % 3 == 0 for offset in offsets)
                assert pane.late == sum(offset % 5 == 0 for offset in offsets)
                assert (pane.from_, pane.to) == (offsets[0] * 10, offsets[-1] * 10)
            for one, other in pairwise(panes):
                assert one.next_offset == other.first_offset

    @invariant()
    def what_is_committed_is_published_or_in_the_table(self) -> None:
        for kept in self.partitions.values():
            covered = max((pane.next_offset for pane in kept.published.values()), default=0)
            if kept.table is not None:
                pane, _ = read_pane(kept.table)
                assert pane.first_offset <= covered <= pane.next_offset
                covered = pane.next_offset
            assert kept.committed <= covered

    def teardown(self) -> None:
        """Let everything be answered and published: then each offset is counted once."""
        for process in self.processes:
            self._finish(process)
        for partition, kept in self.partitions.items():
            process = self._owner(partition)
            self.a_batch_is_answered(partition, kept.end - process.read_to[partition] + 1)
            while saves := process.book.save(self.now_ms, closing={partition}):
                process.to_write = saves
                self._finish(process)
            counted = [
                offset
                for pane in kept.published.values()
                for offset in range(pane.first_offset, pane.next_offset)
            ]
            assert sorted(counted) == list(range(kept.end))
            assert sum(pane.events for pane in kept.published.values()) == kept.end


Panes.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestPanes = Panes.TestCase
