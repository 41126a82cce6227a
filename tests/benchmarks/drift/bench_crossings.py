"""Crossings by the scan and by one window: ``python tests/benchmarks/drift/bench_crossings.py``.

A component of rounds that are independent and normal, 16 million of 64 events each. Crossings that are
closer together than the longest window are one. The last column is what ``LOOKS`` has to cover.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from streamapp.drift.scan import WINDOWS

ROUND = WINDOWS[0]
ROUNDS, SEEDS = 4_000_000, range(4)
THRESHOLDS = (3.5, 4.0, 4.4)


def main() -> None:
    """Print a line per threshold."""
    crossings = np.sum([count(seed) for seed in SEEDS], axis=0)
    rounds = ROUNDS * len(SEEDS)
    for threshold, crossed in zip(THRESHOLDS, crossings.tolist(), strict=True):
        alone = 2 * ndtr(-threshold)
        times = crossed / rounds / alone
        print(f"|z| > {threshold}: {crossed} in {rounds:,} rounds, {times:.2f} times one window")


def count(seed: int) -> list[int]:
    """Return the crossings of each threshold."""
    lengths = [events // ROUND for events in WINDOWS]
    sums = np.cumsum(np.append(0.0, np.random.default_rng(seed).normal(size=ROUNDS)))
    largest = np.zeros(ROUNDS)
    for length in lengths:
        z = np.abs(sums[length:] - sums[:-length]) / np.sqrt(length)
        np.maximum(largest[length - 1 :], z, out=largest[length - 1 :])
    counts = []
    for threshold in THRESHOLDS:
        at = np.flatnonzero(largest > threshold)
        counts.append(int(bool(len(at)) + (np.diff(at) > lengths[-1]).sum()))
    return counts


if __name__ == "__main__":
    main()
