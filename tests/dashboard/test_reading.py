from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable

import pytest

from streamapp.dashboard.reading import FOLLOWED, persist
from streamapp.errors import BrokerError
from streamapp.runtime.acls import ACCESS


class Troubled:
    """Runs that end in one way after the other, and are then stopped."""

    def __init__(self, ends: Iterable[Exception | None]) -> None:
        self._ends = iter(ends)
        self.said: list[str] = []

    async def run(self) -> None:
        try:
            end = next(self._ends)
        except StopIteration:
            raise asyncio.CancelledError from None
        if end is not None:
            raise end
        self.said.append("ran")

    def lost(self, reason: str) -> None:
        self.said.append(f"lost: {reason}")

    def failed(self, reason: str) -> None:
        self.said.append(f"failed: {reason}")


def said(*ends: Exception | None) -> list[str]:
    troubled = Troubled(ends)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(persist(troubled, "bikes", retry_s=0.001, most_s=0.01))
    return troubled.said


def test_whatever_goes_wrong_is_said_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    first, second, third, fourth = said(
        BrokerError("no broker"), None, KeyError("Smith"), BrokerError("away")
    )
    assert (first, second, fourth) == ("lost: no broker", "ran", "lost: away")
    place = r"KeyError at tests/dashboard/test_reading.py:\d+"
    assert re.fullmatch(rf"failed: what was read cannot be shown \({place}\); trying again", third)
    (line,) = caplog.messages  # Kafka's outages stand on the page alone
    assert re.fullmatch(rf"bikes cannot be shown: {place}; trying again", line)


def test_it_goes_on_as_often_as_it_fails() -> None:
    assert len(said(*(ValueError() for _ in range(12)))) == 12


def test_what_is_read_is_what_a_viewer_may_read() -> None:
    assert set(FOLLOWED) == set(ACCESS["viewer"].reads)
