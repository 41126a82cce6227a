from __future__ import annotations

from collections.abc import Iterator

import pytest

from streamapp.runtime.broker import Broker


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """One real Kafka broker for all tests of a session, so topics need names of their own."""
    with Broker() as running:
        yield running
