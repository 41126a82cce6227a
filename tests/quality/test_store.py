from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from streamapp.errors import StoreError
from streamapp.quality.store import KeyValue, MemoryStore, Overlay, RocksStore

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
    assert [key for key, _ in store.scan(b"b", b"d", reverse=True)] == [b"c", b"b"]
    assert list(store.scan(b"x", b"z")) == []


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

    @rule(start=keys, end=keys, reverse=st.booleans(), changes=writes)
    def scan(self, start: bytes, end: bytes, reverse: bool, changes: dict[bytes, bytes | None]) -> None:
        def scanned(store: KeyValue | Overlay) -> list[tuple[bytes, bytes]]:
            return list(store.scan(start, end, reverse=reverse))

        def expected(model: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
            return sorted(((k, v) for k, v in model.items() if start <= k < end), reverse=reverse)

        assert scanned(self.rocks) == scanned(self.memory) == expected(self.model)
        overlay = Overlay(self.rocks)
        for key, value in changes.items():
            if value is None:
                overlay.delete(key)
            else:
                overlay.put(key, value)
        over = {**self.model, **changes}
        assert scanned(overlay) == expected({k: v for k, v in over.items() if v is not None})
        assert {key: overlay.get(key) for key in over} == over

    @invariant()
    def count(self) -> None:
        assert len(self.memory) == len(self.model)

    def teardown(self) -> None:
        self.rocks.close()
        shutil.rmtree(self.folder)


Stores.TestCase.settings = settings(max_examples=8, stateful_step_count=20, deadline=None)
TestStores = Stores.TestCase


@given(changes=writes)
def test_an_overlay_leaves_what_lies_below_untouched(changes: dict[bytes, bytes | None]) -> None:
    base = MemoryStore()
    base.write({b"a": b"1"})
    overlay = Overlay(base)
    for key, value in changes.items():
        overlay.put(key, value or b"")
    assert list(base.scan(b"", b"\xff")) == [(b"a", b"1")]
    assert overlay.writes == {key: value or b"" for key, value in changes.items()}
