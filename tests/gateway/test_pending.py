from __future__ import annotations

import asyncio

import pytest

from streamapp.errors import BusyError
from streamapp.gateway.pending import Pending


def test_each_answer_goes_to_its_own_request_in_whatever_order() -> None:
    async def run() -> list[str]:
        pending: Pending[str] = Pending(limit=10)

        async def ask(id: bytes) -> str:
            with pending.admit() as ticket:
                return await ticket.answer(id)

        asked = [asyncio.create_task(ask(b"%d" % i)) for i in range(10)]
        await asyncio.sleep(0)
        for i in reversed(range(10)):
            pending.answered(b"another's-%d" % i, "not mine")
            pending.answered(b"%d" % i, f"answer {i}")
        return await asyncio.gather(*asked)

    assert asyncio.run(run()) == [f"answer {i}" for i in range(10)]


def test_an_answer_that_was_read_before_the_request_was_confirmed_is_found() -> None:
    async def run() -> str:
        pending: Pending[str] = Pending(limit=1)
        with pending.admit() as ticket:
            pending.answered(b"7", "first")
            pending.answered(b"7", "repeated")
            return await ticket.answer(b"7")

    assert asyncio.run(run()) == "first"


def test_a_repeat_after_the_answer_is_passed_over() -> None:
    async def run() -> str:
        pending: Pending[str] = Pending(limit=1)
        with pending.admit() as ticket:
            waiting = asyncio.create_task(ticket.answer(b"7"))
            await asyncio.sleep(0)
            pending.answered(b"7", "first")
            pending.answered(b"7", "repeated")
            answer = await waiting
        pending.answered(b"7", "late")
        assert pending.early == 0
        return answer

    assert asyncio.run(run()) == "first"


def test_early_answers_are_kept_only_for_requests_that_they_may_belong_to() -> None:
    """However busy the topic is: what came before any request that is still on its way set out, goes."""

    async def run() -> None:
        pending: Pending[str] = Pending(limit=10)
        pending.answered(b"nobody asks", "")
        assert pending.early == 0
        with pending.admit() as first:
            pending.answered(b"before the second", "")
            with pending.admit() as second:
                pending.answered(b"after both", "")
                assert pending.early == 2
                waiting = asyncio.create_task(first.answer(b"1"))
                await asyncio.sleep(0)
                assert pending.early == 1  # the second may be what is answered there, not before
                pending.answered(b"1", "one")
                assert await waiting == "one"
                assert await second.answer(b"after both") == ""
        assert pending.early == 0

    asyncio.run(run())


def test_one_more_than_the_limit_is_refused_until_another_leaves() -> None:
    pending: Pending[str] = Pending(limit=2)
    with pending.admit():
        with pending.admit():
            with (
                pytest.raises(BusyError, match="2 requests are in flight, as many as may be"),
                pending.admit(),
            ):
                pass
            assert len(pending) == 2
        with pending.admit():
            assert len(pending) == 2
    assert len(pending) == 0


def test_one_that_gives_up_leaves_nothing_behind() -> None:
    async def run() -> None:
        pending: Pending[str] = Pending(limit=1)

        async def ask() -> None:
            with pending.admit() as ticket:
                await ticket.answer(b"7")

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(), 0.001)
        assert len(pending) == 0
        pending.answered(b"7", "too late")
        assert pending.early == 0
        with pytest.raises(ValueError, match="not sent"), pending.admit():
            raise ValueError("not sent")
        assert len(pending) == 0

    asyncio.run(run())
