"""What the monitor role knows of versions when their store does not answer, or their bundles are bad."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from streamapp.agents import versions
from streamapp.agents.versions import Versions
from streamapp.messages import Champion
from tests.agents.conftest import SOON_S, Store, ask, break_
from tests.integration.conftest import make_bundle


async def is_waited_for(question: Callable[[str], Awaitable[object]], version: str) -> bool:
    """Whether the store has not answered soon."""
    try:
        await asyncio.wait_for(question(version), SOON_S)
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize("leave", [Store.leave, Store.leave_a_mount_point])
def test_a_store_that_is_away_is_waited_for(
    store: Store, caplog: pytest.LogCaptureFixture, leave: Callable[[Store], None]
) -> None:
    record = store.put(make_bundle())
    leave(store)

    async def question(asked: Versions) -> None:
        assert await is_waited_for(asked.watched, record.version)
        assert asked.known(record.version) is None
        store.come_back()
        found = await asked.watched(record.version)
        assert found is not None
        assert asked.known(record.version) is found
        assert asked.profile_of(record.version) is found.profile

    with caplog.at_level(logging.WARNING):
        ask(store, [record], question)
    (said,) = caplog.messages
    assert said.startswith("the bundle of a version is waited for: ")


def test_a_bad_bundle_stays_bad_because_a_log_is_folded_with_it(store: Store) -> None:
    record = store.put(make_bundle())

    async def question(asked: Versions) -> None:
        mend = break_(record)
        assert await asked.watched(record.version) is None
        mend()
        assert await asked.watched(record.version) is None

    ask(store, [record], question)


def test_a_version_without_a_record_cannot_be_watched(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    async def question(asked: Versions) -> None:
        assert await asked.watched("0123456789ab") is None

    ask(store, [], question)
    assert caplog.messages == ["a version cannot be watched: it has no record"]


def test_a_version_that_serves_no_more_is_given_up_with_its_store(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the panes behind its own would wait for ever for a store that nobody brings back."""
    monkeypatch.setattr(versions, "_GIVE_UP_S", 0.0)
    record = store.put(make_bundle())
    store.leave()

    async def question(asked: Versions) -> None:
        assert await is_waited_for(asked.watched, record.version), "it serves"
        asked.log.champion = Champion(version="another", at=0)
        assert await asked.watched(record.version) is None

    ask(store, [record], question)


def test_whoever_asks_meanwhile_waits_for_the_same_answer(store: Store) -> None:
    record = store.put(make_bundle())

    async def question(asked: Versions) -> None:
        first, second = await asyncio.gather(*[asked.watched(record.version) for _ in range(2)])
        assert first is second is not None

    ask(store, [record], question)


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

    ask(store, [record], question)


def test_the_bundle_of_the_champion_is_waited_for_however_long(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_GIVE_UP_S", 0.0)
    record = store.put(make_bundle())
    store.leave()

    async def question(asked: Versions) -> None:
        assert await is_waited_for(asked.bundle, record.version)
        store.come_back()
        found = await asked.bundle(record.version)
        assert found is not None
        assert found.version == record.version
        found.check_golden()
        assert await asked.bundle(record.version) is found

    ask(store, [record], question)


def test_so_is_what_the_champion_is_a_snapshot_of(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bundle is what JUDGE compares with, though it is not what the pointer names."""
    monkeypatch.setattr(versions, "_GIVE_UP_S", 0.0)
    first = store.put(make_bundle())
    latest = first.model_copy(update={"version": "snapshot", "caused_by": first.version})
    store.leave()

    async def question(asked: Versions) -> None:
        assert await is_waited_for(asked.bundle, first.version)

    ask(store, [latest, first], question)


def test_a_bad_champion_is_not_waited_for(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    record = store.put(make_bundle())
    mend = break_(record)

    async def question(asked: Versions) -> None:
        assert await asked.bundle(record.version) is None
        mend()
        assert await asked.bundle(record.version) is None, "not read every time: it may be large"

    with caplog.at_level(logging.WARNING):
        ask(store, [record], question)
    (said,) = caplog.messages
    assert said.startswith("a version cannot be judged: ")


def test_a_bad_champion_that_was_mended_is_had(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "_LOOK_AGAIN_S", 0.0)
    record = store.put(make_bundle())
    mend = break_(record)

    async def question(asked: Versions) -> None:
        assert await asked.bundle(record.version) is None
        mend()
        assert await asked.bundle(record.version) is not None

    ask(store, [record], question)


def test_a_former_champion_whose_store_is_gone_for_good_is_given_up_until_it_serves_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_GIVE_UP_S", 0.0)
    monkeypatch.setattr(versions, "_LOOK_AGAIN_S", 0.0)
    serves, former = store.put(make_bundle()), store.put(make_bundle(2))
    store.leave()

    async def question(asked: Versions) -> None:
        assert await asked.bundle(former.version) is None
        store.come_back()
        assert await asked.bundle(former.version) is None
        asked.log.champion = Champion(version=former.version, at=0)
        assert await asked.bundle(former.version) is not None

    ask(store, [serves, former], question)
