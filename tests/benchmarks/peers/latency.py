"""Latency under a paced load: from the producer's call to the arrival at a consumer, on one clock."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.benchmarks.peers import load
from tests.benchmarks.peers.jobs import Job, until_answers
from tests.benchmarks.peers.load import fill
from tests.benchmarks.peers.process import Running, busy_s, cpu_s, start
from tests.benchmarks.peers.throughput import Row

__all__ = ["latency"]

_WARM_RATE, _WARM_S = 200, 2
_EVERY_S = 0.2


def latency(job: Job, rates: Sequence[int], *, seconds: float) -> Row:
    """Send at each rate for some seconds; milliseconds to the answer, processor time per request."""
    folder = job.place.folder / job.name
    collector = _program(folder, "collect", job.place.cluster.bootstrap, job.answers, folder / "seen.npz")
    running = job.start()
    fill(job.place.cluster.bootstrap, job.requests, 4)
    row: Row = {"first_answer_s": until_answers(job, running, 4)}
    first, sent = 4, dict[int, tuple[int, np.ndarray]]()
    _send(job, [running, collector], _WARM_RATE, _WARM_RATE * _WARM_S, first)
    first += _WARM_RATE * _WARM_S
    for rate in [rate for rate in rates if rate <= job.contender.most_per_s]:
        until_answers(job, running, first, patience_s=600)
        times, row[f"cpu_us_{rate}"], row[f"others_{rate}"] = _send(
            job, [running, collector], rate, int(rate * seconds), first
        )
        sent[rate] = first, times
        first += len(times)
    until_answers(job, running, first, patience_s=600)
    time.sleep(0.5)  # the broker has all; let the collector see them
    running.terminate()
    collector.terminate()
    for rate, (number, times) in sent.items():
        row.update(_row(rate, number, times, folder / "seen.npz"))
    return row


def _send(
    job: Job, programs: Sequence[Running], rate: int, count: int, first: int
) -> tuple[np.ndarray, float, float]:
    """Return when each request was sent; meanwhile, what the first of `programs` took per request, in us.

    The third is how many cores were busy with what is none of this benchmark.
    """
    running = programs[0]
    folder = job.place.folder / job.name
    file = folder / f"sent-{first}.npy"
    samples = []
    pacer = _program(folder, "pace", job.place.cluster.bootstrap, job.requests, file, rate, count, first)
    while not pacer.has_ended:
        ours = sum(each.cpu_s for each in [*programs, pacer]) + cpu_s(job.place.broker_pid)
        others = busy_s() - ours - time.process_time()
        samples.append((time.monotonic_ns(), running.cpu_s, others))
        running.check()
        time.sleep(_EVERY_S)
    sent = np.load(file)
    at, *used = np.array(samples).T
    window = sent[[0, -1]]
    mine, others = (float(np.diff(np.interp(window, at, each))[0]) for each in used)
    return sent, mine / count * 1e6, others / (int(np.diff(window)[0]) / 1e9)


def _program(folder: Path, *arguments: object) -> Running:
    return start([sys.executable, load.__file__, *map(str, arguments)], log=folder / "load.log", cwd=folder)


def _row(rate: int, first: int, sent: np.ndarray, file: Path) -> Row:
    with np.load(file) as seen:
        mine = (seen["numbers"] >= first) & (seen["numbers"] < first + len(sent))
        numbers, where = np.unique(seen["numbers"][mine], return_index=True)
        took_ms = (seen["times"][mine][where] - sent[numbers - first]) / 1e6
    p50, p99 = np.percentile(took_ms, (50, 99))
    return {
        f"p50_{rate}": p50,
        f"p99_{rate}": p99,
        f"max_{rate}": took_ms.max(),
        f"missing_{rate}": len(sent) - len(took_ms),
    }
