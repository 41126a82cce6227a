"""Run length without drift, delay with drift, cost: ``python tests/benchmarks/drift/bench_run_length.py``.

A stream of independent rows: a quarter of the columns normal and a quarter lognormal with a common factor, a
quarter counts, a quarter categories, some values missing, and a binary classifier's probabilities. References
of 4,000 rows, of which each run has its own. The run length is events over tables of 1,280 with an alert
opened; after one the monitor starts over. Drift begins after 4,000 quiet events; the delay is counted from
there, at one false alarm per 100,000 events; with ``--every`` at some rates, beside what the thresholds say
of it (:func:`streamapp.drift.delay.delay_ratio`).
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from streamapp.drift import DriftMonitor
from streamapp.drift.delay import delay_ratio
from streamapp.drift.panes import TableCutter
from streamapp.profile import Profile, as_columns

REFERENCE = 4_000
QUIET = 4_000
HORIZON = 6_000
DRIFTS = ("mean1", "mean5", "var5", "cat1", "corr", "missing", "output")
Table = tuple[dict[str, np.ndarray], np.ndarray]


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--events", type=int, default=300_000, help="events per run length, in runs of 30,000"
    )
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--runs", type=int, default=20, help="runs per kind of drift")
    parser.add_argument("--skip-delays", action="store_true")
    parser.add_argument("--every", type=int, nargs="+", help="delays at these rates of false alarms")
    options = parser.parse_args()
    for every in options.every or (10_000, 100_000):
        alarms, runs = run_length(every, options.columns, options.events)
        length = f"{options.events / alarms:,.0f}" if alarms else f"> {options.events:,}"
        print(f"set {every:,}: {alarms} alarms in {options.events:,} events, {runs} references: {length}")
    if options.every and not options.skip_delays:
        rates(options.every, options.columns, options.runs)
        return
    for kind in () if options.skip_delays else DRIFTS:
        delays, named, early = delay(kind, options.columns, options.runs)
        mean = f"{np.mean(delays):.0f}, worst {max(delays)}" if delays else "none"
        print(
            f"{kind}: {len(delays)} of {options.runs} found, mean delay {mean}; named {named}, early {early}"
        )
    print(f"{microseconds(options.columns):.1f} us per event in tables of 6,400, {options.columns} columns")
    print(f"{pane_microseconds(options.columns):.0f} us per closed pane of 64")


def rates(all_every: list[int], columns: int, runs: int) -> None:
    """Print how many were found, and the mean delay, by drift and rate; and what the thresholds say."""
    profile = fitted(np.random.default_rng(7), columns)
    print(f"{'':<10}" + "".join(f"{every:>18,}" for every in all_every))
    computed = (delay_ratio(profile, all_every[0], every) for every in all_every)
    print(f"{'computed':<10}" + "".join(f"{ratio:>18.2f}" for ratio in computed), flush=True)
    for kind in DRIFTS:
        line, first = f"{kind:<10}", None
        for every in all_every:
            delays, _, _ = delay(kind, columns, runs, every)
            mean = float(np.mean(delays)) if delays else np.nan
            first = first or mean
            line += f"{len(delays):>4}/{runs}{mean:>6,.0f}{mean / first:>6.2f}"
        print(line, flush=True)


def rows(rng: np.random.Generator, n: int, columns: int) -> Table:
    """Return `n` rows of the stream: columns, and probabilities (n, 2)."""
    factor = rng.normal(size=n)
    table: dict[str, np.ndarray] = {}
    for i in range(columns):
        match i % 4:
            case 0:
                table[f"c{i}"] = 0.6 * factor + 0.8 * rng.normal(size=n)
            case 1:
                table[f"c{i}"] = np.exp(0.5 * factor + rng.normal(size=n))
                table[f"c{i}"][rng.random(n) < 0.02] = np.nan
            case 2:
                table[f"c{i}"] = rng.poisson(np.exp(1 + 0.3 * factor)).astype(float)
            case _:
                levels = np.array(list("abcdefgh"), dtype=object)
                table[f"c{i}"] = rng.choice(levels, n, p=_zipf(8))
    score = 1 / (1 + np.exp(-(factor + 0.5 * rng.normal(size=n))))
    return table, np.stack([1 - score, score], axis=1)


def drifted(kind: str, rng: np.random.Generator, n: int, columns: int) -> tuple[Table, frozenset[str]]:
    """Return `n` rows after a drift, and the columns that drift."""
    table, outputs = rows(rng, n, columns)
    changed = ["c0"]
    match kind:
        case "mean1":  # one column by half a standard deviation
            table["c0"] += 0.5
        case "mean5":  # five columns by a quarter
            changed = [f"c{i}" for i in range(0, columns, 4)]
            for name in changed:
                table[name] += 0.25
        case "var5":
            changed = [f"c{i}" for i in range(0, columns, 4)]
            for name in changed:
                table[name] *= 1.5
        case "cat1":  # a tenth of all rows goes to the rarest level
            changed = ["c3"]
            table["c3"][rng.random(n) < 0.1] = "h"
        case "corr":  # one column loses its dependence on the others
            table["c0"] = rng.permutation(table["c0"])
        case "missing":  # from 2 to 7 % missing
            changed = ["c1"]
            table["c1"][rng.random(n) < 0.05] = np.nan
        case _:  # log-odds move by one
            changed = ["prediction", "confidence", "probability:yes"]
            odds = outputs[:, 1] / outputs[:, 0] * np.e
            outputs = np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)
    return (table, outputs), frozenset(changed)


def run_length(every: int, columns: int, events: int) -> tuple[int, int]:
    """Return alarms in `events` events without drift, and how many references were taken."""
    alarms, runs = 0, max(1, events // 30_000)
    for seed in range(runs):
        rng = np.random.default_rng([11, seed])
        profile = fitted(rng, columns)
        monitor = DriftMonitor(profile, false_alarm_every=every)
        for _ in range(0, events // runs, 1_280):
            if any(alert.state == "opened" for alert in monitor.update(*rows(rng, 1_280, columns))):
                alarms += 1
                monitor = DriftMonitor(profile, false_alarm_every=every)
    return alarms, runs


def delay(kind: str, columns: int, runs: int, every: int = 100_000) -> tuple[list[int], int, int]:
    """Return delays of the runs that found the drift, how many named the column, and early alarms."""
    delays, named, early = [], 0, 0
    for seed in range(runs):
        rng = np.random.default_rng([13, seed])
        monitor = DriftMonitor(fitted(rng, columns), false_alarm_every=every)
        early += len(monitor.update(*rows(rng, QUIET, columns)))
        table, changed = drifted(kind, rng, HORIZON, columns)
        opened = [alert for alert in monitor.update(*table) if alert.state == "opened"]
        if opened and opened[0].window:
            delays.append(opened[0].window.to + 1 - QUIET)
            named += any(feature.name in changed for feature in opened[0].features)
    return delays, named, early


def microseconds(columns: int) -> float:
    """Return the cost per event, summary included, the best of five."""
    rng = np.random.default_rng(5)
    monitor, table = DriftMonitor(fitted(rng, columns)), rows(rng, 6_400, columns)
    monitor.update(*table)
    return min(_timed(lambda: monitor.update(*table)) for _ in range(5)) / 6_400 * 1e6


def pane_microseconds(columns: int) -> float:
    """Return the cost of one closed pane, of which the summary is there already."""
    rng = np.random.default_rng(5)
    profile = fitted(rng, columns)
    monitor, cut = DriftMonitor(profile), list(TableCutter(profile).cut(*rows(rng, 6_400, columns)))
    return min(_timed(lambda: [monitor.add(pane) for pane in cut]) for _ in range(5)) / len(cut) * 1e6


def fitted(rng: np.random.Generator, columns: int) -> Profile:
    """Return a profile of fresh reference rows."""
    table, outputs = rows(rng, REFERENCE, columns)
    return Profile.fit(as_columns(table), outputs, classes=["no", "yes"])


def _timed(call: object) -> float:
    assert callable(call)
    start = time.process_time()
    call()
    return time.process_time() - start


def _zipf(levels: int) -> np.ndarray:
    weights = 1 / np.arange(1, levels + 1)
    return np.asarray(weights / weights.sum())


if __name__ == "__main__":
    main()
