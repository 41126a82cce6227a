"""The small ordered key-value store under JOIN, in memory and on disk.

What may live here: the protocol and its implementations. Nothing here knows what the keys mean.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from streamapp.errors import ConfigError, StoreError

__all__ = ["KeyValue", "MemoryStore", "RocksMemory", "RocksStore", "Writes"]

_OWN_MEMORY = 32 << 20
_BUFFER_BYTES = 16 << 20
_ARENA_BYTES = 128 << 10
_OPEN_FILES = 256
_WAL_BYTES = 64 << 20
"""Most that is read again when a store is opened."""

Writes = Mapping[bytes, bytes | None]
"""Key to its new value; None deletes."""


class KeyValue(Protocol):
    """Bytes by bytes, ordered by key, written in atomic batches."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`, or None."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys`, all of one log or of none; cheaper than one by one."""

    def scan(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Return entries with ``start <= key < end`` in the order of their keys.

        Nothing may be written while an iterator is in use.
        """

    def write(self, writes: Writes) -> None:
        """Do all of `writes`, or, after a crash, none."""

    def size_bytes(self) -> int:
        """Return what the store takes where it is kept."""

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

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys`."""
        return list(map(self._values.get, keys))

    def scan(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Return entries with ``start <= key < end``."""
        keys = self._keys[bisect.bisect_left(self._keys, start) : bisect.bisect_left(self._keys, end)]
        return ((key, self._values[key]) for key in keys)

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

    def size_bytes(self) -> int:
        """Return the size of all keys and values."""
        return sum(len(key) + len(value) for key, value in self._values.items())

    def close(self) -> None:
        """Do nothing."""


class RocksMemory:
    """The memory that the stores of a process share, whatever they hold and however many there are.

    Blocks that were read, the indexes and filters of all files, and what was written and is not in a file yet
    come out of it. Less is slower, and nothing else.

    Parameters
    ----------
    limit_bytes
        Most that they take, > 0.
    """

    def __init__(self, limit_bytes: int) -> None:
        import rocksdict  # noqa: PLC0415  # a native library: only who opens a store pays for loading it

        if limit_bytes <= 0:
            raise ConfigError(f"memory of stores {limit_bytes} bytes must be above 0")
        self.cache = rocksdict.Cache(limit_bytes)
        # Counted in the cache. When it is used up, what is largest goes to a file; nobody has to wait.
        self.writes = rocksdict.WriteBufferManager.new_write_buffer_manager_with_cache(
            limit_bytes // 2, False, self.cache
        )


class RocksStore:
    """RocksDB in one folder: the store of one partition on disk.

    Writes go to RocksDB's log and are atomic; they are not forced to the disk one by one, because what a
    power cut could take away is read again from the topics, from the positions that were lost with it.

    Parameters
    ----------
    folder
        Made if it is not there. One process at a time can hold it.
    memory
        What it may take, with others; None: 32 MiB of its own.
    logs
        First bytes of keys that are written in their order and deleted in it, each one byte, none twice. Such
        entries are kept in files of their own: sorting them in among others would copy their values again
        and again.

    Raises
    ------
    StoreError
        If another process holds the folder, or it cannot be opened, read or written.
    """

    def __init__(
        self, folder: Path, *, memory: RocksMemory | None = None, logs: Sequence[bytes] = ()
    ) -> None:
        import rocksdict  # noqa: PLC0415  # a native library: only who opens a store pays for loading it

        self.folder = folder
        self._rocksdict: Any = rocksdict
        memory = memory or RocksMemory(_OWN_MEMORY)
        options = _options(memory, is_log=False)
        options.create_if_missing(True)
        options.create_missing_column_families(True)
        options.set_keep_log_file_num(2)
        options.set_max_open_files(_OPEN_FILES)
        options.set_max_total_wal_size(_WAL_BYTES)
        options.set_write_buffer_manager(memory.writes)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            families = {_family(log): _options(memory, is_log=True) for log in logs}
            self._db = rocksdict.Rdict(str(folder), options, column_families=families)
            self._parts = {log: self._db.get_column_family(_family(log)) for log in logs}
            self._handles = {log: self._db.get_column_family_handle(_family(log)) for log in logs}
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
        return self.get_many([key])[0]

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys`, all of one log or of none."""
        try:
            values: list[bytes | None] = self._part(keys[0]).get(list(keys)) if keys else []
        except Exception as exc:
            raise self._failed("read", exc) from exc
        return values

    def _part(self, key: bytes) -> Any:
        return self._parts.get(key[:1], self._db)

    def scan(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Return entries with ``start <= key < end``; none but a log's own if `start` is in a log."""
        entries = self._part(start).iter()
        entries.seek(start)
        while entries.valid():
            key = entries.key()
            if not start <= key < end:
                break
            yield key, entries.value()
            entries.next()
        try:
            entries.status()
        except Exception as exc:
            raise self._failed("read", exc) from exc

    def write(self, writes: Writes) -> None:
        """Do all of `writes`, atomically."""
        batch = self._rocksdict.WriteBatch(raw_mode=True)
        handle_of = self._handles.get
        for key, value in writes.items():
            handle = handle_of(key[:1])
            if value is None:
                batch.delete(key, handle)
            else:
                batch.put(key, value, handle)
        try:
            self._db.write(batch)
        except Exception as exc:
            raise self._failed("write", exc) from exc

    def size_bytes(self) -> int:
        """Return the size of all files, those of RocksDB's log too."""
        total = 0
        for file in self.folder.iterdir():
            with suppress(FileNotFoundError):  # a compaction may just have replaced it
                total += file.stat().st_size
        return total

    def close(self) -> None:
        """Close the files."""
        for part in self._parts.values():
            part.close()
        self._handles.clear()  # each holds the folder, too
        self._db.close()

    def _failed(self, what: str, exc: Exception) -> StoreError:
        return StoreError(
            f"cannot {what} the store {self.folder}: {exc}; is the disk full? "
            "if the store is damaged, delete it: it is rebuilt from the topics"
        )


def _family(log: bytes) -> str:
    return f"log-{log.decode('ascii')}"


def _options(memory: RocksMemory, *, is_log: bool) -> Any:
    import rocksdict  # noqa: PLC0415

    options = rocksdict.Options(raw_mode=True)
    options.set_write_buffer_size(_BUFFER_BYTES)
    options.set_arena_block_size(_ARENA_BYTES)  # it is taken whole, by each store and log
    options.set_max_write_buffer_number(2)
    options.set_compression_type(rocksdict.DBCompressionType.lz4())
    blocks = rocksdict.BlockBasedOptions()
    blocks.set_block_cache(memory.cache)
    # Indexes and filters of files, too, come out of the cache, in parts, as they are needed.
    blocks.set_cache_index_and_filter_blocks(True)
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(True)
    blocks.set_pin_top_level_index_and_filter(True)
    blocks.set_index_type(rocksdict.BlockBasedIndexType.two_level_index_search())
    if is_log:  # what is looked for in a log is there
        # Of what is forgotten nothing is left behind for scans to pass over.
        options.add_compact_on_deletion_collector_factory(10_000, 5_000, 0.5)
    else:
        blocks.set_bloom_filter(10, False)
        blocks.set_partition_filters(True)
    options.set_block_based_table_factory(blocks)
    return options
