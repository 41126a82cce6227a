from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from streamapp.errors import TrainingError
from streamapp.training import Job, Trained, TrainingPool, train

from .conftest import MakeJob, frame_of, values_of

WAIT_S = 100


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[TrainingPool]:
    pool = TrainingPool(prepare=partial((tmp_path / "prepared").write_text, "yes"))
    yield pool
    pool.close(kill=True)


def suicide(job: Job) -> Trained:
    """End like a process that is killed, unless the job came with a cause."""
    if job.caused_by == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return train(job)


def hang(job: Job) -> Trained:
    """Say which process it is, and wait to be killed."""
    Path(job.caused_by).write_text(str(os.getpid()))
    signal.pause()
    raise AssertionError


def renamed(job: Job, caused_by: str) -> Job:
    return replace(job, caused_by=caused_by)


def test_a_warm_process_trains_again_and_again(pool: TrainingPool, make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job()
    first = pool.submit(job).result(WAIT_S)
    worker = pool.pid
    assert worker not in {None, os.getpid()}
    assert first.loss == train(job).loss
    assert pool.submit(job).result(WAIT_S) == first
    few = make_job(values_of(*frame_of(20, seed=3)))
    with pytest.raises(TrainingError, match="20 labelled rows can be used and 500 are needed"):
        pool.submit(few).result(WAIT_S)
    assert pool.pid == worker
    assert (tmp_path / "prepared").read_text() == "yes"


def test_a_worker_that_dies_takes_its_job_along_and_no_other(make_job: MakeJob) -> None:
    job = make_job()
    pool = TrainingPool(run=suicide)
    try:
        death = pool.submit(renamed(job, "kill"))
        after = pool.submit(job)
        with pytest.raises(TrainingError, match="the training process died"):
            death.result(WAIT_S)
        assert after.result(WAIT_S).rows == 900
        # And one that dies while it has nothing to do takes nothing along.
        assert pool.pid is not None
        os.kill(pool.pid, signal.SIGKILL)
        last = pool.submit(job)
        # Equal jobs give equal versions, whichever process fits them.
        assert last.result(WAIT_S) == after.result()
        closing = pool.submit(job)
        pool.close()
        assert closing.result(0) == last.result()
    finally:
        pool.close(kill=True)


def test_killing_ends_a_training_at_once_and_leaves_no_process(make_job: MakeJob, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    pool = TrainingPool(run=hang)
    running = pool.submit(renamed(make_job(), str(fifo)))
    queued = pool.submit(make_job())
    pid = int(fifo.read_text())  # blocks until the training runs
    pool.close(kill=True)
    with pytest.raises(TrainingError, match="was stopped"):
        running.result(0)
    with pytest.raises((CancelledError, TrainingError)):
        queued.result(0)
    with pytest.raises(ProcessLookupError):  # neither running nor a zombie
        os.kill(pid, 0)


PARENT = """
import sys
from streamapp.training.pool import TrainingPool

if __name__ == "__main__":
    pool = TrainingPool(warm=False)
    pool._thread.submit(pool._warm).result()
    print(pool.pid, flush=True)
    sys.stdin.read()
"""


def test_the_worker_does_not_outlive_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        worker = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    # A pidfd becomes readable when its process has ended.
    ended, _, _ = select.select([worker], [], [], WAIT_S)
    os.close(worker)
    assert ended
