"""Run length and delay of the segmented loss monitor: ``python tests/benchmarks/quality/bench_segments.py``.

Losses are 0 or 1; two segment columns of 9 and 20 levels, unevenly filled, whose usual errors differ by up to
30 % of the mean. Each run has a reference of its own, 4,000 rows. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np

from streamapp.models import Baseline
from streamapp.models.column import Array
from streamapp.models.losses import Floats
from streamapp.quality.segmented_monitor import LossAlarm, SegmentedLossMonitor

ERRORS = (0.10, 0.16, 0.20, 0.26)
SHARES = {
    "airport": np.array([0.10, 0.30, 0.20, 0.10, 0.10, 0.08, 0.05, 0.04, 0.03]),
    "carrier": (1 / np.arange(1, 21)) / (1 / np.arange(1, 21)).sum(),
}
BAD = ("airport", "airport0")
"""A tenth of the rows."""


class Stream:
    """Rows whose mean error is `error`, but where it is set otherwise."""

    def __init__(self, error: float, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        factor = 1.0 + 0.3 * np.cos(np.arange(9))
        self._errors = error * factor / (factor @ SHARES["airport"])

    def draw(self, rows: int, q: float = 0.0, where: str | None = None) -> tuple[Floats, dict[str, Array]]:
        """Return losses and levels of `rows` rows; a share q of labels is flipped, there or everywhere."""
        levels, errors = {}, np.empty(rows)
        for column, shares in SHARES.items():
            drawn = self._rng.choice(len(shares), rows, p=shares)
            levels[column] = np.array([f"{column}{i}" for i in drawn], dtype=object)
            if column == "airport":
                errors = self._errors[drawn]
        flipped = np.full(rows, q) if where is None else np.where(levels["airport"] == where, q, 0.0)
        return (self._rng.random(rows) < errors + flipped * (1 - 2 * errors)).astype(np.float64), levels

    def monitor(self, every: int) -> SegmentedLossMonitor:
        """Return a monitor with a reference of 4,000 rows."""
        losses, levels = self.draw(4_000)
        return SegmentedLossMonitor(Baseline.of_losses("zero-one", losses, levels), every)


def run_length(every: int, references: int, rows: int) -> tuple[int, float, float]:
    """Return alarms without drift, and rows per alarm, pooled and of the worst of the four errors."""
    alarms = [
        sum(len(each.monitor(every).alarms(*each.draw(rows))) for each in streams)
        for streams in ([Stream(error, 10_000 + seed) for seed in range(references)] for error in ERRORS)
    ]
    return (
        sum(alarms),
        len(ERRORS) * references * rows / max(sum(alarms), 1),
        references * rows / max(*alarms, 1),
    )


def first_alarms(
    every: int, q: float, where: str | None, runs: int
) -> Iterator[tuple[float, LossAlarm | None]]:
    """Yield, per run, rows from the change to the alarm, at most 8,000."""
    for error in ERRORS:
        for seed in range(runs):
            stream = Stream(error, seed)
            monitor = stream.monitor(every)
            monitor.alarms(*stream.draw(1_000))
            found: tuple[float, LossAlarm | None] = (np.inf, None)
            for start in range(0, 8_000, 100):
                alarms = monitor.alarms(*stream.draw(100, q, where))
                if alarms:
                    found = (start + alarms[0].index + 1, alarms[0])
                    break
            yield found


def main() -> None:
    """Print run lengths, then one line per change."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--references", type=int, default=20, help="without drift, per error")
    parser.add_argument("--rows", type=int, default=100_000, help="without drift, per reference")
    parser.add_argument("--runs", type=int, default=50, help="with drift, per error")
    options = parser.parse_args()
    print(f"{'change':<34}{'found':>7}{'median rows':>13}{'named right':>13}")
    for q, where, what in (
        (0.1, None, "q=.1 everywhere"),
        (0.2, None, "q=.2 everywhere"),
        (0.5, BAD[1], "q=.5 in one segment of 10 %"),
        (0.75, BAD[1], "q=.75 in one segment of 10 %"),
        (1.0, BAD[1], "q=1 in one segment of 10 %"),
    ):
        found = list(first_alarms(10_000, q, where, options.runs))
        right = [alarm is not None and alarm.segment == (where and BAD) for _, alarm in found]
        rows = [delay for delay, _ in found]
        print(
            f"{what:<34}{np.mean(np.isfinite(rows)):>7.0%}{np.median(rows):>13,.0f}{np.mean(right):>13.0%}",
            flush=True,
        )
    monitor, quiet = Stream(0.16, 1).monitor(10**9), Stream(0.16, 2).draw(100_000)
    began = time.process_time()
    monitor.alarms(*quiet)
    print(f"{(time.process_time() - began) / 100_000 * 1e6:.1f} us of CPU per row")
    alarms, pooled, worst = run_length(10_000, options.references, options.rows)
    print(f"without drift: {alarms} alarms, one every {pooled:,.0f} rows, {worst:,.0f} at the worst error")


if __name__ == "__main__":
    main()
