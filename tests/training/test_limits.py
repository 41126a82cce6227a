"""A training that takes too long or too much ends, with all that it has started, and the next one begins."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streamapp.errors import TrainingError
from streamapp.training import Job, Trained, TrainingLimits, TrainingPool, train
from streamapp.training.limits import group_memory_mb

from .conftest import MakeJob

HERE = "tests.training.user_trainers"
WAIT_S = 100


def gone(pid: int) -> bool:
    """Wait for the end of a process; it is there no more if there is nothing to wait for."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], WAIT_S)[0])
    finally:
        os.close(process)


@pytest.fixture
def child_pid_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "pid"
    monkeypatch.setenv("CHILD_PID_FILE", str(path))
    return path


def hang_if_asked(job: Job) -> Trained:
    """Hang as an estimator's fit might."""
    if job.caused_by == "hang":
        signal.pause()
    return train(job)


def unforeseen(job: Job) -> Trained:
    raise LookupError("nobody\nhas thought of this")


@pytest.fixture
def limited() -> Iterator[TrainingPool]:
    pool = TrainingPool(limits=TrainingLimits(timeout_s=60, memory_mb=900))
    yield pool
    pool.close(kill=True)


def test_one_that_takes_too_long_ends_with_what_it_has_started(
    make_job: MakeJob, child_pid_file: Path
) -> None:
    pool = TrainingPool(limits=TrainingLimits(timeout_s=10))
    try:
        hanging = pool.submit(make_job(trainer=f"{HERE}:hanging"))
        after = pool.submit(make_job())
        with pytest.raises(
            TrainingError,
            match="the training was ended after 10 s, of which training_timeout_s allows 10: allow more, or",
        ):
            hanging.result(WAIT_S)
        assert after.result(WAIT_S).rows == 900
        assert gone(int(child_pid_file.read_text()))
    finally:
        pool.close(kill=True)


def test_a_fit_of_the_champions_own_estimator_has_the_same_limit(make_job: MakeJob) -> None:
    pool = TrainingPool(limits=TrainingLimits(timeout_s=0.5), run=hang_if_asked)
    try:
        with pytest.raises(TrainingError, match=r"training_timeout_s allows 0\.5"):
            pool.submit(replace(make_job(), caused_by="hang")).result(WAIT_S)
    finally:
        pool.close(kill=True)


def test_one_that_takes_too_much_memory_ends_and_addresses_are_no_memory(
    limited: TrainingPool, make_job: MakeJob
) -> None:
    hoarding = limited.submit(make_job(trainer=f"{HERE}:hoarding"))
    reserving = limited.submit(make_job(trainer=f"{HERE}:reserving"))
    with pytest.raises(
        TrainingError,
        match=r"the training was ended when it used [\d,]+ MB, of which training_memory_mb allows 900: allow",
    ):
        hoarding.result(WAIT_S)
    assert reserving.result(WAIT_S).rows == 900


def test_a_function_that_ends_its_process_or_leaves_fails_alone(
    limited: TrainingPool, make_job: MakeJob
) -> None:
    with pytest.raises(TrainingError, match="the training process died in the middle of its work"):
        limited.submit(make_job(trainer=f"{HERE}:dying")).result(WAIT_S)
    with pytest.raises(TrainingError, match="failed on 600 rows: SystemExit: enough"):
        limited.submit(make_job(trainer=f"{HERE}:leaving")).result(WAIT_S)
    with pytest.raises(TrainingError, match="there is no module nowhere"):
        limited.submit(make_job(trainer="nowhere:fit")).result(WAIT_S)
    assert limited.submit(make_job(trainer=f"{HERE}:forest")).result(WAIT_S).rows == 900


def test_an_error_that_was_not_foreseen_is_one_line(make_job: MakeJob) -> None:
    pool = TrainingPool(run=unforeseen)
    try:
        with pytest.raises(TrainingError) as caught:
            pool.submit(make_job()).result(WAIT_S)
        assert str(caught.value) == "the training failed: LookupError: nobody has thought of this"
    finally:
        pool.close(kill=True)


TWO = """
import subprocess, sys
one = bytearray(b"x" * 50_000_000)
if len(sys.argv) == 1:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, __file__, "child"], **pipes) as child:
        child.stdout.readline()
        print("ready", flush=True)
        sys.stdin.read()
        child.stdin.close()
else:
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_memory_is_that_of_all_processes_of_a_group(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(TWO)
    with subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert 100 < group_memory_mb(process.pid) < 150
        assert process.stdin is not None
        process.stdin.close()
    assert group_memory_mb(process.pid) == 0


def test_without_limits_nothing_is_too_much() -> None:
    assert TrainingLimits().overrun(1e9, os.getpgid(0)) is None
    assert TrainingLimits(timeout_s=5).overrun(5.0, os.getpgid(0)) is None
