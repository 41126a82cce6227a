"""CPU, memory and restart of JOIN: ``python tests/benchmarks/quality/bench_join.py [--open 10000000]``.

Answers of about 400 bytes go in until so many are open, over four partitions in one process; then each batch
of answers comes with as many labels, and as many of the oldest answers are forgotten. Labels are for answers
in their order, a constant delay, and then for any that are open, at random: which is what a disk likes least.
CPU is that of the process, RocksDB's own threads with it, without what the records cost to be made up. The
part of it that goes into forgetting is shown apart.
"""

from __future__ import annotations

import argparse
import gc
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from streamapp.messages import InRecord, answer_id, event_headers
from streamapp.quality.join import LOGS, Join
from streamapp.quality.store import RocksMemory, RocksStore

PARTITIONS = 4
BATCH = 500
START_MS = 1_700_000_000_000
VALUE = (
    '{"id":"order-%(n)d","model":{"name":"bikes","version":"7c1f0d2a9b44"},"prediction":"busy",'
    '"probabilities":{"busy":0.%(x)d,"calm":0.17},"features":{"temp":0.%(x)d,"weather":"mist","humidity":null,'
    '"wind":1%(x)d.5,"hour":13,"weekday":4,"holiday":false},"request":{"topic":"bikes.requests","partition":%(p)d,'
    '"offset":%(o)d,"timestamp":"2023-11-14T22:13:20Z"},"predicted_at":"2023-11-14T22:13:20.004Z"}'
)


def answers(partition: int, first: int) -> list[InRecord]:
    """Return a batch of answers, a millisecond apart."""
    made = []
    for offset in range(first, first + BATCH):
        number, time_ms = offset * PARTITIONS + partition, START_MS + offset
        facts = {"n": number, "x": number * 7919 % 100_003, "p": partition, "o": offset}
        ce_id = answer_id("bikes.requests", partition, offset)
        headers = event_headers("bikes", "streamapp.prediction.v1", ce_id, time_ms)
        value, key = (VALUE % facts).encode(), b"k%d" % number
        made.append(InRecord(partition, offset, time_ms, key, value, headers))
    return made


def labels(partition: int, first: int, offsets: list[int]) -> list[InRecord]:
    """Return the labels of the answers at `offsets`."""
    made = []
    for position, offset in enumerate(offsets, first):
        number = offset * PARTITIONS + partition
        value = b'{"id":"order-%d","label":"calm"}' % number
        made.append(InRecord(partition, position, START_MS + position, b"k%d" % number, value))
    return made


def rss_mb() -> float:
    """Return this process's resident memory, without pages of files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


class Clock:
    """Counts the CPU of the process, but for what is done within :meth:`without`."""

    def __init__(self) -> None:
        self._start = time.process_time()
        self._without = 0.0

    def without(self, make: Iterator[list[InRecord]]) -> list[InRecord]:
        """Return the next batch; what it costs does not count."""
        start = time.thread_time()
        made = next(make)
        self._without += time.thread_time() - start
        return made

    def us_per(self, count: int) -> float:
        """Return microseconds of CPU so far per item."""
        return (time.process_time() - self._start - self._without) * 1e6 / count


def open_joins(folder: Path, horizon_ms: int) -> dict[int, Join]:
    """Open the joins of all partitions, as the agent does."""
    joins: dict[int, Join] = {}
    memory = RocksMemory(128 << 20)
    for partition in range(PARTITIONS):
        store = RocksStore(folder / str(partition), memory=memory, logs=LOGS)
        joins[partition] = Join(
            store, "bikes", horizon_ms, partition=partition, partitions=PARTITIONS, siblings=joins
        )
    return joins


def fill(joins: dict[int, Join], upto: int, clock: Clock) -> None:
    """Read answers until each partition has `upto`."""
    while (first := joins[0].positions().predictions or 0) < upto:
        for partition, join in joins.items():
            join.apply(join.answers(clock.without(iter([answers(partition, first)]))).batch)


def steady(joins: dict[int, Join], rounds: int, order: str) -> tuple[float, float]:
    """Return microseconds per labelled request, and per answer that is forgotten, as many as come."""
    rng, clock, done, forgetting = random.Random(1), Clock(), 0, 0.0
    for _ in range(rounds):
        for partition, join in joins.items():
            positions = join.positions()
            first, at = positions.predictions or 0, positions.feedback or 0
            join.apply(join.answers(clock.without(answers(partition, first) for _ in "1")).batch)
            offsets = (
                list(range(at, at + BATCH))
                if order == "in order"
                else rng.sample(range(first // 4, first), BATCH)
            )
            joined = join.feedback(clock.without(labels(partition, at, offsets) for _ in "1"))
            join.apply(joined.batch)
            done += joined.counts["joined"] + joined.counts["corrected"]
            start = time.process_time()
            join.apply(join.expire(limit=BATCH).batch)
            forgetting += time.process_time() - start
    forgetting *= 1e6 / done
    return clock.us_per(done) - forgetting, forgetting


def reopen(folder: Path, horizon_ms: int) -> None:
    """Print how long a process takes until it has read one more batch of each partition."""
    start = time.perf_counter()
    joins = open_joins(folder, horizon_ms)
    opened = time.perf_counter() - start
    fill(joins, (joins[0].positions().predictions or 0) + BATCH, Clock())
    print(
        f"restart: stores open after {opened:.2f} s, {PARTITIONS * BATCH} answers more read after "
        f"{time.perf_counter() - start:.2f} s; {rss_mb():.0f} MB"
    )


def main() -> None:
    """Print memory and CPU while the store fills, CPU per labelled request, and the time of a restart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--open", type=int, default=200_000, help="answers that wait for labels")
    parser.add_argument("--rounds", type=int, default=50, help="of 2,000 labelled requests each")
    parser.add_argument("--reopen", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    horizon_ms = options.open // PARTITIONS
    if options.reopen:
        reopen(options.reopen, horizon_ms)
        return
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # as in a role's process
    folder = Path(tempfile.mkdtemp(prefix="bench-join-"))
    try:
        joins = open_joins(folder, horizon_ms)
        print(f"{'open':>12}  {'memory, MB':>10}  {'disk, MB':>8}  {'us per answer':>13}")
        print(f"{0:>12,}  {rss_mb():>10.0f}")
        filled = 0
        for share in (0.1, 0.25, 0.5, 0.75, 1.0):
            clock, upto = Clock(), int(horizon_ms * share) // BATCH * BATCH
            fill(joins, upto, clock)
            disk = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
            cost = clock.us_per(PARTITIONS * (upto - filled))
            print(f"{PARTITIONS * upto:>12,}  {rss_mb():>10.0f}  {disk:>8.0f}  {cost:>13.1f}", flush=True)
            filled = upto
        for order in ("in order", "at random"):
            cost, forgetting = steady(joins, options.rounds, order)
            print(
                f"labels {order}: {cost:.1f} us per labelled request, and {forgetting:.1f} us to forget it; "
                f"{rss_mb():.0f} MB",
                flush=True,
            )
        for join in joins.values():
            join.store.close()
        subprocess.run(
            [sys.executable, __file__, "--open", str(options.open), "--reopen", str(folder)], check=True
        )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
