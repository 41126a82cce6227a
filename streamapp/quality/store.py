"""The small ordered key-value store under JOIN, in memory and on disk.

What may live here: the protocol, its implementations, and :class:`Overlay`, which lets a batch read what it
is about to write. Nothing here knows what the keys mean.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from streamapp.errors import StoreError

__all__ = ["KeyValue", "MemoryStore", "Overlay", "RocksStore", "Writes"]

Writes = Mapping[bytes, bytes | None]
"""Key to its new value; None deletes."""


class KeyValue(Protocol):
    """Bytes by bytes, ordered by key, written in atomic batches."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`, or None."""

    def scan(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Return entries with ``start <= key < end`` in the order of their keys, or the opposite one.

        Nothing may be written while an iterator is in use.
        """

    def write(self, writes: Writes) -> None:
        """Do all of `writes`, or, after a crash, none."""

    def close(self) -> None:
        """Let go of files. The store cannot be used afterwards."""


class MemoryStore:
    """A dictionary with sorted keys: tests, notebooks, and what a batch is about to write."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`, or None."""
        return self._values.get(key)

    def scan(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Return entries with ``start <= key < end``."""
        keys = self._keys[bisect.bisect_left(self._keys, start) : bisect.bisect_left(self._keys, end)]
        return ((key, self._values[key]) for key in (reversed(keys) if reverse else keys))

    def write(self, writes: Writes) -> None:
        """Do all of `writes`."""
        for key, value in writes.items():
            known = key in self._values
            if value is not None:
                self._values[key] = value
                if not known:
                    bisect.insort(self._keys, key)
            elif known:
                del self._values[key]
                del self._keys[bisect.bisect_left(self._keys, key)]

    def close(self) -> None:
        """Do nothing."""


class RocksStore:
    """RocksDB in one folder: the store of one partition on disk.

    Writes go to RocksDB's log and are atomic; they are not forced to the disk one by one, because what a
    power cut could take away is read again from the topics, from the positions that were lost with it.

    Parameters
    ----------
    folder
        Made if it is not there. One process at a time can hold it.

    Raises
    ------
    StoreError
        If another process holds the folder, or it cannot be opened, read or written.
    """

    def __init__(self, folder: Path) -> None:
        import rocksdict  # noqa: PLC0415  # a native library: only who opens a store pays for loading it

        self.folder = folder
        self._rocksdict: Any = rocksdict
        options = rocksdict.Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_write_buffer_size(16 << 20)
        options.set_max_write_buffer_number(2)
        options.set_keep_log_file_num(2)
        options.set_max_open_files(256)
        options.set_compression_type(rocksdict.DBCompressionType.lz4())
        blocks = rocksdict.BlockBasedOptions()
        blocks.set_bloom_filter(10, False)
        blocks.set_block_cache(rocksdict.Cache(16 << 20))
        options.set_block_based_table_factory(blocks)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            self._db = rocksdict.Rdict(str(folder), options)
        except Exception as exc:  # rocksdict raises nothing finer
            held = "lock" in str(exc).lower()
            remedy = (
                "another process holds it; end that one, or choose another state folder"
                if held
                else "if it is damaged, delete it: it is rebuilt from the topics"
            )
            raise StoreError(f"cannot open the store {folder}: {exc}; {remedy}") from exc

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`, or None."""
        try:
            value: bytes | None = self._db.get(key)
        except Exception as exc:
            raise self._failed("read", exc) from exc
        return value

    def scan(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Return entries with ``start <= key < end``."""
        entries = self._db.iter()
        if reverse:
            entries.seek_for_prev(end)
            if entries.valid() and entries.key() == end:
                entries.prev()
        else:
            entries.seek(start)
        while entries.valid():
            key = entries.key()
            if not start <= key < end:
                break
            yield key, entries.value()
            if reverse:
                entries.prev()
            else:
                entries.next()
        try:
            entries.status()
        except Exception as exc:
            raise self._failed("read", exc) from exc

    def write(self, writes: Writes) -> None:
        """Do all of `writes`, atomically."""
        batch = self._rocksdict.WriteBatch(raw_mode=True)
        for key, value in writes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        try:
            self._db.write(batch)
        except Exception as exc:
            raise self._failed("write", exc) from exc

    def close(self) -> None:
        """Close the files."""
        self._db.close()

    def _failed(self, what: str, exc: Exception) -> StoreError:
        return StoreError(
            f"cannot {what} the store {self.folder}: {exc}; is the disk full? "
            "if the store is damaged, delete it: it is rebuilt from the topics"
        )


class Overlay:
    """A store as it will be after `writes`, which are collected and not yet done.

    Parameters
    ----------
    base
        What lies below; only read.
    """

    def __init__(self, base: KeyValue) -> None:
        self._base = base
        self._keys: list[bytes] = []  # of `writes`, in order: a scan must not look at all of them
        self.writes: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`, or None."""
        return self.writes[key] if key in self.writes else self._base.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Collect a write."""
        self._note(key, value)

    def delete(self, key: bytes) -> None:
        """Collect a deletion."""
        self._note(key, None)

    def _note(self, key: bytes, value: bytes | None) -> None:
        if key not in self.writes:
            bisect.insort(self._keys, key)
        self.writes[key] = value

    def scan(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Return entries with ``start <= key < end``; merges what is there with what is collected."""
        fresh = self._keys[bisect.bisect_left(self._keys, start) : bisect.bisect_left(self._keys, end)]
        if reverse:
            fresh.reverse()
        position = 0
        for key, value in self._base.scan(start, end, reverse=reverse):
            while position < len(fresh) and (fresh[position] > key if reverse else fresh[position] < key):
                yield from self._collected(fresh[position])
                position += 1
            if position < len(fresh) and fresh[position] == key:
                yield from self._collected(key)
                position += 1
            else:
                yield key, value
        for key in fresh[position:]:
            yield from self._collected(key)

    def _collected(self, key: bytes) -> Iterator[tuple[bytes, bytes]]:
        value = self.writes[key]
        if value is not None:
            yield key, value
