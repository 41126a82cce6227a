"""Crossings by the scan and by one window: ``python tests/benchmarks/drift/bench_crossings.py``.

A component of rounds that are independent and normal, 16 million of 64 events each. Crossings that are
closer together than the longest window are one. The last column is what ``LOOKS`` has to cover. Higher
thresholds are crossed too rarely to count: there a crossing is drawn, and the rounds around it given that it
is there; each of the N windows that cross with it has 1/N of it.

References
----------
.. [1] D. Q. Naiman, C. E. Priebe, "Computing scan statistic p values using importance sampling, with
   applications to genetics and medical image analysis", Journal of Computational and Graphical Statistics 10,
   2001.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import ndtr, ndtri

from streamapp.drift.scan import WINDOWS

ROUND = WINDOWS[0]
LENGTHS = [events // ROUND for events in WINDOWS]
ROUNDS, SEEDS = 4_000_000, range(4)
THRESHOLDS = (3.5, 4.0, 4.4)
HIGHER = (4.7, 5.0, 5.5, 6.0)
DRAWS = 4_000


def main() -> None:
    """Print a line per threshold."""
    crossings = np.sum([count(seed) for seed in SEEDS], axis=0)
    rounds = ROUNDS * len(SEEDS)
    for threshold, crossed in zip(THRESHOLDS, crossings.tolist(), strict=True):
        times, drawn = crossed / rounds / (2 * ndtr(-threshold)), times_drawn(threshold)
        counted = f"{crossed} in {rounds:,} rounds, {times:.2f} times one window"
        print(f"|z| > {threshold}: {counted}, drawn {drawn:.2f}")
    for threshold in HIGHER:
        print(f"|z| > {threshold}: drawn {times_drawn(threshold):.2f} times one window")


def count(seed: int) -> list[int]:
    """Return the crossings of each threshold."""
    largest = np.zeros(ROUNDS)
    for length, z in deviates(np.random.default_rng(seed).normal(size=ROUNDS)):
        np.maximum(largest[length - 1 :], z, out=largest[length - 1 :])
    counts = []
    for threshold in THRESHOLDS:
        at = np.flatnonzero(largest > threshold)
        counts.append(int(bool(len(at)) + (np.diff(at) > LENGTHS[-1]).sum()))
    return counts


def times_drawn(threshold: float) -> float:
    """Return how many times as often as one window the scan crosses a threshold, from drawn crossings."""
    rng, end = np.random.default_rng(37), 2 * LENGTHS[-1]
    times = 0.0
    for length in LENGTHS:
        rounds = rng.normal(size=(DRAWS, end + LENGTHS[-1]))
        own = rounds[:, end - length : end]
        z = -ndtri(rng.random(DRAWS) * ndtr(-threshold))
        own += (z / np.sqrt(length) - own.mean(axis=1))[:, None]
        crossed = np.sum([(each > threshold).sum(axis=1) for _, each in deviates(rounds)], axis=0)
        times += float((1 / crossed).mean())
    return times


def deviates(rounds: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each length of a window, and |z| of all windows of it among `rounds` (..., n)."""
    sums = np.cumsum(rounds, axis=-1)
    sums = np.concatenate([np.zeros_like(sums[..., :1]), sums], axis=-1)
    for length in LENGTHS:
        yield length, np.abs(sums[..., length:] - sums[..., :-length]) / np.sqrt(length)


if __name__ == "__main__":
    main()
