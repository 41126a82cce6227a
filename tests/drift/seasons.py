"""Rows with a daily cycle in three of ten columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from streamapp.profile import Columns
from streamapp.profile.season import DAY_MS

START_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Rows:
    """Rows of a stream, with their times, answers and labels."""

    columns: Columns
    times: np.ndarray
    outputs: np.ndarray
    labels: np.ndarray

    def part(self, at: slice | np.ndarray) -> Rows:
        """Return some of them."""
        columns = {name: own[at] for name, own in self.columns.items()}
        return Rows(columns, self.times[at], self.outputs[at], self.labels[at])

    def tables(self, size: int = 1_280) -> Iterator[Rows]:
        """Yield them in tables."""
        for at in range(0, len(self.times), size):
            yield self.part(slice(at, at + size))


def cyclic(
    seed: int | Sequence[int],
    *,
    days: float,
    per_day: int,
    amplitude: float = 1.0,
    dependence: float = 0.0,
    first_ms: int = START_MS,
) -> tuple[Columns, np.ndarray]:
    """Return columns c0 to c9 of noise with sd 1, and event times in ms; c0 to c2 follow the hour.

    `dependence` is the correlation of neighbouring rows.
    """
    rng = np.random.default_rng(seed)
    n = int(days * per_day)
    times = first_ms + np.sort(rng.integers(0, int(days * DAY_MS), n))
    noise = rng.normal(size=(10, n))
    if dependence:
        noise[:, 1:] *= np.sqrt(1 - dependence**2)
        noise = lfilter([1], [1, -dependence], noise)
    for i in range(3):
        noise[i] += amplitude * np.sin(2 * np.pi * times / DAY_MS + i)
    return {f"c{i}": noise[i] for i in range(10)}, times
