"""Which requests have been counted: the panes of the partitions that a process answers.

Theory of operation. Of each partition the table holds the bytes of one pane, the newest. Three things happen,
in this order, whatever else goes on meanwhile:

1. :meth:`PaneBook.save` gives these bytes; once they are in the table's changelog, offsets below the pane's
   ``next_offset`` may be committed, and not before.
2. A pane that closes in a save is published to ``distributions`` after its bytes were written.
3. Only after that (:meth:`PaneBook.published`) the next pane of the partition is given by a save, and takes
   its place in the table.

So a process that takes over finds either an open pane, which it continues, or a closed one, which it
publishes again: under its key, with its content. Requests below ``next_offset`` that come again are answered
again, and not counted again. A closed pane was saved whole, so what was published is never counted otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from streamapp.errors import ProfileError
from streamapp.messages import Distribution
from streamapp.profile import Profile
from streamapp.serving.answers import Counted
from streamapp.serving.pane import Pane, read_pane

__all__ = ["PaneBook", "Restored", "Save"]


class Save(NamedTuple):
    """What is to be written to the table for one partition.

    Attributes
    ----------
    partition
        Key in the table.
    data
        The newest pane.
    distribution
        What is to be published after `data` was written; None while the pane is open.
    """

    partition: int
    data: bytes
    distribution: Distribution | None


class Restored(StrEnum):
    """What became of a partition's bytes."""

    NOTHING = "nothing"
    """There were none."""
    OPEN = "open"
    """An open pane; it will be continued."""
    CLOSED = "closed"
    """A closed pane; the next save gives it again, to be published again."""
    BEYOND_END = "beyond-end"
    """Discarded, for a warning: it counts offsets beyond the end of the topic, which was made anew."""
    UNREADABLE = "unreadable"
    """Discarded, for a warning: requests that come again may be counted again."""


@dataclass(slots=True)
class _Partition:
    """The state of one partition: what waits to be published, and what grows."""

    counted_to: int = 0
    saved_to: int | None = None
    closed: Save | None = None
    pane: Pane | None = None
    is_dirty: bool = False


class PaneBook:
    """The panes of the partitions that a process answers; a state machine without clock and I/O.

    Parameters
    ----------
    pane_events
        A pane with this many requests is closed by the next save.
    pane_seconds
        So is one whose first request is this old, wall clock.

    Notes
    -----
    Calls that belong together (a save, the writes, :meth:`published`) must not overlap with those of another
    save; :meth:`observe` may come at any time.
    """

    def __init__(self, *, pane_events: int = 64, pane_seconds: float = 5.0) -> None:
        self.pane_events = pane_events
        self.pane_ms = pane_seconds * 1000
        self._partitions: dict[int, _Partition] = {}

    def must_close_before(self, partition: int, version: str, profile: Profile | None = None) -> bool:
        """Return whether the partition's panes must be saved and published before `version` may count.

        Then the caller saves with ``closing={partition}``, writes, publishes, calls :meth:`published`, and
        asks again. It is so before another version's first batch, and for a restored pane whose summary
        cannot be continued against `profile`.
        """
        state = self._partitions.get(partition)
        if state is None or state.pane is None:
            return False
        if state.pane.version != version:
            return True
        try:
            state.pane.continue_with(profile)
        except ProfileError:
            return True
        return False

    def observe(
        self, partition: int, counted: Counted, *, version: str, profile: Profile | None, now_ms: int
    ) -> int:
        """Count the requests of a batch that have not been counted; return how many there were.

        Parameters
        ----------
        partition
            That they lie in.
        counted
            What there is to count; offsets ascend.
        version
            That answered them; :data:`~streamapp.messages.NO_VERSION` without a model.
        profile
            Of that version; None without a model.
        now_ms
            Wall clock.

        Raises
        ------
        ValueError
            If the open pane is another version's: see :meth:`must_close_before`.
        """
        state = self._partitions.setdefault(partition, _Partition())
        new = counted.since(state.counted_to)
        if not len(new.offsets):
            return 0
        if self.must_close_before(partition, version, profile):
            raise ValueError(
                f"partition {partition} has an open pane that {version} cannot continue: close it"
            )
        if state.pane is None:
            state.pane = Pane.begin(partition, version, new, profile, now_ms)
        else:
            state.pane.add(new)
        state.counted_to = state.pane.next_offset
        state.is_dirty = True
        return len(new.offsets)

    def save(self, now_ms: int, *, closing: frozenset[int] | set[int] = frozenset()) -> list[Save]:
        """Return what is to be written now, at most one pane per partition.

        Parameters
        ----------
        now_ms
            Wall clock.
        closing
            Partitions whose open pane closes now, however few requests it holds.

        Notes
        -----
        A pane that was closed and not published yet is given again, byte for byte, and nothing newer of its
        partition until it is.
        """
        saves = []
        for partition, state in self._partitions.items():
            save = state.closed or self._save(partition, state, now_ms, is_closing=partition in closing)
            if save is not None:
                saves.append(save)
        return saves

    def published(self, partition: int) -> None:
        """Note that the closed pane of the last save was delivered to ``distributions``."""
        state = self._partitions.get(partition)
        if state is not None:  # else it was revoked meanwhile; its next owner publishes it again
            state.closed = None

    def saved_to(self, partition: int) -> int | None:
        """Return the offset up to which the last saves cover the partition: commits go no further.

        None if nothing was ever counted there, so that nothing can be lost.
        """
        state = self._partitions.get(partition)
        if state is None or (state.saved_to is None and state.pane is None):
            return None
        return state.pane.first_offset if state.saved_to is None and state.pane else state.saved_to

    def restore(self, partition: int, data: bytes | None, end_offset: int) -> Restored:
        """Take over a partition after its table was recovered, before its first batch.

        Parameters
        ----------
        partition
            The partition.
        data
            Its bytes in the table; None if there are none.
        end_offset
            The offset after the last record of its requests.
        """
        state = self._partitions[partition] = _Partition()
        if data is None:
            return Restored.NOTHING
        try:
            pane, is_closed = read_pane(data)
        except ValueError:
            return Restored.UNREADABLE
        if pane.partition != partition:
            return Restored.UNREADABLE
        if pane.next_offset > end_offset:
            return Restored.BEYOND_END
        state.counted_to = state.saved_to = pane.next_offset
        if is_closed:
            state.closed = Save(partition, data, pane.distribution())
            return Restored.CLOSED
        state.pane = pane
        return Restored.OPEN

    def forget(self, partition: int) -> None:
        """Drop a partition that was revoked; unsaved counts belong to requests that will come again."""
        self._partitions.pop(partition, None)

    def _save(self, partition: int, state: _Partition, now_ms: int, *, is_closing: bool) -> Save | None:
        pane = state.pane
        if pane is None:
            return None
        pane.opened_at_ms = min(pane.opened_at_ms, now_ms)  # a clock that was set back
        is_due = pane.events >= self.pane_events or now_ms - pane.opened_at_ms >= self.pane_ms
        if is_due or is_closing:
            save = Save(partition, pane.to_bytes(closed=True), pane.distribution())
            state.closed, state.pane = save, None
        elif state.is_dirty:
            save = Save(partition, pane.to_bytes(closed=False), None)
        else:
            return None
        state.is_dirty = False
        state.saved_to = pane.next_offset
        return save
