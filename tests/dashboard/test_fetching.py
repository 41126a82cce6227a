from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from streamapp.dashboard.fetching import Fetcher
from streamapp.dashboard.known import KnownVersion
from streamapp.dashboard.state import DeploymentState
from streamapp.errors import IntegrityError, StoreError
from streamapp.messages import CHAMPION_KEY, Champion, InRecord, Model
from tests.dashboard.bikes import bundle
from tests.dashboard.scenes import NOW_MS

MODEL = bundle(1).record("memory://bikes", "champion")
KNOWN = KnownVersion.of(bundle(1))


def state_with(model: Model = MODEL) -> DeploymentState:
    """A deployment that wants the bundle of its champion."""
    state = DeploymentState("bikes")
    pointer = Champion(version=model.version, at=NOW_MS)
    for key, message in ((model.version.encode(), model), (CHAMPION_KEY, pointer)):
        state.take("models", [InRecord(0, 0, NOW_MS, key, message.encode())])
    return state


class Shelf:
    """A store that holds back what it has, or raises it."""

    def __init__(self, *found: KnownVersion | Exception) -> None:
        self._found = list(found)
        self.is_open = threading.Event()
        self.is_open.set()
        self.asked = 0

    def read(self, model: Model) -> KnownVersion:
        self.asked += 1
        assert self.is_open.wait(10)
        found = self._found.pop(0) if len(self._found) > 1 else self._found[0]
        if isinstance(found, Exception):
            raise found
        return found


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.001)


def test_what_is_there_is_known_at_once() -> None:
    async def run() -> None:
        state, late = state_with(), list[str]()
        fetcher = Fetcher(state, Shelf(KNOWN).read, late.append)
        await fetcher.fetch([])
        await fetcher.fetch(state.wanted())
        assert state.wanted() == []
        assert late == []
        assert not state.misses(MODEL.version)
        await fetcher.close()

    asyncio.run(run())


def test_a_slow_store_is_waited_for_a_moment_and_tells_when_it_has_come() -> None:
    async def run() -> None:
        state, late, shelf = state_with(), list[str](), Shelf(KNOWN)
        shelf.is_open.clear()
        fetcher = Fetcher(state, shelf.read, late.append, patience_s=0.01)
        await fetcher.fetch(state.wanted())
        assert state.wanted() == []
        assert state.misses(MODEL.version)
        said = f"the bundle of {MODEL.version} has not come yet: its store is slow"
        assert state.view(NOW_MS).accuracy.unreadable == said
        shelf.is_open.set()
        await until(lambda: late == [MODEL.version])
        assert state.view(NOW_MS).accuracy.unreadable == ""
        await fetcher.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StoreError("s3://bikes is away:\n try later"), "s3://bikes is away: try later"),
        (IntegrityError("the hash differs"), "the hash differs"),
        (ValueError("Smith"), "ValueError at tests/dashboard/test_fetching.py:"),
    ],
)
def test_what_cannot_be_read_is_asked_for_again_and_said_once(
    error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        state, late, shelf = state_with(), list[str](), Shelf(error, error, KNOWN)
        fetcher = Fetcher(state, shelf.read, late.append, retry_s=0.01)
        await fetcher.fetch(state.wanted())
        shown = state.view(NOW_MS).drift.unreadable
        assert shown.startswith(f"the bundle of {MODEL.version} cannot be read here: {said}")
        await until(lambda: late == [MODEL.version])
        assert shelf.asked == 3
        assert not state.misses(MODEL.version)
        await fetcher.close()

    asyncio.run(run())
    (line,) = caplog.messages
    assert said in line


def test_what_is_forgotten_is_not_asked_for_any_more() -> None:
    async def run() -> None:
        state, shelf = state_with(), Shelf(StoreError("away"))
        fetcher = Fetcher(state, shelf.read, lambda version: None, retry_s=0.01)
        other = MODEL.model_copy(update={"version": "c0ffee000000"})
        await fetcher.fetch([other])
        for i in range(12):
            state.know(f"version {i}", "not there")
        assert not state.misses(other.version)
        (trying,) = fetcher._tasks.values()
        await until(trying.done)
        await fetcher.close()

    asyncio.run(run())


def test_closing_ends_what_would_be_tried_for_ever() -> None:
    async def run() -> int:
        state, shelf = state_with(), Shelf(StoreError("away"))
        fetcher = Fetcher(state, shelf.read, lambda version: None, retry_s=60)
        await fetcher.fetch(state.wanted())
        await fetcher.close()
        return len(asyncio.all_tasks())

    assert asyncio.run(run()) == 1
