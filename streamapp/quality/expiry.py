"""What is over its horizon in a log of the store."""

from __future__ import annotations

from streamapp.quality.entries import arrival_of
from streamapp.quality.store import KeyValue

__all__ = ["due_entries"]

_END = b"\xff" * 9


def due_entries(
    store: KeyValue, log: bytes, start: bytes, before_ms: int, *, began_ms: int, limit: int
) -> list[tuple[bytes, bytes]]:
    """Return the oldest entries of a log that arrived before a time, key and value each.

    Parameters
    ----------
    store
        Which holds them.
    log
        One of ``LOGS``.
    start
        Key that none lies before.
    before_ms
        Stream time.
    began_ms
        When stream time began: what came before is as old as that.
    limit
        Most that are returned, > 0.
    """
    due = []
    for key, entry in store.scan(start, log + _END):
        arrived_ms = arrival_of(entry)
        if (began_ms if arrived_ms is None else arrived_ms) >= before_ms:
            break
        due.append((key, entry))
        if len(due) >= limit:
            break
    return due
