"""Which ids labels wait for: a look into memory spares one into the store for each answer that arrives."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["WaitingIds"]

LIMIT = 100_000
"""More ids than these are not remembered one by one."""


class WaitingIds:
    """Hashes of the ids that labels wait for: perhaps of more, never of fewer.

    Parameters
    ----------
    id_hashes
        Those that are waited for already.

    Notes
    -----
    Nothing is taken out one by one: when no label waits any more, all is cleared. Beyond 100,000 ids, some 10
    MB, every id may be among them until then.

    Examples
    --------
    >>> ids = WaitingIds([b"a"])
    >>> b"a" in ids, b"b" in ids
    (True, False)
    """

    __slots__ = ("_hashes", "_is_full")

    def __init__(self, id_hashes: Iterable[bytes] = ()) -> None:
        self._hashes: set[bytes] = set()
        self._is_full = False
        for id_hash in id_hashes:
            self.add(id_hash)

    def __contains__(self, id_hash: bytes) -> bool:
        return self._is_full or id_hash in self._hashes

    def add(self, id_hash: bytes) -> None:
        """Take note of an id that a label waits for."""
        if len(self._hashes) >= LIMIT:
            self._is_full = True
        else:
            self._hashes.add(id_hash)

    def clear(self) -> None:
        """Forget all: no label waits."""
        self._hashes.clear()
        self._is_full = False
