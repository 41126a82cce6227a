"""What drift costs per event, and what it keeps: ``python tests/benchmarks/drift/bench_cost.py``.

The hot path is ``Profile.summarize``, which SCORE calls once per batch; closed panes are judged by WATCH, in
another process. Where the package river is installed, one of its ADWIN detectors per column of numbers runs
beside it, on the same rows in the same run: alternating, the best of the rounds, CPU time.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import orjson

from streamapp.drift import DriftMonitor
from streamapp.drift.panes import TableCutter
from streamapp.profile import Columns, Profile, as_columns
from tests.benchmarks.drift.bench_run_length import fitted, rows

EVENTS = 20_480


def main() -> None:
    """Print the costs and the sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    for columns in (20, 100, 200, 240):
        rng = np.random.default_rng(5)
        profile = fitted(rng, columns)
        drawn, outputs = rows(rng, EVENTS, columns)
        table = as_columns(drawn)
        for batch in (100, 512):
            parts = [
                ({name: values[at : at + batch] for name, values in table.items()}, outputs[at : at + batch])
                for at in range(0, EVENTS, batch)
            ]
            runs: dict[str, Callable[[], object]] = {"summary": partial(summarize, profile, parts)}
            if (adwin := beside(table)) is not None:
                runs["ADWIN per column of numbers"] = adwin
            for name, best in alternating(runs, rounds).items():
                print(f"{columns} columns, batches of {batch}: {name} {best / EVENTS * 1e6:.2f} us per event")
        monitor, panes = DriftMonitor(profile), list(TableCutter(profile).cut(table, outputs))
        start = time.process_time()
        for pane in panes:
            monitor.add(pane)
        each = (time.process_time() - start) / len(panes)
        print(f"{columns} columns: {each * 1e6:.0f} us per closed pane of 64")
        summary, state = panes[0].summary, monitor.snapshot()
        arrays = (summary.counts, summary.pairs, summary.apart, summary.outputs)
        sizes = {
            "the reference": len(profile.to_bytes()),
            "a pane in memory": sum(array.nbytes for array in arrays),
            "a pane as JSON": len(orjson.dumps(summary.to_dict())),
            "the state of all windows": len(orjson.dumps(state)),
        }
        told = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
        print(f"{columns} columns, bytes: {told}")


def summarize(profile: Profile, parts: Sequence[tuple[Columns, np.ndarray]]) -> None:
    """Sum up every batch."""
    for part in parts:
        profile.summarize(*part)


def alternating(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the least CPU seconds of each run."""
    best = dict.fromkeys(runs, np.inf)
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    return best


def beside(table: Columns) -> Callable[[], object] | None:
    """Return a run of river's ADWIN over every column of numbers, None if river is not there."""
    try:
        adwin = importlib.import_module("river.drift").ADWIN  # not a dependency
    except ImportError:
        return None
    numbers = [values[np.isfinite(values)].tolist() for values in table.values() if values.dtype != object]

    def run() -> None:
        for values in numbers:
            detector = adwin()
            for value in values:
                detector.update(value)

    return run


if __name__ == "__main__":
    main()
