"""streamapp beside loops by hand and Faust as in its docs: ``python tests/benchmarks/peers/bench_peers.py``.

All answer the same requests of the same broker with the same model, one process each, in rounds whose order
turns. Trust the ratios and the processor time: requests/s are those of a machine that does other things, too.

`drain` empties a topic that is full; `latency` answers a paced load; `start` and `stop` are the seconds these
take; `second` shares a topic between two processes; `predict` tells the model's own time from the rest;
`memory` has few or many requests waiting, and large ones.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from streamapp.runtime.broker import Broker
from tests.benchmarks.peers import process
from tests.benchmarks.peers.cluster import Cluster
from tests.benchmarks.peers.jobs import ALL, Contender, Job, Place
from tests.benchmarks.peers.latency import latency
from tests.benchmarks.peers.lifecycle import start_and_restart, stop
from tests.benchmarks.peers.load import fill
from tests.benchmarks.peers.model import KINDS, make
from tests.benchmarks.peers.tables import table
from tests.benchmarks.peers.throughput import Row, drain, inside_model, memory, second

LARGE_BYTES = 1_000_000
MEMORY_S = 30.0

Results = dict[str, list[Row]]
Run = Callable[[Job], list[Row]]


class Bench:
    """Runs measures and keeps what they gave.

    Parameters
    ----------
    place
        Where the contenders run.
    contenders
        In the order of the first round.
    options
        Of the command line.
    """

    def __init__(self, place: Place, contenders: Sequence[Contender], options: argparse.Namespace) -> None:
        self.place, self.contenders, self.options = place, contenders, options
        self.results: dict[str, Results] = {
            measure: defaultdict(list) for measure in options.measure.split(",")
        }
        self.failures: list[str] = []

    def run(self, measure: str, round_: int) -> None:
        """Run one round of a measure."""
        getattr(self, f"_{measure}")(measure, self.contenders[:: 1 if round_ % 2 == 0 else -1])

    def _drain(self, measure: str, contenders: Sequence[Contender]) -> None:
        with self._sharing(contenders, self.options.requests) as jobs:
            for job in jobs:
                self._keep(measure, job.contender.name, lambda job: [drain(job, self._count(job))], job)

    def _predict(self, measure: str, contenders: Sequence[Contender]) -> None:
        with self._sharing(contenders, self.options.requests) as jobs:
            for job in jobs:
                self._keep(
                    measure, job.contender.name, lambda job: [inside_model(job, self._count(job))], job
                )

    def _memory(self, measure: str, contenders: Sequence[Contender]) -> None:
        cases = {f"{n:,} waiting": (n, 0) for n in (100_000, self.options.backlog)}
        cases[f"{self.options.large:,} of 1 MB"] = (self.options.large, LARGE_BYTES)
        for case, (count, note_bytes) in cases.items():
            with self._sharing(contenders, count, note_bytes=note_bytes) as jobs:
                for job in jobs:
                    run = partial(_memory_row, wanted=count)
                    self._keep(measure, f"{job.contender.name}, {case}", run, job)

    def _latency(self, measure: str, contenders: Sequence[Contender]) -> None:
        rates, seconds = self.options.rates, self.options.seconds
        self._each(measure, contenders, lambda job: [latency(job, rates, seconds=seconds)])

    def _start(self, measure: str, contenders: Sequence[Contender]) -> None:
        self._each(measure, contenders, lambda job: start_and_restart(job, self.options.repetitions))

    def _stop(self, measure: str, contenders: Sequence[Contender]) -> None:
        self._each(measure, contenders, lambda job: [stop(job, self._count(job))])

    def _second(self, measure: str, contenders: Sequence[Contender]) -> None:
        self._each(measure, contenders, lambda job: [second(job, self._count(job), processes=1)], ", one")
        self._each(measure, contenders, lambda job: [second(job, self._count(job), processes=2)], ", two")

    def _count(self, job: Job) -> int:
        return int(self.options.requests * job.contender.share)

    def _each(self, measure: str, contenders: Sequence[Contender], run: Run, case: str = "") -> None:
        """Run a measure with topics of its own for each contender."""
        for contender in contenders:
            job = self.place.job(contender)
            self._keep(measure, contender.name + case, run, job)
            job.end()

    @contextlib.contextmanager
    def _sharing(
        self, contenders: Sequence[Contender], count: int, *, note_bytes: int = 0
    ) -> Iterator[list[Job]]:
        """Yield jobs that all answer the same full topic, each into one of its own."""
        # streamapp's topic of requests has to bear its name.
        owner = next((each for each in contenders if each.is_streamapp), contenders[0])
        first = self.place.job(owner)
        fill(self.place.cluster.bootstrap, first.requests, count, note_bytes=note_bytes)
        jobs = [
            first if each is owner else self.place.job(each, requests=first.requests) for each in contenders
        ]
        yield jobs
        for job in jobs:
            job.end()

    def _keep(self, measure: str, label: str, run: Run, job: Job) -> None:
        began = time.monotonic()
        try:
            rows = run(job)
        except Exception as error:  # one that fails must not end the others
            process.end_all()
            self.failures.append(f"{measure} {label}: {type(error).__name__}: {error}")
            print(f"  {self.failures[-1]}", flush=True)
            return
        self.results[measure][label] += rows
        print(f"  {measure} {label}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def _memory_row(job: Job, wanted: int) -> list[Row]:
    return [memory(job, wanted, seconds=MEMORY_S)]


def main() -> None:
    """Run what was asked for, and print a table per measure."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it retries it logs as errors
    contenders = [ALL[name] for name in options.only.split(",")]
    try:
        with tempfile.TemporaryDirectory(prefix="streamapp-peers-") as folder, _broker() as broker:
            place = Place(
                Cluster(broker.bootstrap), broker.pid or 0, make(options.model, Path(folder)), Path(folder)
            )
            bench = Bench(place, contenders, options)
            try:
                _run(bench, options)
            finally:
                process.end_all()
                _report(bench, options)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(bool(bench.failures))


def _broker() -> Broker:
    # The times of answers are then the broker's, whoever sends them.
    return Broker(properties={"log.message.timestamp.type": "LogAppendTime"})


def _run(bench: Bench, options: argparse.Namespace) -> None:
    for round_ in range(options.rounds):
        for measure in bench.results:
            if round_ == 0 or measure not in {"start", "memory"}:  # these repeat themselves
                bench.run(measure, round_)


def _report(bench: Bench, options: argparse.Namespace) -> None:
    print(
        f"{options.requests:,} requests, model: {options.model}; median (smallest..largest), CPU per request"
    )
    for measure, results in bench.results.items():
        named = {name: results[name] for name in sorted(results, key=_place_of)}
        print(f"\n{table(measure, named, rates=options.rates)}", flush=True)
    for failure in bench.failures:
        print(f"failed: {failure}")
    if options.json:
        kept: dict[str, Any] = {"options": vars(options), "results": bench.results}
        options.json.write_text(json.dumps(kept, indent=1, default=str))


def _place_of(label: str) -> int:
    return list(ALL).index(label.partition(",")[0])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=200_000, help="of a drain and its like")
    parser.add_argument(
        "--measure", default="drain,latency", help="drain,latency,start,stop,second,predict,memory"
    )
    parser.add_argument("--only", default=",".join(ALL), metavar="NAME,...", help=", ".join(ALL))
    parser.add_argument("--model", choices=KINDS, default="logistic")
    parser.add_argument(
        "--rates", type=lambda text: [int(rate) for rate in text.split(",")], default=[500, 2_000]
    )
    parser.add_argument("--seconds", type=float, default=5, help="of each rate")
    parser.add_argument("--repetitions", type=int, default=5, help="of start")
    parser.add_argument("--backlog", type=int, default=2_000_000, help="the many requests of memory")
    parser.add_argument("--large", type=int, default=300, help="the requests of 1 MB of memory")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's figures there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
