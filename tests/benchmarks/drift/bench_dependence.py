"""False alarms where neighbours depend on each other: ``python tests/benchmarks/drift/bench_dependence.py``.

Ten columns, each a stationary autoregression of order one, set to one false alarm per 10,000 events; each run
has a reference of its own. If that is in the order in which it came, the monitor starts over after an alarm.
If it is shuffled, only the live rows show how they depend on each other: the monitor goes on, and its alerts
resolve when 500 events were quiet.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.signal import lfilter

from streamapp.drift import DriftMonitor
from streamapp.profile import Profile

COLUMNS = 10
EVERY = 10_000
TABLE = 1_280


def main() -> None:
    """Print a line per length of the reference and strength of the dependence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="references")
    parser.add_argument("--events", type=int, default=30_000, help="events after each reference")
    options = parser.parse_args()
    for rows, ordered in ((20_000, True), (4_000, True), (20_000, False)):
        for phi in (0.0, 0.5, 0.9):
            alarms = sum(alarms_of(seed, phi, rows, options.events, ordered) for seed in range(options.runs))
            events = options.runs * options.events
            what = f"{rows:,} {'ordered' if ordered else 'shuffled'} reference rows, phi {phi}"
            print(f"{what}: {alarms} in {events:,}, {alarms * EVERY / events:.1f} x the set rate", flush=True)


def alarms_of(seed: int, phi: float, rows: int, events: int, ordered: bool) -> int:
    """Return the alarms of one reference and the events after it."""
    rng = np.random.default_rng([17, seed, round(10 * phi)])
    stream = autoregression(rng, rows + events, phi)
    reference = stream[:, :rows] if ordered else stream[:, rng.permutation(rows)]
    profile = Profile.fit({f"c{i}": column for i, column in enumerate(reference)}, ordered=ordered)
    monitor, alarms = DriftMonitor(profile, false_alarm_every=EVERY, clear_after=500), 0
    for at in range(rows, rows + events, TABLE):
        table = {f"c{i}": column[at : at + TABLE] for i, column in enumerate(stream)}
        if any(alert.state == "opened" for alert in monitor.update(table)):
            alarms += 1
            monitor = DriftMonitor(profile, false_alarm_every=EVERY) if ordered else monitor
    return alarms


def autoregression(rng: np.random.Generator, n: int, phi: float) -> np.ndarray:
    """Return (10, n) independent stationary series with variance 1."""
    noise = rng.normal(size=(COLUMNS, n)) * np.sqrt(1 - phi**2)
    noise[:, 0] = rng.normal(size=COLUMNS)
    return np.asarray(lfilter([1.0], [1.0, -phi], noise, axis=1))


if __name__ == "__main__":
    main()
