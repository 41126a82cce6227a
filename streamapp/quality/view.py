"""What a store will hold after a batch, so that the batch can read what it is about to write."""

from __future__ import annotations

from collections.abc import Iterable

from streamapp.quality.entries import KnownId
from streamapp.quality.store import KeyValue

__all__ = ["View"]


class View:
    """A store as it will be after a batch, whose writes are collected and not yet done.

    Parameters
    ----------
    store
        What lies below; only read.
    """

    def __init__(self, store: KeyValue) -> None:
        self._store = store
        self._known: dict[bytes, KnownId] = {}
        self._changed: dict[bytes, KnownId] = {}
        self._read: dict[bytes, bytes | None] = {}
        self._log: dict[bytes, bytes | None] = {}

    def load(self, keys: Iterable[bytes]) -> list[KnownId]:
        """Read what is known of ids, all at once."""
        held, decode = self._known, KnownId.decode
        new = [key for key in dict.fromkeys(keys) if key not in held]
        found = [KnownId() if value is None else decode(value) for value in self._store.get_many(new)]
        held.update(zip(new, found, strict=True))
        return found

    def known(self, key: bytes) -> KnownId:
        """Return what is known of an id; who changes it says so by :meth:`change`."""
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = KnownId.decode(self._store.get(key))
        return known

    def change(self, key: bytes, known: KnownId) -> None:
        """Note that what is known of an id is not what it was."""
        self._changed[key] = known

    def load_log(self, keys: list[bytes]) -> None:
        """Read entries of one log, all at once."""
        self._read.update(zip(keys, self._store.get_many(keys), strict=True))

    def entry(self, key: bytes) -> bytes:
        """Return an entry of a log; empty if there is none."""
        if key in self._log:
            return self._log[key] or b""
        if key in self._read:
            return self._read[key] or b""
        return self._store.get(key) or b""

    def put(self, key: bytes, entry: bytes | None) -> None:
        """Collect the write of an entry of a log; None deletes it."""
        self._log[key] = entry

    def writes(self) -> dict[bytes, bytes | None]:
        """Return all that was collected."""
        writes = {key: known.encode() for key, known in self._changed.items()}
        writes.update(self._log)
        return writes
