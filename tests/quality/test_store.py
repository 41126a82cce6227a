from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from streamapp.errors import ConfigError, StoreError
from streamapp.quality.store import KeyValue, MemoryStore, RocksMemory, RocksStore

# Few and close together, so that keys meet; one is a prefix of others, one the largest there is.
keys = st.sampled_from([b"", b"a", b"a\x00", b"ab", b"b", b"\xff", b"\xff\xff"])
writes = st.dictionaries(keys, st.none() | st.binary(max_size=3), max_size=5)


@pytest.fixture(params=["memory", "rocks"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeyValue]:
    kept: KeyValue = MemoryStore() if request.param == "memory" else RocksStore(tmp_path / "store")
    yield kept
    kept.close()


def test_what_is_written_is_there_and_what_is_deleted_is_not(store: KeyValue) -> None:
    store.write({b"a": b"1", b"b": b"", b"c": b"3"})
    store.write({b"a": b"2", b"c": None, b"never": None})
    assert (store.get(b"a"), store.get(b"b"), store.get(b"c"), store.get(b"never")) == (b"2", b"", None, None)


def test_a_scan_has_its_start_and_not_its_end(store: KeyValue) -> None:
    store.write(dict.fromkeys((b"a", b"b", b"c", b"d"), b""))
    assert [key for key, _ in store.scan(b"b", b"d")] == [b"b", b"c"]
    assert list(store.scan(b"x", b"z")) == []


def test_a_store_says_what_it_takes(store: KeyValue) -> None:
    empty = store.size_bytes()
    store.write({b"a": bytes(100_000), b"b": b"x"})
    assert 100_000 < store.size_bytes() - empty < 200_000


def test_a_rocks_store_is_there_after_a_restart(tmp_path: Path) -> None:
    before = RocksStore(tmp_path / "deep" / "store")
    before.write({b"a": b"1"})
    before.close()
    after = RocksStore(tmp_path / "deep" / "store")
    assert after.get(b"a") == b"1"
    after.close()


def test_one_folder_has_one_holder_and_the_error_says_so(tmp_path: Path) -> None:
    holder = RocksStore(tmp_path / "store")
    with pytest.raises(StoreError, match="another process holds it"):
        RocksStore(tmp_path / "store")
    holder.close()
    RocksStore(tmp_path / "store").close()


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot open the store"):
        RocksStore(tmp_path / "file" / "store")


def test_a_closed_store_is_a_store_error(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "store")
    store.close()
    with pytest.raises(StoreError, match="cannot write"):
        store.write({b"a": b"1"})
    with pytest.raises(StoreError, match="cannot read"):
        store.get(b"a")


class Stores(RuleBasedStateMachine):
    """The same writes and reads on disk, in memory and in a plain dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.rocks = RocksStore(self.folder / "store")
        self.memory = MemoryStore()
        self.model: dict[bytes, bytes] = {}

    @rule(changes=writes)
    def write(self, changes: dict[bytes, bytes | None]) -> None:
        self.rocks.write(changes)
        self.memory.write(changes)
        for key, value in changes.items():
            self.model.pop(key, None)
            if value is not None:
                self.model[key] = value

    @rule()
    def restart(self) -> None:
        self.rocks.close()
        self.rocks = RocksStore(self.folder / "store")

    @rule(key=keys)
    def get(self, key: bytes) -> None:
        assert self.rocks.get(key) == self.memory.get(key) == self.model.get(key)

    @rule(some=st.lists(keys, max_size=4))
    def get_many(self, some: list[bytes]) -> None:
        expected = [self.model.get(key) for key in some]
        assert self.rocks.get_many(some) == self.memory.get_many(some) == expected

    @rule(start=keys, end=keys)
    def scan(self, start: bytes, end: bytes) -> None:
        expected = sorted((k, v) for k, v in self.model.items() if start <= k < end)
        assert list(self.rocks.scan(start, end)) == list(self.memory.scan(start, end)) == expected

    @invariant()
    def count(self) -> None:
        assert len(self.memory) == len(self.model)

    def teardown(self) -> None:
        self.rocks.close()
        shutil.rmtree(self.folder)


Stores.TestCase.settings = settings(max_examples=8, stateful_step_count=20, deadline=None)
TestStores = Stores.TestCase


def test_logs_are_written_with_all_else_and_scanned_apart(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "store", logs=(b"v", b"w"))
    store.write({b"i": b"1", b"v1": b"2", b"v2": b"3", b"w1": b"4"})
    store.write({b"v1": None})
    store.close()
    store = RocksStore(tmp_path / "store", logs=(b"v", b"w"))
    assert [store.get(key) for key in (b"i", b"v1", b"v2", b"w1")] == [b"1", None, b"3", b"4"]
    assert store.get_many([b"v2", b"v1"]) == [b"3", None]
    assert list(store.scan(b"v", b"w")) == [(b"v2", b"3")]
    store.close()


def test_stores_share_their_memory_and_take_no_more(tmp_path: Path) -> None:
    limit = 32 << 20
    memory = RocksMemory(limit)
    stores = [RocksStore(tmp_path / str(i), memory=memory, logs=(b"v",)) for i in range(3)]
    value = random.Random(1).randbytes(1_000)
    for first in range(0, 30_000, 500):
        for store in stores:
            store.write({b"v%09d" % i: value for i in range(first, first + 500)})
            store.write({b"i%09d" % i: b"" for i in range(first, first + 500)})
    for store in stores:
        assert len(store.get_many([b"v%09d" % i for i in range(0, 30_000, 10)])) == 3_000
    # They have written and read 90 MB. What is on its way into a file comes on top, until it is there.
    deadline = time.monotonic() + 60
    while memory.cache.get_usage() >= 2 * limit and time.monotonic() < deadline:
        time.sleep(0.05)
    assert limit / 8 < memory.cache.get_usage() < 2 * limit
    for store in stores:
        store.close()


def test_memory_for_stores_must_be_some() -> None:
    with pytest.raises(ConfigError, match="must be above 0"):
        RocksMemory(0)
