"""Measures of a full topic: how fast and at what cost one process or two drain it, in what memory."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streamapp.runtime.broker.properties import free_port
from tests.benchmarks.peers.jobs import Job, is_ready, until_answers
from tests.benchmarks.peers.load import fill
from tests.benchmarks.peers.process import Running, busy_s, cpu_s

__all__ = ["Row", "drain", "inside_model", "memory", "second"]

Row = dict[str, float]

_EVERY_S = 0.1
_BEGIN = 0.05
_STUCK_S = 60.0
_WARM_UP = 200


class _Sample(NamedTuple):
    answers: int
    at: float
    cpu: float
    broker_cpu: float
    others_cpu: float
    clock: tuple[float, float, float]


def drain(job: Job, wanted: int, *, cap_s: float = 120.0) -> Row:
    """Answer `wanted` requests that wait already; requests/s by the times at which the broker had answers."""
    running = job.start()
    samples = _watch(job, [running], wanted, cap_s=cap_s)
    row = {**_costs(samples), "rss_mb": running.peak_mb}
    running.terminate()
    answers = job.place.cluster.answers(job.answers)
    times, late = answers.appended_ms, int(len(answers.appended_ms) * _BEGIN)
    row["per_s"] = (len(times) - 1) / max(1, times[-1] - times[0]) * 1e3
    row["per_s_later"] = (len(times) - 1 - late) / max(1, times[-1] - times[late]) * 1e3
    row["repeated"] = len(times) - answers.distinct
    return row


def inside_model(job: Job, wanted: int) -> Row:
    """Drain with a clock on the model's own call: processor time in it against that of the whole."""
    clock = job.place.folder / job.name / "clock"
    running = job.start(clock=clock)
    samples = _watch(job, [running], wanted, clock=clock)
    running.terminate()
    row = _costs(samples)
    first, last = _steady(samples)
    calls, rows, seconds = np.subtract(last.clock, first.clock)
    row["model_us"] = seconds / rows * 1e6
    row["rows_per_call"] = rows / calls
    row["beside_us"] = row["cpu_us"] - row["model_us"]
    row["model_share"] = row["model_us"] / row["cpu_us"]
    return row


def memory(job: Job, wanted: int, *, seconds: float) -> Row:
    """Answer what waits for some seconds at most; the peak of resident memory."""
    running = job.start()
    samples = _watch(job, [running], wanted, cap_s=seconds, may_end_early=True)
    row = {**_costs(samples), "rss_mb": running.peak_mb, "answered": float(samples[-1].answers)}
    running.terminate()
    return row


def second(job: Job, count: int, *, processes: int) -> Row:
    """Answer `count` requests, written while `processes` of a group wait for them."""
    cluster = job.place.cluster
    running = []
    for index in range(processes):
        port = free_port()
        running.append(job.start(port=port, instance=f"process-{index}"))
        if index == 0:
            fill(cluster.bootstrap, job.requests, _WARM_UP)
            until_answers(job, running[0], _WARM_UP)
        elif job.contender.is_streamapp:
            _until(lambda port=port: is_ready(port), running[index])  # type: ignore[misc]
    _until(lambda: cluster.members(job.group) == processes, running[0])
    time.sleep(3)  # for whatever follows a rebalance
    at_rest = [each.cpu_s for each in running]
    fill(cluster.bootstrap, job.requests, count, first=_WARM_UP)
    samples = _watch(job, running, count + _WARM_UP, begin=job.answered())
    work = [each.cpu_s - rest for each, rest in zip(running, at_rest, strict=True)]
    row = {**_costs(samples), "least_share": min(work) / sum(work) if processes > 1 else 1.0}
    row["per_s"] = row.pop("per_s_seen")
    row["all_cpu_us"] = sum(work) / count * 1e6
    row["rss_mb"] = sum(each.peak_mb for each in running)
    for each in running:
        each.terminate()
    answers = cluster.answers(job.answers)
    row["repeated"] = len(answers.identities) - answers.distinct
    row["missing"] = count + _WARM_UP - answers.distinct
    return row


def _watch(
    job: Job,
    running: Sequence[Running],
    wanted: int,
    *,
    cap_s: float = 120.0,
    begin: int = 0,
    clock: Path | None = None,
    may_end_early: bool = False,
) -> list[_Sample]:
    """Look at answers and processor time until `wanted` answers are there or `cap_s` after the first."""
    samples: list[_Sample] = []
    since = time.monotonic()
    while not samples or samples[-1].answers < wanted:
        answers, now = job.answered(), time.monotonic()
        if answers > begin:
            samples.append(_sample(job, running, answers, now, clock))
        if len(samples) > 1 and now - samples[0].at > cap_s:
            if may_end_early:
                break
            raise RuntimeError(f"{job.name}: {answers} of {wanted} answers in {cap_s:.0f} s")
        if not samples and now - since > _STUCK_S:
            raise RuntimeError(f"{job.name}: no answer in {_STUCK_S:.0f} s")
        for each in running:
            each.check()
        time.sleep(_EVERY_S)
    return samples


def _sample(job: Job, running: Sequence[Running], answers: int, at: float, clock: Path | None) -> _Sample:
    counted = (0.0, 0.0, 0.0)
    if clock is not None:
        counted = struct.unpack("ddd", clock.read_bytes())
    cpu, broker = sum(each.cpu_s for each in running), cpu_s(job.place.broker_pid)
    return _Sample(answers, at, cpu, broker, busy_s() - cpu - broker - time.process_time(), counted)


def _steady(samples: Sequence[_Sample]) -> tuple[_Sample, _Sample]:
    """Return the sample at which a twentieth of the answers was there, and the last."""
    first = next(sample for sample in samples if sample.answers >= _BEGIN * samples[-1].answers)
    if first is samples[-1]:
        raise RuntimeError("too few requests to measure: all were answered between two looks")
    return first, samples[-1]


def _costs(samples: Sequence[_Sample]) -> Row:
    first, last = _steady(samples)
    answers, seconds = last.answers - first.answers, last.at - first.at
    return {
        "cpu_us": (last.cpu - first.cpu) / answers * 1e6,
        "broker_us": (last.broker_cpu - first.broker_cpu) / answers * 1e6,
        "others": (last.others_cpu - first.others_cpu) / seconds,
        "per_s_seen": answers / seconds,
    }


def _until(holds: Callable[[], bool], running: Running) -> None:
    deadline = time.monotonic() + _STUCK_S
    while not holds():
        running.check()
        if time.monotonic() > deadline:
            raise RuntimeError(f"not ready in {_STUCK_S:.0f} s; see {running.log}")
        time.sleep(0.1)
