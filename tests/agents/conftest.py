"""The versions of a deployment whose store can be away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest

from streamapp.agents import versions
from streamapp.agents.versions import Versions
from streamapp.messages import Champion, Model, ModelState
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

    def put(self, bundle: Bundle, state: ModelState = "champion") -> Model:
        where = self._folder / bundle.version
        return bundle.record(bundle.save(where, key=Keys(self.settings.keys).local()[0]), state)

    def leave(self) -> None:
        """Let a file stand where the folder was: whatever is asked of it is an error of the store."""
        self._folder.rename(self._folder.with_name("away"))
        self._folder.touch()

    def leave_a_mount_point(self) -> None:
        """Let an empty folder stand there, as where nothing is mounted."""
        self._folder.rename(self._folder.with_name("away"))
        self._folder.mkdir()

    def come_back(self) -> None:
        if self._folder.is_dir():
            self._folder.rmdir()
        else:
            self._folder.unlink()
        self._folder.with_name("away").rename(self._folder)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(versions, "_RETRY_S", SOON_S / 10)
    monkeypatch.setattr(versions, "_PATIENCE_S", 0.0)
    return Store(tmp_path)


def ask(store: Store, records: Iterable[Model], question: Callable[[Versions], Awaitable[None]]) -> None:
    """Ask of these versions, the first of which serves."""

    async def run() -> None:
        asked = Versions(Host(store.settings))
        for record in records:
            asked.log.versions[record.version] = record
            asked.log.champion = asked.log.champion or Champion(version=record.version, at=0)
        asked.log.caught_up.set()
        await question(asked)

    asyncio.run(run())


def break_(record: Model) -> Callable[[], object]:
    """Break a bundle, and return what mends it."""
    manifest = Path(record.bundle.removeprefix("file://")) / "manifest.json"
    good = manifest.read_bytes()
    manifest.write_bytes(b"{}")
    return lambda: manifest.write_bytes(good)


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return make_bundle()


@pytest.fixture(scope="session")
def other() -> Bundle:
    return make_bundle(2)
