"""Trainings in a process of their own, which nothing that happens there can take the caller down with.

Theory of operation: one thread takes jobs in their order and hands each to one warm worker process. The
worker is spawned, never forked (the caller has threads and clients), lowers its own priority so that answers
come first, and ends itself when its parent is gone. A worker that dies takes its job along, and the next job
gets a new one. It leads a process group, so that what it has started is watched and ended with it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import connection

from streamapp.errors import InfrastructureError, TrainingEndedError, TrainingError, in_one_line
from streamapp.training.job import Job, Trained, train
from streamapp.training.limits import TrainingLimits

__all__ = ["TrainingPool"]

_NICE = 5
_LOOK_EVERY_S = 0.1


class TrainingPool:
    """Runs trainings one after the other in a worker process.

    Close it: the interpreter waits for a training that runs.

    Parameters
    ----------
    limits
        Of each job. One that takes more is killed, with all that it has started.
    warm
        Start the worker now rather than with the first job.
    run
        What the worker calls with a job; must be importable.
    prepare
        Called in the worker before its first job, for example to set up its log; must be picklable.
    """

    def __init__(
        self,
        *,
        limits: TrainingLimits | None = None,
        warm: bool = True,
        run: Callable[[Job], Trained] = train,
        prepare: Callable[[], object] | None = None,
    ) -> None:
        self._limits = limits or TrainingLimits()
        self._run = run
        self._prepare = prepare
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="training")
        self._worker: ProcessPoolExecutor | None = None
        self._pid: int | None = None
        self._closed = False
        if warm:
            self._thread.submit(self._warm)

    @property
    def pid(self) -> int | None:
        """Process id of the worker, None before there is one."""
        return self._pid

    def submit(self, job: Job) -> Future[Trained]:
        """Queue a job.

        Its future raises what :func:`train` raises. Whatever else goes wrong is a TrainingError: a worker
        that dies or takes more than it may, an error that was not foreseen.
        """
        return self._thread.submit(self._train, job)

    def close(self, *, kill: bool = False) -> None:
        """End the worker: after the jobs that are queued, or at once with their futures failed."""
        self._closed = self._closed or kill
        if kill:
            self._kill()
        self._thread.shutdown(wait=True, cancel_futures=kill)
        if self._worker is not None:
            self._worker.shutdown(wait=True, cancel_futures=True)
            self._worker = self._pid = None

    # From here on: in the pool's thread.

    def _train(self, job: Job) -> Trained:
        if self._closed:
            raise TrainingEndedError("the training was stopped before it began")
        overrun: str | None = None
        try:
            future = self._ready().submit(self._run, job)
            overrun = self._watch(future)
            return future.result()
        except BrokenProcessPool as exc:
            self._bury()
            if self._closed:
                raise TrainingEndedError("the training was stopped") from exc
            raise TrainingEndedError(
                overrun
                or "the training process died in the middle of its work, as it does when it is killed or "
                "memory runs out: ask again with streamapp retrain, and set training_rows lower if it "
                "happens again"
            ) from exc
        except (TrainingError, InfrastructureError):
            raise
        except Exception as exc:
            # A training is asked for once: as another error it would end the role, and be begun again.
            raise TrainingError(f"the training failed: {in_one_line(exc)}") from exc

    def _watch(self, future: Future[Trained]) -> str | None:
        """Wait for a job's end; if it takes more than it may, kill it and return what was too much."""
        began = time.monotonic()
        while not wait([future], timeout=_LOOK_EVERY_S).done:
            pid = self._pid
            if pid is not None and (overrun := self._limits.overrun(time.monotonic() - began, pid)):
                self._kill()
                return overrun
        return None

    def _warm(self) -> None:
        with suppress(BrokenProcessPool):  # the first job will say so
            self._ready()

    def _ready(self) -> ProcessPoolExecutor:
        """Return the worker's executor, its process running."""
        if self._worker is not None:
            try:
                self._worker.submit(_beat).result()
            except BrokenProcessPool:  # it died while it had nothing to do
                self._bury()
            else:
                return self._worker
        self._worker = ProcessPoolExecutor(
            1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_settle,
            initargs=(self._prepare,),
        )
        self._pid = self._worker.submit(_beat).result()
        if self._closed:  # closed while it was starting
            self._kill()
        return self._worker

    def _bury(self) -> None:
        self._kill()  # what the worker had started may live
        if self._worker is not None:
            self._worker.shutdown(wait=True)  # so that no process is left, not even a dead one
        self._worker = self._pid = None

    def _kill(self) -> None:
        if self._pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)


def _beat() -> int:
    return os.getpid()


def _settle(prepare: Callable[[], object] | None) -> None:
    """Prepare the worker: head of its group, last in line for the processor, and gone when its parent is."""
    os.setpgid(0, 0)
    with suppress(OSError):
        os.nice(_NICE)
    # Ctrl-C in a terminal goes to all processes; the parent decides what becomes of this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        # Not Linux's signal at a parent's death: that one takes the end of the starting thread for it.
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    if prepare is not None:
        prepare()
    import sklearn.pipeline  # noqa: F401, PLC0415  # the most of what the first job would wait for


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os.killpg(0, signal.SIGKILL)  # this process too, and at once
