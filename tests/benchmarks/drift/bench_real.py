"""Alerts on real streams, and on their rows without drift: ``python tests/benchmarks/drift/bench_real.py``.

The reference is the first part of a stream, in its order. *As it was*: the first alert of each kind on the
rest, at one false alarm per 100,000 rows; nothing is trained anew. *Shuffled*: all rows of the stream in a
random order, or its days, each as it was, so that neighbours depend on each other as ever but nothing drifts.
An alarm is a table of 1,280 rows in which something alarmed; after it the monitor starts over. Beside it, on
the same rows and in the same tables: ADWIN for each column of numbers, and the Kolmogorov-Smirnov test of 640
rows against 4,000 of the reference, Bonferroni .05.

*Wrong units*: the first flights after the reference, of which one column has another unit from row 5,000 on;
rows until an alert names it.

The flights come with the demo. ``DRIFT_DATA`` may hold other streams, one CSV each; those that are not there
are left out.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from river.drift import ADWIN
from scipy.stats import ks_2samp

from streamapp.demo.flights import load_flights
from streamapp.demo.model import year_day_ms
from streamapp.drift import DriftMonitor
from streamapp.profile import Columns, Profile
from streamapp.profile.columns import take_rows

TABLE = 1_280
EVERY = 100_000
UNITS = {
    "temp": ("degrees Celsius", 32, 1.8),
    "pressure": ("inches", 0, 33.86),
    "humid": ("a share", 0, 100),
}
"""What is taken off a value, and what the rest is divided by."""
MOST = 50_000
"""Rows after the reference, of a shuffled stream."""
NAMED = 12
ONE = frozenset({0})
Alarm = Callable[[Columns], bool]


@dataclass(frozen=True)
class Stream:
    """Rows in their order, how many of them are the reference, and the day of each."""

    name: str
    columns: Columns
    reference: int
    day: np.ndarray

    def rows(self, at: np.ndarray) -> Columns:
        """Return some of the rows."""
        return take_rows(self.columns, at)


def main() -> None:
    """Print what each stream raised, then what it raised when shuffled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--peer-seeds", type=int, default=2)
    options = parser.parse_args()
    for stream in streams():
        as_it_was(stream)
        for column in UNITS if stream.name == "flights" else ():
            wrong_unit(stream, column)
        for order in (by_row, by_day):
            if order is by_day and len(np.unique(stream.day)) < 2:
                continue
            found = [alarms(stream, order, streamapp_of, seed) for seed in range(options.seeds)]
            line = [f"streamapp {rate(found)}"]
            for name, peer in (("ADWIN", adwin_of), ("KS", ks_of)):
                counts = [alarms(stream, order, peer, seed) for seed in range(options.peer_seeds)]
                line.append(f"{name} {rate(counts)}")
            what = "rows" if order is by_row else "days"
            print(f"  {what} shuffled, alarms per {EVERY:,} rows: {', '.join(line)}", flush=True)


def streams() -> list[Stream]:
    """Return the flights, and those of the other streams that are there."""
    year = load_flights().between(0, year_day_ms(13))
    january = int(np.searchsorted(year.asked_ms, year_day_ms(2)))
    columns = {str(name): year.features[name].to_numpy() for name in year.features}
    found = [Stream("flights", columns, january, year.asked_ms // 86_400_000)]
    folder = Path(os.environ.get("DRIFT_DATA", "none"))
    for name, per_day, part, dropped, names in (
        ("elec2", 48, 0.15, ("date",), ("day",)),
        ("bike_hourly", 24, 0.2, ("instant", "dteday", "season", "yr", "mnth", "casual", "registered"), ()),
        ("weather", 365, 0.2, (), ()),  # a row is a day: years are shuffled
        ("covtype", 0, 0.1, (), ("wilderness", "soil")),
        ("insects49", 0, 0.2, (), ()),
    ):
        file = folder / f"{name}.csv.gz"
        if file.exists():
            table = pd.read_csv(file).drop(columns=[*dropped, "y"], errors="ignore")
            own = {str(c): table[c].to_numpy(None if c in names else float) for c in table}
            day = np.arange(len(table)) // per_day if per_day else np.zeros(len(table), int)
            found.append(Stream(name, own, int(part * len(table)), day))
    return found


def as_it_was(stream: Stream) -> None:
    """Print the first alert of each kind."""
    n, first = len(stream.day), stream.reference
    monitor = DriftMonitor(Profile.fit(stream.rows(np.arange(first))), false_alarm_every=EVERY, active=ONE)
    print(f"{stream.name}: {n:,} rows, {first:,} of them the reference", flush=True)
    seen, named, opened = set(), dict[str, int](), 0
    for at in range(first, n, 64):
        for alert in monitor.update(stream.rows(np.arange(at, min(at + 64, n)))):
            opened += alert.state == "opened"
            for feature in alert.features if alert.kind == "input" else ():
                named.setdefault(feature.name, at + 64 - first)
            if alert.state == "opened" and alert.kind not in seen:
                seen.add(alert.kind)
                window = 0 if alert.window is None else alert.window.events
                print(f"  {at + 64 - first:>7,} {alert.kind} {alert.severity}, {window:,}: {alert.summary}")
    when = ", ".join(f"{name} {rows:,}" for name, rows in list(named.items())[:NAMED])
    print(f"  {opened} alerts opened; inputs first named after rows: {when}", flush=True)


def wrong_unit(stream: Stream, column: str, quiet: int = 5_000, rows: int = 30_000) -> None:
    """Print how soon an alert names a column whose unit is another one."""
    monitor = DriftMonitor(
        Profile.fit(stream.rows(np.arange(stream.reference))), false_alarm_every=EVERY, active=ONE
    )
    unit, zero, step = UNITS[column]
    live = stream.rows(np.arange(stream.reference, stream.reference + rows))
    live[column][quiet:] = (live[column][quiet:] - zero) / step
    after, at = "not found", 0
    while at < rows and after == "not found":
        named = monitor.update(take_rows(live, np.arange(at, min(at + 64, rows))))
        at += 64
        if at > quiet and any(
            f.name == column for alert in named if alert.kind == "input" for f in alert.features
        ):
            after = f"after {at - quiet:,} rows"
    print(f"  {column} in {unit}: {after}", flush=True)


def by_row(_stream: Stream, rng: np.random.Generator) -> np.ndarray:
    """Return the rows in a random order."""
    return rng.permutation(len(_stream.day))


def by_day(stream: Stream, rng: np.random.Generator) -> np.ndarray:
    """Return the rows of random days."""
    days = np.split(np.arange(len(stream.day)), np.flatnonzero(np.diff(stream.day)) + 1)
    return np.concatenate([days[i] for i in rng.permutation(len(days))])


def alarms(
    stream: Stream,
    order: Callable[[Stream, np.random.Generator], np.ndarray],
    detector: Callable[[Columns], Alarm],
    seed: int,
) -> tuple[int, int]:
    """Return how many tables alarmed, and their rows."""
    at = order(stream, np.random.default_rng([53, seed]))[: stream.reference + MOST]
    alarm, end = detector(stream.rows(at[: stream.reference])), len(at)
    starts = range(stream.reference, end - TABLE + 1, TABLE)
    return sum(alarm(stream.rows(at[own : own + TABLE])) for own in starts), len(starts) * TABLE


def rate(counts: list[tuple[int, int]]) -> str:
    """Return alarms per 100,000 rows, and the alarms."""
    tables, rows = (sum(each) for each in zip(*counts, strict=True))
    return f"{tables * EVERY / max(rows, 1):.2f} ({tables} in {rows:,})"


def streamapp_of(reference: Columns) -> Alarm:
    """Return the default monitor."""
    profile = Profile.fit(reference)
    watch = [DriftMonitor(profile, false_alarm_every=EVERY, active=ONE)]

    def alarm(table: Columns) -> bool:
        opened = any(alert.state == "opened" for alert in watch[0].update(table))
        if opened:
            watch[0] = DriftMonitor(profile, false_alarm_every=EVERY, active=ONE)
        return opened

    return alarm


def adwin_of(reference: Columns) -> Alarm:
    """Return ADWIN for each column, which has seen the newest 4,000 rows of the reference."""
    own = {name: ADWIN() for name in _numbers(reference)}

    def alarm(table: Columns) -> bool:
        found = False
        for name, detector in own.items():
            for value in table[name][~np.isnan(table[name])].tolist():
                detector.update(value)
                found |= detector.drift_detected
        return found

    alarm({name: reference[name][-4_000:] for name in own})
    return alarm


def ks_of(reference: Columns) -> Alarm:
    """Return the test of each column, at 4,000 evenly spaced rows of the reference."""
    names = _numbers(reference)
    every = max(len(reference[names[0]]) // 4_000, 1)
    known = {name: reference[name][::every][~np.isnan(reference[name][::every])] for name in names}

    def alarm(table: Columns) -> bool:
        halves = [{name: np.split(table[name], 2)[half] for name in names} for half in (0, 1)]
        return any(
            ks_2samp(known[name], own[name][~np.isnan(own[name])]).pvalue < 0.05 / len(names)
            for own in halves
            for name in names
            if not np.isnan(own[name]).all()
        )

    return alarm


def _numbers(columns: Columns) -> list[str]:
    return [name for name, values in columns.items() if values.dtype.kind == "f"]


if __name__ == "__main__":
    main()
