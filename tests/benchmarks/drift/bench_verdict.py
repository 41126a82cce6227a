"""Verdicts on shifts of outputs: ``python tests/benchmarks/drift/bench_verdict.py``.

A classifier of ten columns (six numbers, four categories, trees) answers 4,000 quiet rows and 1,000 rows
after a change, of which each run has its own: nothing, an input that drifts by .6 sd, an offset of .25 sd on
the log-odds, a feature off by .5 sd inside the model, an offset while an input drifts. Printed: how often the
model is blamed and how often nothing is said, how often the column that drifts comes first, and the cost.

Then whole streams, judged as in production by the fold over panes, set to one false alarm per 100,000: the
verdict when the alert on outputs opens, and the last one of those that follow. After 6,000 quiet rows there
are 6,000 with the change, and 3,000 with twice the change; or it comes slowly, over 10,000 rows; or another
version takes over. Each run trains its own. It learned from other labels or takes a column otherwise, and is
compared with the profile of the first one, or with one of its own whose outputs are those of the first one.
Or it is an equal one, and the inputs drift when it takes over, or 500 rows later.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from streamapp.drift import Answered, Watch, explain
from streamapp.drift.quiet import Quiet
from streamapp.drift.surrogate import density_ratio, effective_share, tabulate
from streamapp.drift.verdict import find_cause
from streamapp.messages import Distribution, Verdict
from streamapp.profile import Columns, Profile

TRUTHS = ("nothing", "inputs", "offset", "feature off", "offset and inputs")
QUIET = 6_000
LEVELS = np.array(list("abcdefgh"), dtype=object)
PANE = 64
SHARES = {"< .03": 0.03, ".03": 0.05, ".05": 0.1, ".1": 0.15, ".15": 0.2, ".2": 0.3, ".3": 0.4}
Model: TypeAlias = HistGradientBoostingClassifier | Pipeline
Segments = Sequence[tuple[str, Answered]]
"""Versions and what each answered, in the order of the stream."""


def main() -> None:
    """Print a line per truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--streams", metavar="WORD", help="only whole streams that are named so")
    args = parser.parse_args()
    rng = np.random.default_rng(19)
    model = fitted(rng)
    if not args.streams:
        windows(model, rng, args.runs)
        for made in (model, fitted_network(np.random.default_rng(21))):
            overlaps(made, np.random.default_rng(22), args.runs)
    streams(model, args.runs, args.streams or "")


def windows(model: Model, rng: np.random.Generator, runs: int) -> None:
    """Print what is said of 1,000 rows."""
    for truth in TRUTHS:
        causes, first, seconds = Counter[str](), 0, 0.0
        for _ in range(runs):
            before, now = shifted(truth, model, rng)
            start = time.process_time()
            verdict = explain(before, now)
            seconds += time.process_time() - start
            causes[verdict.cause] += 1
            first += bool(verdict.inputs) and verdict.inputs[0].name == "n0"
        told = f"blamed {causes['unexplained']}, no verdict {causes['no-verdict']} of {runs}"
        print(f"{truth}: {told}; n0 first {first}; {seconds / runs:.1f} s each", flush=True)


def overlaps(model: Model, rng: np.random.Generator, runs: int) -> None:
    """Print how often the model is blamed when an input drifts far, by effective share of the quiet rows."""
    blamed: dict[str, list[bool]] = {}
    for up in np.repeat([0.6, 0.9, 1.2, 1.5, 1.8, 2.1, 2.5], runs).tolist():
        before, now = plain(model, rng, 4_000), answered(model, drawn := rows(rng, 1_000, up=up), drawn)
        share = effective_share(density_ratio(*tabulate(before.columns, now.columns)))
        bin_ = next((name for name, end in SHARES.items() if share < end), "more")
        verdict = explain(before, now, min_overlap=0.0)
        blamed.setdefault(bin_, []).append(verdict.cause == "unexplained")
    told = ", ".join(
        f"{name} {sum(blamed[name])} of {len(blamed[name])}" for name in [*SHARES, "more"] if name in blamed
    )
    print(f"{type(model).__name__}, blamed at an effective share of {told}", flush=True)


def streams(model: Model, runs: int, only: str = "") -> None:
    """Print what is said of whole streams, of those whose name has `only` in it."""
    cases = {
        f"{how} {truth}": partial(one_version, model, truth=truth, slow=how == "slow")
        for how in ("sudden", "slow")
        for truth in ("inputs", "offset", "offset and inputs")
    }
    for profile in ("the profile of before", "a profile of its own"):
        own = "own" in profile
        for kind in ("other labels", "other use"):
            cases[f"version with {kind}, {profile}"] = partial(other_version, model, kind=kind, own=own)
        for after in (0, 500):
            name = f"version that is equal, inputs {after} later, {profile}"
            cases[name] = partial(equal_version, model, after=after, own=own)
    for number, (name, case) in enumerate(cases.items()):
        if only not in name:
            continue
        rng, first, last = np.random.default_rng([20, number]), Counter[str](), Counter[str]()
        delays = []
        for _ in range(runs):
            said = verdicts(*case(rng=rng))
            first[said[0][1].cause if said else "no alert"] += 1
            last[said[-1][1].cause if said else "no alert"] += 1
            delays += [said[0][0] - QUIET] if said else []
        rows_after = f" after {np.mean(delays):.0f} rows" if delays else ""
        print(f"{name}: opened{rows_after} {dict(first)}; at last {dict(last)}", flush=True)


def verdicts(segments: Segments, profiles: Mapping[str, Profile]) -> list[tuple[int, Verdict]]:
    """Return the verdicts on the first alert on outputs after the quiet rows, each with its row."""
    watch, said = Watch("bench"), list[tuple[int, Verdict]]()
    columns = {
        name: np.concatenate([own.columns[name] for _, own in segments]) for name in segments[0][1].columns
    }
    outputs = np.concatenate([own.outputs for _, own in segments])
    version_of = np.repeat([version for version, _ in segments], [len(own) for _, own in segments])

    def answered(quiet: Quiet | None) -> Answered | None:
        return None if quiet is None else take(quiet.version, *quiet.span.partitions[0])

    def take(version: str, first: int, next_: int) -> Answered:
        at = first + np.flatnonzero(version_of[first:next_] == version)
        return Answered({name: values[at] for name, values in columns.items()}, outputs[at])

    for first in range(0, len(outputs) - PANE + 1, PANE):
        version, next_ = str(version_of[first + PANE - 1]), first + PANE
        rows_ = take(version, first, next_)
        summary = profiles[version].summarize(rows_.columns, rows_.outputs)
        pane = Distribution(
            version=version, partition=0, first_offset=first, next_offset=next_, events=len(rows_),
            rows=len(rows_), from_=first, to=next_ - 1, summary=summary.to_dict(),
        )  # fmt: skip
        for alert in watch.fold(pane, profiles.get):
            if alert.kind != "output" or alert.window is None or next_ <= QUIET:
                continue
            if alert.state == "resolved":
                if said:
                    return said
                continue
            now = take(version, *alert.window.partitions["0"])
            quiet = watch.quiet
            verdict = find_cause(now, answered(quiet.own), answered(quiet.former), watch.since(version))
            said.append((next_, watch.with_verdict(alert, verdict).verdict or verdict))
    return said


def one_version(
    model: Model, rng: np.random.Generator, truth: str, *, slow: bool
) -> tuple[Segments, dict[str, Profile]]:
    """Return a stream that changes once and once more, or slowly."""
    n = 15_000 if slow else 9_000
    amount = np.minimum(np.arange(n) / 5_000, 2) if slow else np.repeat([1.0, 2.0], [6_000, 3_000])
    now = rows(rng, n, up=0.6 * amount if "inputs" in truth else 0.0)
    changed = answered(model, now, now, 0.25 * amount if "offset" in truth else 0.0)
    return [("v1", plain(model, rng, QUIET)), ("v1", changed)], {"v1": profile_of(model, rng)}


def other_version(
    model: Model, rng: np.random.Generator, kind: str, *, own: bool
) -> tuple[Segments, dict[str, Profile]]:
    """Return a stream in which a version takes over that answers otherwise."""
    other = fitted(rng, bound=0.1) if kind == "other labels" else fitted(rng, square=1.0)
    profile = profile_of(model, rng)
    profiles = {"v1": profile, "v2": profile_of(model, rng) if own else profile}
    return [("v1", plain(model, rng, QUIET)), ("v2", plain(other, rng, 9_000))], profiles


def equal_version(
    model: Model, rng: np.random.Generator, after: int, *, own: bool
) -> tuple[Segments, dict[str, Profile]]:
    """Return a stream in which an equal version takes over, and the inputs drift `after` rows later."""
    other = fitted(rng)
    profile = profile_of(model, rng)
    now = rows(rng, 9_000, up=np.where(np.arange(9_000) < after, 0.0, 0.6))
    profiles = {"v1": profile, "v2": profile_of(other, rng) if own else profile}
    return [("v1", plain(model, rng, QUIET)), ("v2", answered(other, now, now))], profiles


def profile_of(model: Model, rng: np.random.Generator) -> Profile:
    """Return a profile of 4,000 rows and of what the model says to them."""
    reference = plain(model, rng, 4_000)
    return Profile.fit(reference.columns, reference.outputs, classes=["no", "yes"])


def plain(model: Model, rng: np.random.Generator, n: int) -> Answered:
    """Return `n` answered rows without any change."""
    drawn = rows(rng, n)
    return answered(model, drawn, drawn)


def shifted(
    truth: str, model: Model, rng: np.random.Generator, *, after: int = 1_000
) -> tuple[Answered, Answered]:
    """Return quiet rows and those after the change."""
    before, now = rows(rng, 4_000), rows(rng, after, up=0.6 if "inputs" in truth else 0.0)
    asked = dict(now)
    if "feature" in truth:
        asked["n0"] = now["n0"] + 0.5
    return answered(model, before, before), answered(model, now, asked, 0.25 if "offset" in truth else 0.0)


def answered(model: Model, columns: Columns, asked: Columns, by: float | np.ndarray = 0.0) -> Answered:
    """Return rows with the model's answers; `by` moves log-odds by so many of their sd."""
    p = np.clip(model.predict_proba(matrix(asked))[:, 1], 1e-6, 1 - 1e-6)
    odds = np.log(p / (1 - p))
    p = 1 / (1 + np.exp(-odds - by * odds.std()))
    return Answered(columns, np.stack([1 - p, p], axis=1))


def rows(rng: np.random.Generator, n: int, up: float | np.ndarray = 0.0) -> Columns:
    """Return rows of correlated numbers and of categories; `up` moves n0 by so many sd, and n1 with it."""
    factor = rng.normal(size=n)
    table: Columns = {f"n{i}": 0.6 * factor + 0.8 * rng.normal(size=n) for i in range(6)}
    table["n0"] += up
    table["n3"] = np.exp(table["n3"])
    table["n4"][rng.random(n) < 0.05] = np.nan
    for i in range(4):
        table[f"c{i}"] = rng.choice(LEVELS[: 2 + 2 * i], n)
    return table


def fitted(
    rng: np.random.Generator, bound: float = 0.5, square: float = 0.5
) -> HistGradientBoostingClassifier:
    """Return a model of 8,000 rows, labelled by a score above `bound`, in which n1² counts `square`."""
    table = rows(rng, 8_000)
    score = table["n0"] + 0.5 * np.log(table["n3"]) * (table["c3"] > "d") + square * table["n1"] ** 2
    y = score + rng.normal(size=8_000) > bound
    return HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(matrix(table), y)


def fitted_network(rng: np.random.Generator) -> Pipeline:
    """Return a smooth model of as many rows."""
    table = rows(rng, 8_000)
    score = table["n0"] + 0.5 * np.log(table["n3"]) * (table["c3"] > "d") + 0.5 * table["n1"] ** 2
    network = MLPClassifier((16,), max_iter=60, tol=0.01, random_state=0)
    y = score + rng.normal(size=8_000) > 0.5
    return make_pipeline(SimpleImputer(), StandardScaler(), network).fit(matrix(table), y)


def matrix(columns: Columns) -> np.ndarray:
    """Return numbers and places of levels, (n, 10)."""
    place = {level: float(i) for i, level in enumerate(LEVELS.tolist())}
    return np.column_stack(
        [
            [place[level] for level in values.tolist()] if values.dtype == object else values
            for values in columns.values()
        ]
    )


if __name__ == "__main__":
    main()
