"""What the monitor role knows of versions when their store does not answer, or their bundles are bad."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from streamapp.agents import versions
from streamapp.agents.versions import Versions
from streamapp.messages import Champion, Model
from streamapp.models import Bundle, Keys
from streamapp.runtime.host import Host
from streamapp.settings import Settings
from tests.integration.conftest import make_bundle

SOON_S = 0.05


class Store:
    """A folder that can be away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "store"
        self.settings = Settings.of(
            name="it", role="monitor", store=str(self._folder), keys=folder / "keys", state_dir=folder
        )

    def put(self, bundle: Bundle) -> Model:
        where = self._folder / bundle.version
        return bundle.record(bundle.save(where, key=Keys(self.settings.keys).local()[0]), "champion")

    def leave(self) -> None:
        """Let a file stand where the folder was: whatever is asked of it is an error of the store."""
        self._folder.rename(self._folder.with_name("away"))
        self._folder.touch()

    def come_back(self) -> None:
        self._folder.unlink()
        self._folder.with_name("away").rename(self._folder)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(versions, "_RETRY_S", SOON_S / 10)
    monkeypatch.setattr(versions, "_PATIENCE_S", 0.0)
    return Store(tmp_path)


def ask(store: Store, record: Model | None, question: Callable[[Versions], Awaitable[None]]) -> None:
    """Ask of versions among which `record` serves."""

    async def run() -> None:
        asked = Versions(Host(store.settings))
        if record is not None:
            asked.log.versions[record.version] = record
            asked.log.champion = Champion(version=record.version, at=0)
        asked.log.caught_up.set()
        await question(asked)

    asyncio.run(run())


async def gives_up(asked: Versions, version: str) -> bool:
    try:
        await asyncio.wait_for(asked.watched(version), SOON_S)
    except TimeoutError:
        return True
    return False


def test_a_store_that_is_away_is_waited_for(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    record = store.put(make_bundle())
    store.leave()

    async def question(asked: Versions) -> None:
        assert await gives_up(asked, record.version)
        assert asked.known(record.version) is None
        store.come_back()
        found = await asked.watched(record.version)
        assert found is not None
        assert asked.known(record.version) is found
        assert asked.profile_of(record.version) is found.profile

    with caplog.at_level(logging.WARNING):
        ask(store, record, question)
    (said,) = caplog.messages
    assert said.startswith("the bundle of a version is waited for: ")


def test_a_bad_bundle_stays_bad_because_a_log_is_folded_with_it(store: Store) -> None:
    record = store.put(make_bundle())

    async def question(asked: Versions) -> None:
        manifest = Path(record.bundle.removeprefix("file://")) / "manifest.json"
        good = manifest.read_bytes()
        manifest.write_bytes(b"{}")
        assert await asked.watched(record.version) is None
        manifest.write_bytes(good)
        assert await asked.watched(record.version) is None

    ask(store, record, question)


def test_a_version_without_a_record_cannot_be_watched(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    async def question(asked: Versions) -> None:
        assert await asked.watched("0123456789ab") is None

    ask(store, None, question)
    assert caplog.messages == ["a version cannot be watched: it has no record"]


def test_a_version_that_serves_no_more_is_given_up_with_its_store(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the panes behind its own would wait for ever for a store that nobody brings back."""
    monkeypatch.setattr(versions, "_GIVE_UP_S", 0.0)
    record = store.put(make_bundle())
    store.leave()

    async def question(asked: Versions) -> None:
        assert await gives_up(asked, record.version), "it serves"
        asked.log.champion = Champion(version="another", at=0)
        assert await asked.watched(record.version) is None

    ask(store, record, question)


def test_whoever_asks_meanwhile_waits_for_the_same_answer(store: Store) -> None:
    record = store.put(make_bundle())

    async def question(asked: Versions) -> None:
        first, second = await asyncio.gather(*[asked.watched(record.version) for _ in range(2)])
        assert first is second is not None

    ask(store, record, question)


def test_what_is_known_of_the_newest_versions_that_were_asked_for_is_kept(store: Store) -> None:
    record, names = store.put(make_bundle()), [f"v{i}" for i in range(30)]

    async def question(asked: Versions) -> None:
        asked.log.versions |= {name: record.model_copy(update={"version": name}) for name in names}
        assert await asked.watched("bad") is None
        for name in names:
            assert await asked.watched(name) is not None
            first = await asked.watched("v0")
        asked.forget_watched()
        assert [name for name in names if asked.known(name)] == ["v0", *names[-7:]]
        assert asked.known("v0") is first
        asked.log.versions["bad"] = record
        assert await asked.watched("bad") is None, "that is final"
        assert asked.profile_of("v5") is None
        assert await asked.watched("v5") is not None
        assert asked.profile_of("v5") is not None

    ask(store, record, question)
