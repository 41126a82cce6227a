"""Measures of the beginning and the end of a process: start, restart after a crash, orderly stop."""

from __future__ import annotations

import time

from streamapp.runtime.broker.properties import free_port
from tests.benchmarks.peers.jobs import Job, is_ready, until_answers
from tests.benchmarks.peers.load import fill
from tests.benchmarks.peers.process import Running
from tests.benchmarks.peers.throughput import Row

__all__ = ["start_and_restart", "stop"]

_PATIENCE_S = 90.0
_STOP_AT = 0.3
_QUIET_S = 3.0


def start_and_restart(job: Job, repetitions: int) -> list[Row]:
    """Start again and again, after an orderly end and after ``kill -9``, with one request waiting."""
    sent, rows = 0, []
    killed = job.contender.is_streamapp  # the others have no member id of their own, and wait for the timeout
    for index in range(repetitions + 1):
        row: Row = {}
        for ending in ("", "_killed") if killed else ("",):
            fill(job.place.cluster.bootstrap, job.requests, 1, first=sent)
            sent += 1
            running, ready_s, answer_s = _start(job, sent)
            row[f"answer_s{ending}"] = answer_s
            if job.contender.is_streamapp:
                row[f"ready_s{ending}"] = ready_s
            row[f"cpu_s{ending}"] = running.cpu_s
            time.sleep(1)  # let it commit
            if killed and not ending:
                running.kill()
            else:
                running.terminate()
        if index:  # the first one warms the caches
            rows.append(row)
    return rows


def _start(job: Job, wanted: int) -> tuple[Running, float, float]:
    """Start, and return the seconds to readiness and to the first answer."""
    port = free_port()
    running = job.start(port=port)
    ready_s = answer_s = 0.0
    while not answer_s or (job.contender.is_streamapp and not ready_s):
        running.check()
        past = time.monotonic() - running.began
        if past > _PATIENCE_S:
            raise RuntimeError(f"{job.name}: no answer in {past:.0f} s")
        if job.contender.is_streamapp and not ready_s and is_ready(port):
            ready_s = time.monotonic() - running.began
        if not answer_s and job.answered() >= wanted:
            answer_s = time.monotonic() - running.began
        time.sleep(0.02)
    return running, ready_s, answer_s


def stop(job: Job, count: int) -> Row:
    """SIGTERM in the middle of `count` requests, start again, and count the answers."""
    fill(job.place.cluster.bootstrap, job.requests, count)
    running = job.start()
    until_answers(job, running, int(count * _STOP_AT))
    stop_s, status = running.terminate()
    at_stop = job.answered()
    running = job.start()
    row = {
        "stop_s": stop_s,
        "status": float(status),
        "at_stop": float(at_stop),
        "answer_s": until_answers(job, running, at_stop + 1),
    }
    _until_quiet(job)
    running.terminate()
    answers = job.place.cluster.answers(job.answers)
    return row | {
        "missing": float(count - answers.distinct),
        "repeated": float(len(answers.identities) - answers.distinct),
    }


def _until_quiet(job: Job) -> None:
    """Return once no answer has come for some seconds."""
    seen, since = job.answered(), time.monotonic()
    while time.monotonic() - since < _QUIET_S:
        time.sleep(0.1)
        if (now := job.answered()) != seen:
            seen, since = now, time.monotonic()
