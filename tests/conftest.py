from __future__ import annotations

from collections.abc import Iterator

import pytest

from streamapp.runtime.broker import Broker


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests with brokers first: they mostly wait, and the many short ones even the workers out."""

    def waits(item: pytest.Item) -> bool:
        return "integration" in item.path.parts or item.get_closest_marker("broker") is not None

    items.sort(key=waits, reverse=True)


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """One real Kafka broker for all tests of a session, so topics need names of their own."""
    with Broker() as running:
        yield running
