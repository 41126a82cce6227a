"""The state of a fold: kept in the table of folds, with the input offset that it stands at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from streamapp.runtime.host import Host, StateTable
from streamapp.runtime.transport import RecordBatch

__all__ = ["FoldState"]

_LENGTH_BYTES = 8


class FoldState:
    """Hands a fold the records that it has not read, and keeps its snapshots.

    A committed offset is no state: a snapshot is written before the commit, with the offset that it stands
    at, and what was read before it is skipped after a restart.

    Parameters
    ----------
    host
        Of the process.
    table
        Table of folds, one partition.
    name
        Key in it.
    restore
        Awaited with the snapshot, None if there is none, when the partition was assigned.
    snapshot
        Returns the state.
    """

    def __init__(
        self,
        host: Host,
        table: StateTable,
        name: str,
        *,
        restore: Callable[[bytes | None], Awaitable[None]],
        snapshot: Callable[[], bytes],
    ) -> None:
        self._host = host
        self._table = table
        self._key = name.encode()
        self._restore = restore
        self._snapshot = snapshot
        self._turn = asyncio.Lock()
        self._restored_at = 0
        self._is_dirty = False
        self.offset = 0
        host.before_commit(self.save)

    @asynccontextmanager
    async def turn(self, batches: Sequence[RecordBatch]) -> AsyncIterator[Sequence[Any]]:
        """Give the records in `batches` that were not read yet; they are at the end of the block."""
        async with self._turn:
            if self._restored_at != self._host.assignments:
                await self._load()
            records = [r for batch in batches for r in batch.records if r.offset >= self.offset]
            yield records
            if records:
                self.offset = records[-1].offset + 1
                self._is_dirty = True

    def unread(self) -> bytes | None:
        """Return the snapshot that the next turn restores; None if it restores none."""
        data = self._table.get(self._key)
        is_restored = self._restored_at == self._host.assignments
        return None if is_restored or data is None else data[_LENGTH_BYTES:]

    async def _load(self) -> None:
        data = self._table.get(self._key)
        self.offset = 0
        if data is None:
            await self._restore(None)
        else:
            self.offset = int.from_bytes(data[:_LENGTH_BYTES])
            await self._restore(data[_LENGTH_BYTES:])
        self._restored_at, self._is_dirty = self._host.assignments, False

    def mark(self) -> None:
        """Note that the state has changed without a record."""
        self._is_dirty = True

    async def save(self) -> None:
        """Write the snapshot, if there is anything new in it."""
        async with self._turn:
            if self._is_dirty and self._restored_at == self._host.assignments:
                data = self.offset.to_bytes(_LENGTH_BYTES) + self._snapshot()
                await self._table.put([(0, self._key, data)])
                self._is_dirty = False
