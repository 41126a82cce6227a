"""Whom JUDGE follows: it waits for champions, and is held up by nobody else."""

from __future__ import annotations

import asyncio

import pytest

from streamapp.agents import lineup, patience
from streamapp.agents.lineup import Lineup, Lineups
from streamapp.agents.versions import Versions
from streamapp.messages import Champion, Model
from streamapp.models import Bundle
from streamapp.rollout import Judge
from streamapp.runtime.host import Host
from tests.agents.conftest import SOON_S, Store, ask, break_
from tests.rollout.conftest import SETTINGS

CHECKED = {"predict-ms": 1.0}
"""Scores of a challenger that has passed its checks: nothing is written of it."""


@pytest.fixture
def judge() -> Judge:
    return Judge("it", **SETTINGS)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_LOOK_EVERY_S", SOON_S / 10)
    monkeypatch.setattr(lineup, "_RETRY_S", 0.0)


def challenger(store: Store, bundle: Bundle) -> Model:
    return store.put(bundle, "challenger").model_copy(update={"scores": CHECKED})


async def is_waiting(lineups: Lineups, judge: Judge) -> bool:
    """Whether there is no lineup before the store is said to be waited for."""
    newest = asyncio.create_task(lineups.newest(judge))
    while not newest.done() and lineups.patience.waits_for is None:
        await asyncio.sleep(0.001)
    return newest.cancel()


def follow(judge: Judge, found: Lineup | None) -> None:
    assert found is not None
    judge.follow(found.champion, found.challengers, found.former)


def test_without_a_pointer_nobody_takes_part(store: Store, judge: Judge) -> None:
    async def question(asked: Versions) -> None:
        assert await Lineups(Host(store.settings), asked).newest(judge) is None

    ask(store, [], question)


def test_the_champion_is_waited_for(store: Store, judge: Judge, bundle: Bundle) -> None:
    serves = store.put(bundle)
    store.leave()

    async def question(asked: Versions) -> None:
        lineups = Lineups(Host(store.settings), asked)
        assert await is_waiting(lineups, judge)
        store.come_back()
        found = await lineups.newest(judge)
        assert found is not None
        assert (found.serving, found.champion.version) == (serves.version, serves.version)
        assert (dict(found.challengers), dict(found.former)) == ({}, {})
        assert await lineups.newest(judge) is found, "nothing is new"

    ask(store, [serves], question)


def test_so_are_those_that_served_before_it(
    store: Store, judge: Judge, bundle: Bundle, other: Bundle
) -> None:
    """Without the one before, nobody would guard the champion."""
    serves, former = store.put(other), store.put(bundle)

    async def question(asked: Versions) -> None:
        asked.log.champion = Champion(version=former.version, at=0)
        follow(judge, await Lineups(Host(store.settings), asked).newest(judge))
        asked.log.champion = Champion(version=serves.version, at=1)
        asked.forget(set())  # as after a restart
        assert await asked.bundle(serves.version) is not None
        store.leave()
        lineups = Lineups(Host(store.settings), asked)
        assert await is_waiting(lineups, judge)
        store.come_back()
        found = await lineups.newest(judge)
        assert found is not None
        assert set(found.former) == {former.version}

    ask(store, [serves, former], question)


def test_challengers_are_not_and_are_looked_at_again(
    store: Store, judge: Judge, bundle: Bundle, other: Bundle
) -> None:
    serves, waits = store.put(bundle), challenger(store, other)

    async def question(asked: Versions) -> None:
        assert await asked.bundle(serves.version) is not None
        store.leave()
        lineups = Lineups(Host(store.settings), asked)
        found = await lineups.newest(judge)
        assert found is not None
        assert dict(found.challengers) == {}
        store.come_back()
        found = await lineups.newest(judge)
        assert found is not None
        assert set(found.challengers) == {waits.version}

    ask(store, [serves, waits], question)


def test_where_the_champion_is_bad_the_one_before_goes_on_after_a_restart_too(
    store: Store, judge: Judge, bundle: Bundle, other: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it goes on answering; and the champion is followed once it is mended."""
    monkeypatch.setattr("streamapp.agents.versions._LOOK_AGAIN_S", 0.0)
    bad, before = store.put(other), store.put(bundle)
    mend = break_(bad)

    async def question(asked: Versions) -> None:
        asked.log.champion = Champion(version=before.version, at=0)
        follow(judge, await Lineups(Host(store.settings), asked).newest(judge))
        asked.log.champion = Champion(version=bad.version, at=1)
        again = Judge.restore(judge.snapshot(), "it", **SETTINGS)
        lineups = Lineups(Host(store.settings), asked)
        found = await lineups.newest(again)
        follow(again, found)
        assert found is not None
        assert (found.serving, again.champion, again.shadows(before.version)) == (
            before.version, before.version, (),
        )  # fmt: skip
        mend()
        found = await lineups.newest(again)
        assert found is not None
        assert found.serving == bad.version

    ask(store, [bad, before], question)


def test_where_nobody_served_before_a_bad_champion_nobody_is_followed(
    store: Store, judge: Judge, bundle: Bundle
) -> None:
    bad = store.put(bundle)
    break_(bad)

    async def question(asked: Versions) -> None:
        assert await Lineups(Host(store.settings), asked).newest(judge) is None

    ask(store, [bad], question)
