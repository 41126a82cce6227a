from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from streamapp.agents.verdicts import Verdicts
from streamapp.drift import Watch
from streamapp.errors import StoreError
from streamapp.messages import Alert

ALERT = Alert.parse(
    {
        "id": "a1",
        "state": "opened",
        "kind": "output",
        "subject": "busy",
        "summary": "busy has moved",
        "window": {"from": 0, "to": 9, "events": 10, "partitions": {"0": [0, 10]}},
        "opened_at": 0,
        "updated_at": 0,
    }
)


class Versions:
    """Fails as the reading and the numerics of rows may."""

    def __init__(self, failure: BaseException) -> None:
        self._failure = failure

    async def watched(self, version: str) -> Any:
        raise self._failure


def verdicts(failure: BaseException) -> Any:
    versions: Any = Versions(failure)
    host: Any = SimpleNamespace()
    watch = Watch("bikes")
    watch.version = "v1"
    return Verdicts(host, versions).of(ALERT, watch)


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (StoreError("the store does not answer"), "the store does not answer"),
        (ValueError("Input X contains 'Smith'"), "ValueError at"),
        (ZeroDivisionError(), "ZeroDivisionError at"),
        (TimeoutError(), "it took too long"),
    ],
)
def test_whatever_fails_there_is_no_verdict_and_one_line(
    failure: BaseException, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "streamapp")
    assert asyncio.run(verdicts(failure)).cause == "no-verdict"
    (line,) = caplog.records
    assert line.getMessage().startswith(f"no verdict on an alert: {why}")
    assert "Smith" not in line.getMessage()
    assert vars(line)["alert"] == "a1"


def test_a_process_that_ends_is_not_held_up() -> None:
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(verdicts(asyncio.CancelledError()))
