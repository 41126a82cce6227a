"""A fold waits for the store, says so, and lets go when partitions move."""

from __future__ import annotations

import asyncio

import pytest

from streamapp.agents import patience
from streamapp.agents.patience import Patience
from streamapp.errors import StoreError
from streamapp.runtime.host import Host
from tests.agents.conftest import SOON_S, Store


@pytest.fixture
def host(store: Store, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(patience, "_LOOK_EVERY_S", SOON_S / 10)
    return Host(store.settings)


def test_it_says_what_it_waits_for_until_there_is_an_answer(host: Host) -> None:
    waiting = Patience(host)
    asked: list[str] = []

    async def at_the_third_time(version: str) -> str:
        asked.append(version)
        if len(asked) < 3:
            await asyncio.Event().wait()
        assert waiting.waits_for == "v1"
        return "answer"

    assert asyncio.run(waiting.ask(at_the_third_time, "v1")) == "answer"
    assert (asked, waiting.waits_for) == (["v1"] * 3, None)


def test_what_is_known_is_no_waiting(host: Host) -> None:
    waiting = Patience(host)

    async def at_once(version: str) -> str | None:
        return waiting.waits_for

    assert asyncio.run(waiting.ask(at_once, "v1")) is None


def test_it_gives_up_when_partitions_move(host: Host) -> None:
    """A rebalance waits for the records that wait here."""
    waiting = Patience(host)

    async def never(version: str) -> None:
        await asyncio.Event().wait()

    async def move() -> None:
        while waiting.waits_for != "v1":
            await asyncio.sleep(0.001)
        host.app.rebalancing = True

    async def run() -> None:
        with pytest.raises(StoreError, match="the bundle of version v1 is away, and partitions move"):
            await asyncio.gather(waiting.ask(never, "v1"), move())

    asyncio.run(run())
    assert waiting.waits_for is None
