"""Run length and delay of the loss monitor: ``python tests/benchmarks/quality/bench_loss_monitor.py``.

Losses are 0 or 1 with the given error, or Beta with that mean; the reference has 4,000 rows. After drift a
share q of the labels is flipped, which moves an error p to p + q (1 - 2 p). Seeds are fixed. With ``--every``
delays alone, of losses of 0 and 1 at each of some rates, within 40,000 rows.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from streamapp.models.losses import Floats
from streamapp.quality import LossMonitor

ERRORS = (0.10, 0.16, 0.20, 0.26)


def sample(kind: str, mean: float, rows: int, rng: np.random.Generator) -> Floats:
    """Return losses of `kind`."""
    if kind == "0/1":
        return (rng.random(rows) < mean).astype(np.float64)
    return rng.beta(4 * mean, 4 * (1 - mean), rows)


def run_length(kind: str, every: int, rows: int) -> tuple[float, float]:
    """Return rows per alarm without drift, pooled and of the worst stream."""
    lengths = []
    for error in ERRORS:
        rng = np.random.default_rng(int(1_000 * error))
        monitor = LossMonitor(sample(kind, error, 4_000, rng), every)
        lengths.append(rows / max(len(monitor.alarms(sample(kind, error, rows, rng))), 1))
    return len(ERRORS) / sum(1 / length for length in lengths), min(lengths)


def delays(kind: str, every: int, q: float, runs: int, rows: int = 8_000) -> tuple[float, float]:
    """Return the share of runs that alarm within so many rows of the flip, and their median delay."""
    found = []
    for error in ERRORS:
        for seed in range(runs):
            rng = np.random.default_rng(seed)
            monitor = LossMonitor(sample(kind, error, 4_000, rng), every)
            monitor.alarms(sample(kind, error, 1_000, rng))
            found.append(first_alarm(monitor, sample(kind, error + q * (1 - 2 * error), rows, rng)))
    return float(np.mean(np.isfinite(found))), float(np.median(found))


def first_alarm(monitor: LossMonitor, losses: Floats) -> float:
    """Return after how many of the losses the monitor alarms; infinity if it does not."""
    for start in range(0, len(losses), 1_000):
        if alarms := monitor.alarms(losses[start : start + 1_000]):
            return start + alarms[0].index + 1
    return np.inf


def main() -> None:
    """Print one line per kind of loss and set run length."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=400_000, help="without drift, per stream")
    parser.add_argument("--runs", type=int, default=50, help="with drift, per stream")
    parser.add_argument("--every", type=int, nargs="+", help="only delays, at these rates of false alarms")
    options = parser.parse_args()
    if options.every:
        print(f"{'set to':>13}{'q=.05':>14}{'q=.1':>14}{'q=.2':>14}")
        for every in options.every:
            found = [delays("0/1", every, q, options.runs, 40_000) for q in (0.05, 0.1, 0.2)]
            print(
                f"{every:>13,}" + "".join(f"{share:>7.0%}{delay:>7,.0f}" for share, delay in found),
                flush=True,
            )
        return
    print(f"{'losses':<8}{'set to':>9}{'run length':>12}{'worst':>9}{'q=.05':>14}{'q=.1':>14}{'q=.2':>14}")
    for kind in ("0/1", "graded"):
        for every in (10_000, 100_000):
            pooled, worst = run_length(kind, every, options.rows)
            line = f"{kind:<8}{every:>9,}{pooled:>12,.0f}{worst:>9,.0f}"
            for q in (0.05, 0.1, 0.2):
                share, delay = delays(kind, every, q, options.runs)
                line += f"{share:>7.0%}{delay:>7,.0f}"
            print(line, flush=True)
    rng = np.random.default_rng(0)
    monitor, losses = LossMonitor(rng.random(1_000) / 5), rng.random(100_000) / 5
    began = time.perf_counter()
    monitor.alarms(losses)
    print(f"{(time.perf_counter() - began) / len(losses) * 1e6:.1f} us per row")


if __name__ == "__main__":
    main()
