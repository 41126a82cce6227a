"""Target drift: run length, delay, cost: ``python tests/benchmarks/drift/bench_target.py``.

A stream of independent labelled rows of two classes, 30 % of them ``yes``: columns are normal, lognormal,
counts and categories by turns, half of them depend on the class. References of 4,000 rows, of which each run
has its own. The run length is labelled rows over tables of 1,280 with an alert opened; after one the monitor
starts over. Then the same for all that JUDGE says of labels together, each with its part of the budget:
target drift, and the 0/1 losses of a model that is wrong in 10 % of one class and 25 % of the other, of all
rows and of the levels of the categories. Drift begins after 4,000 quiet rows; the delay is counted from
there, at one false alarm per 50,000 rows: the part that target drift has of one per 10,000.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np

from streamapp.drift.labelled_panes import Places
from streamapp.drift.target import TargetMonitor
from streamapp.messages import Alert
from streamapp.models import Baseline
from streamapp.profile import Columns, Profile
from streamapp.quality.segmented_monitor import SegmentedLossMonitor
from streamapp.rollout.target_watch import ACCURACY_SHARE

REFERENCE = 4_000
QUIET = 4_000
HORIZON = 6_000
SHARE = 0.3
Table = tuple[Columns, np.ndarray]


def main() -> None:
    """Print run length, delays and cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400_000, help="rows of the run length")
    parser.add_argument("--references", type=int, default=20)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--runs", type=int, default=20, help="runs per kind of drift")
    options = parser.parse_args()
    every = 10_000
    alarms, rows_ = run_length(every, options.columns, options.rows, options.references)
    length = f"{rows_ / alarms:,.0f}" if alarms else f"> {rows_:,}"
    print(f"set {every:,}: {alarms} alarms in {rows_:,} rows, {options.references} references: {length}")
    of_losses, of_target, rows_ = together(every, options.columns, options.rows, options.references)
    length = f"{rows_ / (of_losses + of_target):,.0f}" if of_losses + of_target else f"> {rows_:,}"
    print(f"together, set {every:,}: {of_losses} of accuracy and {of_target} of the target: {length}")
    for kind in ("label", "given", "both"):
        delays, named, early = delay(kind, options.columns, options.runs)
        mean = f"{np.mean(delays):.0f}, worst {max(delays)}" if delays else "none"
        print(
            f"{kind}: {len(delays)} of {options.runs} found, mean delay {mean}; named {named}, early {early}"
        )
    for columns, classes in ((options.columns, 2), (20, 2), (20, 10)):
        print(f"{columns} columns, {classes} classes: {milliseconds(columns, classes):.2f} ms per 64 rows")


def rows(rng: np.random.Generator, n: int, columns: int, share: float = SHARE, classes: int = 2) -> Table:
    """Return `n` rows of the stream, and their labels."""
    rest = (1 - share) / (classes - 1)
    names = np.array(["no", "yes", *(f"class{i}" for i in range(2, classes))], dtype=object)
    of = rng.choice(classes, n, p=[rest, share, *[rest] * (classes - 2)])
    table: Columns = {}
    for i in range(columns):
        moved = np.where(of == 1, 0.5, 0.0) if i % 2 == 0 else np.zeros(n)
        match i % 4:
            case 0:
                table[f"c{i}"] = moved + rng.normal(size=n)
            case 1:
                table[f"c{i}"] = np.exp(rng.normal(size=n))
                table[f"c{i}"][rng.random(n) < 0.02] = np.nan
            case 2:
                table[f"c{i}"] = rng.poisson(np.exp(1 + moved)).astype(float)
            case _:
                table[f"c{i}"] = rng.choice(np.array(list("abcdef"), dtype=object), n, p=_zipf(6))
    return table, names[of]


def drifted(kind: str, rng: np.random.Generator, n: int, columns: int) -> tuple[Table, str]:
    """Return `n` rows after a drift, and how the names of what drifts begin."""
    if kind == "label":  # the share of a class goes from .3 to .4
        return rows(rng, n, columns, share=0.4), "target"
    table, labels = rows(rng, n, columns)
    if kind == "given":  # one column moves by half a standard deviation within the rarer class
        table["c0"] += np.where(labels == "yes", 0.5, 0.0)
    else:  # the same, and the other class moves so much back that the mean of all rows stays
        table["c0"] += np.where(labels == "yes", 0.5, -0.5 * SHARE / (1 - SHARE))
    return (table, labels), "c0|"


def monitor_of(rng: np.random.Generator, columns: int, every: int, classes: int = 2) -> TargetMonitor:
    """Return a monitor against fresh reference rows."""
    table, labels = rows(rng, REFERENCE, columns, _share(classes), classes)
    profile = Profile.fit(table, y=labels, classes=sorted(set(labels.tolist())))
    return TargetMonitor(profile, false_alarm_every=every, noted_every=every, clear_after=5_000)


def judge(monitor: TargetMonitor, table: Table, first: int = 0) -> list[Alert]:
    """Return what changes, each row being requested in the millisecond of its number."""
    columns, labels = table
    at = first + np.arange(len(labels))
    places = Places(at, np.zeros_like(at), at)
    return [alert for _, alert in monitor.judge(labels, columns, np.ones(len(at), dtype=bool), places)]


def run_length(every: int, columns: int, total: int, references: int) -> tuple[int, int]:
    """Return alarms without drift, and in how many rows."""
    alarms, seen = 0, 0
    for seed in range(references):
        rng = np.random.default_rng([17, seed])
        state = rng.bit_generator.state
        monitor = monitor_of(rng, columns, every)
        for _ in range(0, total // references, 1_280):
            seen += 1_280
            if any(alert.state == "opened" for alert in judge(monitor, rows(rng, 1_280, columns))):
                alarms += 1
                again = np.random.default_rng()
                again.bit_generator.state = state
                monitor = monitor_of(again, columns, every)
    return alarms, seen


def together(every: int, columns: int, total: int, references: int) -> tuple[int, int, int]:
    """Return alarms of accuracy with its segments, those of the target, and in how many rows."""
    of_losses, of_target, seen = 0, 0, 0
    target_every = math.ceil(every / (1 - ACCURACY_SHARE))
    for seed in range(references):
        rng = np.random.default_rng([31, seed])
        baseline = Baseline.of_losses("zero-one", *losses(rng, rows(rng, REFERENCE, columns)))
        accuracy = SegmentedLossMonitor(baseline, math.ceil(every / ACCURACY_SHARE))
        state = rng.bit_generator.state
        monitor = monitor_of(rng, columns, target_every)
        for _ in range(0, total // references, 1_280):
            seen += 1_280
            table = rows(rng, 1_280, columns)
            of_losses += len(accuracy.alarms(*losses(rng, table)))
            if any(alert.state == "opened" for alert in judge(monitor, table)):
                of_target += 1
                again = np.random.default_rng()
                again.bit_generator.state = state
                monitor = monitor_of(again, columns, target_every)
    return of_losses, of_target, seen


def losses(rng: np.random.Generator, table: Table) -> tuple[np.ndarray, Columns]:
    """Return losses of the rows, and the columns whose levels are segments."""
    columns, labels = table
    wrong = rng.random(len(labels)) < np.where(labels == "yes", 0.25, 0.1)
    return wrong.astype(float), {name: own for name, own in columns.items() if own.dtype == object}


def delay(kind: str, columns: int, runs: int) -> tuple[list[int], int, int]:
    """Return delays of the runs that found the drift, how many named it, and early alarms."""
    delays, named, early = [], 0, 0
    for seed in range(runs):
        rng = np.random.default_rng([19, seed])
        monitor = monitor_of(rng, columns, 50_000)
        early += len(judge(monitor, rows(rng, QUIET, columns)))
        table, subject = drifted(kind, rng, HORIZON, columns)
        opened = [alert for alert in judge(monitor, table, QUIET) if alert.state == "opened"]
        if opened and opened[0].window:
            delays.append(opened[0].window.to + 1 - QUIET)
            named += any(feature.name.startswith(subject) for feature in opened[0].features)
    return delays, named, early


def milliseconds(columns: int, classes: int) -> float:
    """Return the cost of 64 labelled rows in tables of 640, the best of five."""
    rng = np.random.default_rng(23)
    monitor = monitor_of(rng, columns, 50_000, classes)
    tables = [rows(rng, 640, columns, _share(classes), classes) for _ in range(20)]
    best = np.inf
    for _ in range(5):
        start = time.process_time()
        for table in tables:
            judge(monitor, table)
        best = min(best, time.process_time() - start)
    return best / 200 * 1e3


def _share(classes: int) -> float:
    return SHARE if classes == 2 else 1 / classes


def _zipf(levels: int) -> np.ndarray:
    weights = 1 / np.arange(1, levels + 1)
    return np.asarray(weights / weights.sum())


if __name__ == "__main__":
    main()
