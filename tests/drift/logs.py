"""Logs of panes over two profiles, as ``distributions`` holds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from streamapp.drift import Span
from streamapp.messages import Distribution
from tests.drift.streams import distribution, fit, panes, rows

V1, V2 = fit(0), fit(1)
PROFILES = {"v1": V1, "v2": V2, "v1b": V1}
profile_of = PROFILES.get


def log(
    version: str, partition: int, first: int, count: int, *, shift: float = 0.0
) -> Iterator[Distribution]:
    """Yield `count` panes of 64 of one partition, of a version, from offset `first` on."""
    table = rows(100 + partition + first, 64 * count)
    table[0]["x"] += shift
    for pane in panes(PROFILES[version], table, np.full(64 * count, partition), first=first):
        at = pane.span.partitions[partition]
        span = Span(1_000 * at[0], 1_000 * at[1] - 1, 64, {partition: at})
        yield distribution(version, replace(pane, span=span))


def eventful() -> list[Distribution]:
    """Return two partitions of which one drifts, a repeat, a change of the version, drift again, calm."""
    calm, moved = log("v1", 0, 0, 30), log("v1", 1, 0, 30, shift=0.8)
    both = [each for pair in zip(calm, moved, strict=True) for each in pair]
    return [
        *both,
        both[-1],
        *log("v2", 0, 1_920, 40),
        *log("v1", 1, 1_920, 3),
        *log("v2", 1, 2_112, 40, shift=1),
        *log("v2", 0, 4_480, 50),
    ]
