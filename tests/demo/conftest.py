from __future__ import annotations

import pytest

from streamapp.demo.flights import Flights, load_flights


@pytest.fixture(scope="session")
def year() -> Flights:
    """All flights, from the installed package."""
    return load_flights()
