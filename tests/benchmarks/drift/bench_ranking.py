"""Which columns an alert names first: ``python tests/benchmarks/drift/bench_ranking.py``.

The first alert after a drift, at one false alarm per 100,000 events, 4,000 quiet events before. Shares of the
runs that found it: *any*, a column that did change is named; *first*, such a column is named first; *before*,
all of them that are named stand before every other one; *alone*, no other one is named. The streams are those
of ``bench_run_length.py``; with ``--harness DIR`` those of its drifts of 20 real columns.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from streamapp.drift import DriftMonitor
from streamapp.messages import Alert
from streamapp.profile import Columns, Profile
from tests.benchmarks.drift.bench_run_length import DRIFTS, HORIZON, QUIET, drifted, fitted, rows

BATCH = 100
RANKS = ("any", "first", "before", "alone")


@dataclass(frozen=True)
class Run:
    """A stream whose columns `changed` drift from row 4,000 on."""

    profile: Profile
    columns: Columns
    outputs: np.ndarray | None
    changed: frozenset[str]


def main() -> None:
    """Print a line per drift, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40, help="per drift")
    parser.add_argument("--harness", help="folder of a harness whose streams are taken instead")
    parser.add_argument("--false-alarm-every", type=int, default=100_000)
    options = parser.parse_args()
    kinds: Sequence[str] = [kind for kind in DRIFTS if kind != "output"]  # of those there is one
    if options.harness:
        sys.path.insert(0, options.harness)
        kinds = [kind for kind in importlib.import_module("streams").DRIFTS if kind != "output"]
    pooled: Counter[str] = Counter()
    for kind in kinds:
        runs = harness_runs(kind, options.runs) if options.harness else own_runs(kind, options.runs)
        counts: Counter[str] = Counter()
        for run in runs:
            alert = first_alert(run, options.false_alarm_every)
            counts["runs"] += 1
            counts.update([] if alert is None else ["found", *said_rightly(names_of(alert), run.changed)])
        print(line(kind, counts), flush=True)
        pooled += counts
    print(line("all", pooled))


def own_runs(kind: str, runs: int) -> Iterator[Run]:
    """Yield runs on generated rows."""
    for seed in range(runs):
        rng = np.random.default_rng([13, seed])
        profile, quiet = fitted(rng, 20), rows(rng, QUIET, 20)
        late, changed = drifted(kind, rng, HORIZON, 20)
        columns = {name: np.concatenate([own, late[0][name]]) for name, own in quiet[0].items()}
        yield Run(profile, columns, np.concatenate([quiet[1], late[1]]), changed)


def harness_runs(kind: str, runs: int) -> Iterator[Run]:
    """Yield runs on the rows of the harness."""
    streams = importlib.import_module("streams")
    for seed in range(runs):
        reference, stream, changed = streams.drifting(kind, seed)
        yield Run(Profile.fit(reference.columns()), stream.columns(), None, frozenset(changed))


def first_alert(run: Run, false_alarm_every: int) -> Alert | None:
    """Return the first alert that opens after the drift, None if none does; earlier ones start over."""
    monitor = DriftMonitor(run.profile, false_alarm_every=false_alarm_every)
    for at in range(0, QUIET + HORIZON, BATCH):
        part = slice(at, at + BATCH)
        outputs = None if run.outputs is None else run.outputs[part]
        alerts = monitor.update({name: own[part] for name, own in run.columns.items()}, outputs)
        opened = [alert for alert in alerts if alert.state == "opened"]
        if opened and at >= QUIET:
            return opened[0]
        if opened:
            monitor = DriftMonitor(run.profile, false_alarm_every=false_alarm_every)
    return None


def names_of(alert: Alert) -> list[str]:
    """Return the columns that are named, best first."""
    return list(dict.fromkeys(feature.name for feature in alert.features))


def said_rightly(named: Sequence[str], changed: frozenset[str]) -> list[str]:
    """Return which of the four hold."""
    is_changed = [name in changed for name in named]
    ranks = {"any": any(is_changed), "first": is_changed[0]}
    ranks["before"] = ranks["any"] and is_changed == sorted(is_changed, reverse=True)
    ranks["alone"] = all(is_changed)
    return [rank for rank, holds in ranks.items() if holds]


def line(kind: str, counts: Counter[str]) -> str:
    """Return what is told of a drift."""
    found = counts["found"]
    shares = ", ".join(f"{rank} {100 * counts[rank] / max(found, 1):.1f} %" for rank in RANKS)
    return f"{kind}: {found} of {counts['runs']} found; {shares}"


if __name__ == "__main__":
    main()
