"""What is said of a stream that flickers: ``python tests/benchmarks/drift/bench_flicker.py``.

One of the 20 columns of ``bench_run_length.py`` doubles for some hundred requests and is as ever for as many,
20 times; then 12,000 quiet requests. One alert on it is to open, and to resolve once; what is said of other
columns is a false alarm, and not counted. Each run has a reference of its own.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

from streamapp.drift import DriftMonitor
from tests.benchmarks.drift.bench_run_length import fitted, rows

TIMES, QUIET = 20, 12_000


def main() -> None:
    """Print a line per pace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    for every in (100, 200, 400, 800):
        told = Counter(states(every, seed) for seed in range(runs))
        for (opened, updated, resolved), times in sorted(told.items()):
            said = f"{opened} opened, {updated} updated, {resolved} resolved"
            print(f"on and off every {every} requests: {said} in {times} of {runs} runs", flush=True)


def states(every: int, seed: int) -> tuple[int, int, int]:
    """Return how many messages opened, updated and resolved alerts on the column."""
    rng = np.random.default_rng([29, seed])
    monitor, n = DriftMonitor(fitted(rng, 20)), 2 * every * TIMES
    columns, outputs = rows(rng, n + QUIET, 20)
    is_on = np.arange(n + QUIET) // every % 2 == 1
    is_on[n:] = False
    columns["c1"] = np.where(is_on, 2 * columns["c1"], columns["c1"])
    alerts = monitor.update(columns, outputs)
    count = Counter(alert.state for alert in alerts if alert.subject == "c1")
    return count["opened"], count["updated"], count["resolved"]


if __name__ == "__main__":
    main()
