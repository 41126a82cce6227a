from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from streamapp.demo.flights import FEATURES, Flights, load_flights
from streamapp.demo.model import year_day_ms

COLUMNS = (
    "year", "month", "day", "sched_dep_time", "sched_arr_time", "arr_delay", "carrier", "flight", "origin",
    "dest", "distance",
)  # fmt: skip
WEATHER = (
    "origin", "time_hour", "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib",
)  # fmt: skip


def write(file: io.TextIOBase, head: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    csv.writer(file).writerows([head, *rows])


def tables(
    folder: Path, flights: list[tuple[object, ...]], weather: list[tuple[object, ...]] | None = None
) -> Flights:
    """Load flights from tables of the same form."""
    text = io.StringIO()
    write(text, COLUMNS, flights)
    with zipfile.ZipFile(folder / "flights.csv.zip", "w") as archive:
        archive.writestr("flights.csv", text.getvalue())
    with (folder / "weather.csv").open("w") as file:
        write(file, WEATHER, weather or [])
    with (folder / "airports.csv").open("w") as file:
        airports: list[tuple[object, ...]] = [
            ("IAH", "America/Chicago"), ("LAX", "America/Los_Angeles"), ("BOS", "America/New_York"),
        ]  # fmt: skip
        write(file, ("faa", "tzone"), airports)
    return load_flights(folder)


def ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("flight", "asked", "known", "label"),
    [
        pytest.param(
            (2013, 1, 1, 515, 819, 11, "UA", 1545, "EWR", "IAH", 1400),
            ms(2013, 1, 1, 10, 15), ms(2013, 1, 1, 14, 30), "on-time", id="lands an hour west, 11 late",
        ),
        pytest.param(
            (2013, 1, 1, 515, 819, 15, "UA", 1545, "EWR", "IAH", 1400),
            ms(2013, 1, 1, 10, 15), ms(2013, 1, 1, 14, 34), "on-time", id="15 minutes are not late",
        ),
        pytest.param(
            (2013, 1, 1, 515, 819, 16, "UA", 1545, "EWR", "IAH", 1400),
            ms(2013, 1, 1, 10, 15), ms(2013, 1, 1, 14, 35), "late", id="16 minutes are",
        ),
        pytest.param(
            (2013, 7, 4, 2100, 18, -20, "B6", 1, "JFK", "LAX", 2475),
            ms(2013, 7, 5, 1, 0), ms(2013, 7, 5, 6, 58), "on-time", id="summer time, over midnight",
        ),
        pytest.param(
            (2013, 3, 10, 2330, 25, 0, "B6", 1, "JFK", "BOS", 187),
            ms(2013, 3, 11, 3, 30), ms(2013, 3, 11, 4, 25), "on-time", id="the day the clocks change",
        ),
        pytest.param(
            (2013, 1, 1, 1630, 1815, None, "EV", 4308, "EWR", "BOS", 200),
            ms(2013, 1, 1, 21, 30), ms(2013, 1, 1, 23, 30), "late", id="never lands: known when it is late",
        ),
        pytest.param(
            (2013, 7, 1, 800, 1200, 0, "B6", 701, "JFK", "SJU", 1598),
            ms(2013, 7, 1, 12, 0), ms(2013, 7, 1, 16, 0), "on-time", id="Puerto Rico has no summer time",
        ),
    ],
)  # fmt: skip
def test_when_it_is_asked_and_when_known(
    tmp_path: Path, flight: tuple[object, ...], asked: int, known: int, label: str
) -> None:
    flights = tables(tmp_path, [flight])
    assert (flights.asked_ms.tolist(), flights.known_ms.tolist(), flights.labels.tolist()) == (
        [asked], [known], [label],
    )  # fmt: skip


def test_inputs_are_what_is_known_at_that_hour_and_gaps_stay(tmp_path: Path) -> None:
    flights = tables(
        tmp_path,
        [
            (2013, 1, 5, 659, 900, 0, "UA", 2, "EWR", "BOS", 200),
            (2013, 1, 5, 600, 900, 0, "UA", 1, "EWR", "BOS", 200),
            (2013, 1, 5, 700, 900, 0, "UA", 3, "EWR", "BOS", 200),
            (2013, 1, 5, 600, 900, 0, "AA", 4, "LGA", "BOS", 184),
        ],
        [
            ("EWR", "2013-01-05T11:00:00Z", 30.5, 20, 60, 5, 0, None, 10),
            ("EWR", "2013-01-05T12:00:00Z", 31, 20, 60, 5, 0, 1012, 10),
            ("EWR", "2013-01-05T12:00:00Z", 99, 20, 60, 5, 0, 1012, 10),
        ],
    )
    # Ordered by time, then by id.
    assert flights.ids.tolist() == [
        "AA4-LGA-2013-01-05T11:00Z", "UA1-EWR-2013-01-05T11:00Z",
        "UA2-EWR-2013-01-05T11:59Z", "UA3-EWR-2013-01-05T12:00Z",
    ]  # fmt: skip
    assert tuple(flights.features.columns) == FEATURES
    assert flights.features["temp"].fillna(-1).tolist() == [-1, 30.5, 30.5, 31]
    assert flights.features["pressure"].isna().tolist() == [True, True, True, False]
    assert flights.features["hour"].tolist() == [6, 6, 6, 7]
    assert flights.features["weekday"].tolist() == [5] * 4


def test_the_year_is_whole(year: Flights) -> None:
    assert len(year) == 336_776
    assert len(set(year.ids.tolist())) == len(year)
    assert (np.diff(year.asked_ms) >= 0).all()
    assert (year.known_ms > year.asked_ms).all()
    assert np.mean(year.labels == "late") == pytest.approx(0.2585, abs=1e-4)
    assert year.features["pressure"].isna().mean() == pytest.approx(0.115, abs=1e-3)
    others = [name for name in FEATURES if name not in WEATHER]
    assert not pd.isna(year.features[others]).to_numpy().any()


def test_months_are_cut_out_by_time(year: Flights) -> None:
    january = year.between(0, year_day_ms(2))
    rest = year.between(year_day_ms(2), year_day_ms(13))
    assert len(january) == 27_004
    assert len(january) + len(rest) == len(year)
    assert rest.asked_ms[0] >= year_day_ms(2) > january.asked_ms[-1]
    assert rest.features.index[0] == 0
