"""Rows of a stream without drift, their profile, and panes of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from streamapp.drift import Pane, Span
from streamapp.messages import Distribution
from streamapp.profile import Columns, Profile

CLASSES = ("no", "yes")
Rows = tuple[Columns, np.ndarray]


def rows(seed: int, n: int) -> Rows:
    """Return six mixed columns and a classifier's probabilities."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    price = np.exp(0.5 * x + rng.normal(size=n))
    price[rng.random(n) < 0.02] = np.nan
    columns: Columns = {
        "x": x,
        "y": 0.8 * x + 0.6 * rng.normal(size=n),
        "price": price,
        "count": rng.poisson(3, n).astype(float),
        "flag": (rng.random(n) < 0.3).astype(float),
        "name": rng.choice(np.array(list("abcd"), dtype=object), n, p=[0.5, 0.3, 0.15, 0.05]),
    }
    score = 1 / (1 + np.exp(-x - 0.5 * rng.normal(size=n)))
    return columns, np.stack([1 - score, score], axis=1)


def fit(seed: int = 0, *, baseline: bool = True) -> Profile:
    """Return the profile of 4,000 rows."""
    columns, outputs = rows(seed, 4_000)
    return Profile.fit(columns, outputs if baseline else None, classes=CLASSES)


def take(table: Rows, at: np.ndarray | slice) -> Rows:
    """Return some of the rows."""
    columns, outputs = table
    return {name: values[at] for name, values in columns.items()}, outputs[at]


def panes(
    profile: Profile, table: Rows, partitions: np.ndarray | None = None, *, size: int = 64, first: int = 0
) -> Iterator[Pane]:
    """Yield closed panes in the order in which they close; one partition, or each row's."""
    n = len(table[1])
    of = np.zeros(n, np.int64) if partitions is None else partitions
    open_: dict[int, list[int]] = {}
    offsets: dict[int, int] = {}
    for i, partition in enumerate(of.tolist()):
        held = open_.setdefault(partition, [])
        held.append(i)
        if len(held) == size:
            at = offsets.get(partition, first)
            offsets[partition] = at + size
            span = Span(held[0], held[-1], size, {partition: (at, at + size)})
            yield Pane(partition, span, profile.summarize(*take(table, np.array(held))))
            held.clear()


def distribution(version: str, pane: Pane) -> Distribution:
    """Return a pane as it is published."""
    first, next_ = pane.span.partitions[pane.partition]
    return Distribution(
        version=version,
        partition=pane.partition,
        first_offset=first,
        next_offset=next_,
        events=pane.span.events,
        rows=pane.summary.rows,
        from_=pane.span.from_ms,
        to=pane.span.to_ms,
        summary=pane.summary.to_dict(),
    )
