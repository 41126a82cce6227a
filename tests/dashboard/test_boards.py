from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from streamapp.dashboard.boards import Boards
from streamapp.dashboard.state import DeploymentState
from streamapp.dashboard.view import Contact
from streamapp.errors import BrokerError

HOUR_S = 3_600
NOW_MS = 1_700_000_000_000


class Cluster:
    """Deployments that come and go, who is followed, and a time that is set by hand."""

    def __init__(self, *names: str) -> None:
        self.names: Sequence[str] = names
        self.trouble: Exception | None = None
        self.followed: list[str] = []
        self.seconds = 0.0

    async def find(self) -> Sequence[str]:
        if self.trouble is not None:
            raise self.trouble
        return self.names

    async def follow(self, state: DeploymentState) -> None:
        self.followed.append(state.name)
        try:
            await asyncio.Event().wait()
        finally:
            self.followed.remove(state.name)

    def now_ms(self) -> int:
        return NOW_MS + int(1_000 * self.seconds)

    def boards(self, *, named: bool = False) -> Boards:
        return Boards(
            self.names,
            self.follow,
            None if named else self.find,
            now_ms=self.now_ms,
            clock=lambda: self.seconds,
        )


def test_a_deployment_is_followed_once_and_from_its_first_page_on() -> None:
    async def run() -> None:
        cluster = Cluster("bikes", "flights")
        boards = cluster.boards()
        board = boards.get("flights")
        assert boards.get("flights") is board
        await asyncio.sleep(0)
        assert cluster.followed == ["flights"]
        await boards.close()
        assert cluster.followed == []

    asyncio.run(run())


def test_deployments_that_come_and_go_are_noticed() -> None:
    async def run() -> None:
        cluster = Cluster("bikes")
        boards = cluster.boards()
        cluster.names = ["bikes", "flights"]
        await boards.look()
        assert list(boards.names) == ["bikes", "flights"]
        cluster.names = []
        await boards.look()
        assert list(boards.names) == []

    asyncio.run(run())


@pytest.mark.parametrize("trouble", [BrokerError("no broker"), KeyError("x")])
def test_while_they_cannot_be_looked_for_those_that_are_known_stay(
    trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        cluster = Cluster("bikes")
        boards = cluster.boards()
        cluster.trouble, cluster.names = trouble, ["flights"]
        await boards.look()
        assert boards.names == ("bikes",)
        cluster.trouble = None
        await boards.look()
        assert boards.names == ("flights",)

    asyncio.run(run())
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("named", [False, True])
def test_who_is_not_looked_at_for_an_hour_is_let_go_unless_named(named: bool) -> None:
    async def run() -> None:
        cluster = Cluster("bikes", "flights")
        boards = cluster.boards(named=named)
        looked_at, left = boards.get("bikes"), boards.get("flights")
        await asyncio.sleep(0)
        cluster.seconds = HOUR_S
        await boards.look()
        assert cluster.followed == ["bikes", "flights"]
        looked_at.view()
        cluster.seconds = HOUR_S + 1
        await boards.look()
        assert cluster.followed == (["bikes", "flights"] if named else ["bikes"])
        assert boards.get("bikes") is looked_at
        assert (boards.get("flights") is left) == named  # begins anew when somebody comes back
        assert boards.names == ("bikes", "flights")
        await boards.close()

    asyncio.run(run())


def test_how_it_is_elsewhere_is_told_without_following_or_looking_at_it() -> None:
    async def run() -> None:
        cluster = Cluster("bikes", "flights")
        boards = cluster.boards()
        left = boards.get("bikes")
        assert boards.tone("flights") == "unknown"
        assert boards.tone("bikes") == "unknown"
        left.state.contact = Contact("gone", NOW_MS, "no broker at kafka:9092")
        cluster.seconds = 10
        assert boards.tone("bikes") == "unknown"  # as of a moment ago
        cluster.seconds = 11
        assert boards.tone("bikes") == "bad"
        await asyncio.sleep(0)
        assert cluster.followed == ["bikes"]
        cluster.seconds = HOUR_S + 1
        await boards.look()
        assert cluster.followed == []
        await boards.close()

    asyncio.run(run())


def test_the_pages_are_well_while_kafka_was_reached_lately() -> None:
    async def run() -> None:
        cluster = Cluster("bikes", "flights")
        boards = cluster.boards(named=True)
        assert boards.fault() is None
        cluster.seconds = 90
        assert boards.fault() is None
        cluster.seconds = 91
        assert boards.fault() == "Kafka was last reached at 2023-11-14T22:13:20Z"
        boards.get("bikes").state.contact = Contact("gone")
        assert boards.fault() is not None
        boards.get("flights").state.contact = Contact("reading", cluster.now_ms())
        assert boards.fault() is None
        boards.get("flights").state.contact = Contact(
            "gone", cluster.now_ms() - 90_000, "no broker at kafka:9092"
        )
        assert boards.fault() is None
        cluster.seconds += 1
        assert boards.fault() == "Kafka was last reached at 2023-11-14T22:13:21Z"
        await boards.close()

    asyncio.run(run())


def test_without_pages_looking_for_deployments_reaches_kafka() -> None:
    async def run() -> None:
        cluster = Cluster("bikes")
        boards = cluster.boards()
        cluster.seconds = 91
        await boards.look()
        assert boards.fault() is None
        cluster.trouble = BrokerError("no broker at kafka:9092")
        cluster.seconds += 91
        await boards.look()
        fault = boards.fault()
        assert fault is not None
        assert "9092" not in fault  # anybody may read it

    asyncio.run(run())
