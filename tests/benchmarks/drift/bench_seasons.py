"""A daily cycle and the drift on top of it: ``python tests/benchmarks/drift/bench_seasons.py``.

Ten columns of noise with sd 1, three of them with a daily cycle of amplitude 1. References of 20 days with
480 rows each, of which each run has its own: as one of known hours, as one of rows in their order, as one of
rows in no order. False alarms over tables of 1,280 with an alert opened, set to one in 10,000 events; after
one the monitor starts over. Drift: a column with a cycle moves by half an sd of its noise after a quiet day;
the delay is counted from there, at one false alarm in 100,000, until an alert names the column, be it for the
drift or for the hour.
"""

from __future__ import annotations

import argparse

import numpy as np

from streamapp.drift import DriftMonitor
from streamapp.profile import Columns, Profile
from streamapp.profile.season import DAY_MS

EVERY = 10_000
START_MS = 1_700_000_000_000
REFERENCE_DAYS, REFERENCE_PER_DAY = 20, 480
WAYS = ("by the hour", "as a whole, in order", "as a whole, in no order")


def main() -> None:
    """Print a table: the false alarms of each way to compare, and how soon it finds the drift."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--references", type=int, default=20)
    parser.add_argument("--per-day", type=int, default=4_000, help="live rows a day")
    options = parser.parse_args()
    print(f"{options.references} references, {options.per_day:,} live rows a day")
    for way in WAYS:
        alarms = events = 0
        delays: list[int] = []
        for seed in range(options.references):
            profile = fitted(way, seed)
            opened, judged = false_alarms(profile, seed, options.per_day)
            alarms, events = alarms + opened, events + judged
            delays += delay(profile, seed, options.per_day)
        rate = f"{alarms} alarms in {events:,} events, {alarms * EVERY / events:.2f} times the set rate"
        found = f"found in {len(delays)} of {options.references}"
        if delays:
            found += f", after {np.mean(delays):,.0f} events, at most {max(delays):,}"
        print(f"{way}: {rate}; .5 sd {found}")


def fitted(way: str, seed: int) -> Profile:
    """Return a profile of fresh reference rows."""
    table, times = rows([seed, 1], REFERENCE_DAYS, REFERENCE_PER_DAY, START_MS)
    if way == WAYS[0]:
        return Profile.fit(table, times=times)
    return Profile.fit(table, ordered=way == WAYS[1])


def live(seed: int, per_day: int, days: int) -> tuple[Columns, np.ndarray]:
    """Return the rows of some days that begin at another hour in each run."""
    return rows([seed, 2], days, per_day, START_MS + int((22 + seed / 20) * DAY_MS))


def rows(seed: list[int], days: int, per_day: int, first_ms: int) -> tuple[Columns, np.ndarray]:
    """Return rows of the stream, and their event times."""
    rng = np.random.default_rng(seed)
    times = first_ms + np.sort(rng.integers(0, days * DAY_MS, days * per_day))
    table = rng.normal(size=(10, len(times)))
    for i in range(3):
        table[i] += np.sin(2 * np.pi * times / DAY_MS + i)
    return {f"c{i}": own for i, own in enumerate(table)}, times


def false_alarms(profile: Profile, seed: int, per_day: int) -> tuple[int, int]:
    """Return alarms without drift, and the events that they came in."""
    table, times = live(seed, per_day, 5)
    alarms, monitor = 0, DriftMonitor(profile, false_alarm_every=EVERY)
    for at in range(0, len(times), 1_280):
        part = slice(at, at + 1_280)
        alerts = monitor.update({name: own[part] for name, own in table.items()}, times=times[part])
        if any(alert.state == "opened" for alert in alerts):
            alarms, monitor = alarms + 1, DriftMonitor(profile, false_alarm_every=EVERY)
    return alarms, len(times)


def delay(profile: Profile, seed: int, per_day: int) -> list[int]:
    """Return the events until an alert names the column that has moved; none if none does in two days."""
    table, times = live(seed + 1_000, per_day, 3)
    table["c0"] = table["c0"] + np.where(np.arange(len(times)) >= per_day, 0.5, 0.0)
    monitor = DriftMonitor(profile)
    for at in range(0, len(times), 64):
        part = slice(at, at + 64)
        alerts = monitor.update({name: own[part] for name, own in table.items()}, times=times[part])
        named = {feature.name for alert in alerts if alert.kind == "input" for feature in alert.features}
        if "c0" in named and at >= per_day:
            return [at + 64 - per_day]
    return []


if __name__ == "__main__":
    main()
