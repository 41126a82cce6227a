from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from streamapp.drift.comparison import Comparison
from streamapp.drift.packing import pack
from streamapp.drift.partitions import MEMORY, Partitions
from streamapp.profile import Measures
from tests.drift.streams import fit, panes, rows

PROFILE = fit()


def arrays(*counts: int, pair: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.array(counts), np.array([round(4_096 * pair)]), np.array([[counts[0]], [0], [0]])


def share(partitions: Partitions) -> list[float]:
    """Return for each partition the share of its events in the second bin."""
    counts = partitions.arrays[0]
    return [own[1] / own.sum() for own in counts]


def again(partitions: Partitions) -> Partitions:
    read = Partitions()
    read.load(orjson.loads(orjson.dumps(partitions.to_dict())))
    return read


def test_one_partition_alone_is_not_summed_up() -> None:
    partitions = Partitions()
    for _ in range(3):
        partitions.add([(4, 8, arrays(8, 0)), (4, 8, arrays(8, 0))])
    assert (len(partitions), partitions.seen) == (0, 0)
    partitions.add([(4, 8, arrays(8, 0)), (5, 2, arrays(1, 1))])
    partitions.add([(4, 8, arrays(8, 0))])
    assert (len(partitions), partitions.seen) == (2, 18)
    assert partitions.events.tolist() == [16, 2]
    assert partitions.sizes.tolist() == [64, 4]


@pytest.mark.parametrize("events", [64, 20_000, 1 << 22])
def test_a_load_that_lasts_for_ever_can_be_written_and_is_bounded(events: int) -> None:
    partitions = Partitions()
    for _ in range(2 * MEMORY + 9):
        partitions.add([(p, events, arrays(events, 0, pair=-events / 2)) for p in (0, 1)])
    assert again(partitions).to_dict() == partitions.to_dict()
    assert (partitions.events <= MEMORY * events).all()
    assert (partitions.events >= MEMORY // 2 * events).all()
    assert partitions.sizes == pytest.approx([events**2] * 2)
    assert partitions.seen == 2 * events * (2 * MEMORY + 9)
    _, pairs, apart = partitions.arrays
    assert pairs[:, 0] / partitions.events == pytest.approx([-0.5 * 4_096] * 2, rel=0.01)
    assert (apart[:, 0, 0] == partitions.events).all()


def test_means_of_partitions_are_those_of_their_rows() -> None:
    table = rows(3, 64 * 60)
    of = (table[0]["x"] > 0).astype(np.int64)
    partitions = Partitions()
    exact: list[list[tuple[np.ndarray, ...]]] = [[], []]
    for pane in panes(PROFILE, table, of):
        own = pane.summary
        exact[pane.partition].append((own.counts, own.pairs, own.apart))
    for both in zip(*exact, strict=False):
        partitions.add([(p, 64, own) for p, own in enumerate(both)])
    n = int(partitions.events[0] / 64)
    comparison = Comparison(Measures(PROFILE.columns), PROFILE.pairs)
    sums = [[np.sum(each, axis=0) for each in zip(*own[:n], strict=True)] for own in exact]
    vectors = comparison.vectors(*(np.stack(each) for each in zip(*sums, strict=True)))
    means, _ = comparison.means(vectors)
    kept, _ = comparison.means(comparison.vectors(*partitions.arrays))
    assert kept == pytest.approx(means, abs=0.005)


def test_what_was_long_ago_is_forgotten_so_that_a_new_partition_is_soon_like_the_others() -> None:
    partitions, rounds = Partitions(), 0
    for _ in range(MEMORY - 1):
        partitions.add([(p, 64, arrays(64, 0)) for p in (0, 1)])
    while len(partitions) < 3 or max(share(partitions)) - min(share(partitions)) > 0.05:
        partitions.add([(p, 64, arrays(0, 64)) for p in (0, 1, 2)])
        rounds += 1
    assert share(partitions)[2] == 1
    assert rounds <= 5 * MEMORY // 2


def test_a_partition_that_has_fallen_silent_is_forgotten_and_others_keep_their_part_of_the_traffic() -> None:
    partitions = Partitions()
    partitions.add([(9, 64, arrays(64, 0)), (0, 64, arrays(64, 0))])
    for i in range(6 * MEMORY):
        busy = [(0, 64, arrays(64, 0))] * 3
        partitions.add([*busy, (1, 64, arrays(0, 64))] if i < 6 * MEMORY - 5 else busy)
        if i == MEMORY - 3:
            assert len(partitions) == 3
    assert len(partitions) == 2
    assert partitions.events[0] / partitions.events[1] == pytest.approx(3, rel=0.01)


def test_sums_of_a_version_that_never_forgot_are_read_and_brought_down() -> None:
    panes = 40 * MEMORY
    old: list[list[Any]] = [
        [p, 64 * panes, 64**3 * panes, *map(pack, arrays(48 * panes, 16 * panes))] for p in (0, 1)
    ]
    partitions = Partitions()
    partitions.load(orjson.loads(orjson.dumps(old)))
    assert (partitions.events < 64 * MEMORY).all()
    assert partitions.sizes.tolist() == [4_096, 4_096]
    assert share(partitions) == [0.25, 0.25]
    assert partitions.seen == 2 * 64 * panes
    young = Partitions()
    young.load([[p, 640, 64**3 * 10, *map(pack, arrays(480, 160))] for p in (0, 1)])
    assert young.events.tolist() == [640, 640]
    assert again(young).to_dict() == young.to_dict()
