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
        self._changed: set[bytes] = set()
        self._read: dict[bytes, bytes | None] = {}
        self._log: dict[bytes, bytes | None] = {}

    def load(self, keys: Iterable[bytes]) -> list[KnownId]:
        """Read what is known of ids, all at once."""
        new = [key for key in dict.fromkeys(keys) if key not in self._known]
        found = list(map(KnownId.decode, self._store.get_many(new)))
        self._known.update(zip(new, found, strict=True))
        return found

    def known(self, key: bytes) -> KnownId:
        """Return what is known of an id; who changes it says so by :meth:`change`."""
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = KnownId.decode(self._store.get(key))
        return known

    def change(self, key: bytes) -> None:
        """Note that what is known of an id is not what it was."""
        self._changed.add(key)

    def load_log(self, keys: list[bytes]) -> None:
        """Read entries of one log, all at once."""
        self._read.update(zip(keys, self._store.get_many(keys), strict=True))

    def entry(self, key: bytes) -> bytes:
        """Return an entry of a log; empty if there is none."""
        for held in (self._log, self._read):
            if key in held:
                return held[key] or b""
        return self._store.get(key) or b""

    def put(self, key: bytes, entry: bytes | None) -> None:
        """Collect the write of an entry of a log; None deletes it."""
        self._log[key] = entry

    def writes(self) -> dict[bytes, bytes | None]:
        """Return all that was collected."""
        return {**{key: self._known[key].encode() for key in self._changed}, **self._log}
