"""Verdicts on shifts of outputs: ``python tests/benchmarks/drift/bench_verdict.py``.

A classifier of ten columns (six numbers, four categories, trees) answers 4,000 quiet rows and 1,000 rows
after a change, of which each run has its own: nothing, an input that drifts, an offset of .25 sd on the
log-odds, a feature off by .5 sd inside the model, an offset while an input drifts. Printed: how often the
model is blamed and how often nothing is said, how often the column that drifts comes first, and the cost.
Then the same at the moment when the monitor, set to one false alarm per 100,000, raises the alert on the
outputs: with the rows of its window.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from streamapp.drift import Answered, DriftMonitor, explain
from streamapp.drift.verdict import lookback
from streamapp.messages import Verdict
from streamapp.profile import Columns, Profile

TRUTHS = ("nothing", "inputs", "offset", "feature off", "offset and inputs")
QUIET = 6_000
LEVELS = np.array(list("abcdefgh"), dtype=object)


def main() -> None:
    """Print a line per truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    runs = parser.parse_args().runs
    rng = np.random.default_rng(19)
    model = fitted(rng)
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
    for truth in ("inputs", "offset", "offset and inputs"):
        at_alarm = [verdict_at_alarm(truth, model, rng) for _ in range(runs // 2)]
        causes = Counter(verdict.cause for verdict, _ in at_alarm)
        requests = np.mean([delay for _, delay in at_alarm])
        print(f"{truth}, at the alarm after {requests:.0f} requests: {dict(causes)}", flush=True)


def verdict_at_alarm(
    truth: str, model: HistGradientBoostingClassifier, rng: np.random.Generator
) -> tuple[Verdict, int]:
    """Return the verdict on the first alert on outputs after the change, and the requests until then."""
    (reference, _), (_, now) = shifted("nothing", model, rng), shifted(truth, model, rng, after=3_000)
    quiet = answered(model, drawn := rows(rng, QUIET), drawn)
    columns = {name: np.concatenate([values, now.columns[name]]) for name, values in quiet.columns.items()}
    outputs = np.concatenate([quiet.outputs, now.outputs])
    profile = Profile.fit(reference.columns, reference.outputs, classes=["no", "yes"])
    for alert in DriftMonitor(profile).update(columns, outputs):
        window = alert.window
        if alert.kind == "output" and alert.state == "opened" and window is not None and window.to >= QUIET:
            start, end = lookback(window)[0]
            first = window.partitions["0"][0]
            parts = [
                Answered({name: values[part] for name, values in columns.items()}, outputs[part])
                for part in (slice(start, first), slice(first, end))
            ]
            return explain(*parts), window.to + 1 - QUIET
    return Verdict(cause="no-verdict"), len(now)


def shifted(
    truth: str, model: HistGradientBoostingClassifier, rng: np.random.Generator, *, after: int = 1_000
) -> tuple[Answered, Answered]:
    """Return quiet rows and those after the change."""
    before, now = rows(rng, 4_000), rows(rng, after, up=0.6 if "inputs" in truth else 0.0)
    asked = dict(now)
    if "feature" in truth:
        asked["n0"] = now["n0"] + 0.5
    return answered(model, before, before), answered(model, now, asked, 0.25 if "offset" in truth else 0.0)


def answered(
    model: HistGradientBoostingClassifier, columns: Columns, asked: Columns, by: float = 0.0
) -> Answered:
    """Return rows with the model's answers; `by` moves log-odds by so many of their sd."""
    p = np.clip(model.predict_proba(matrix(asked))[:, 1], 1e-6, 1 - 1e-6)
    odds = np.log(p / (1 - p))
    p = 1 / (1 + np.exp(-odds - by * odds.std()))
    return Answered(columns, np.stack([1 - p, p], axis=1))


def rows(rng: np.random.Generator, n: int, up: float = 0.0) -> Columns:
    """Return rows of correlated numbers and of categories; `up` moves n0 by so many sd, and n1 with it."""
    factor = rng.normal(size=n)
    table: Columns = {f"n{i}": 0.6 * factor + 0.8 * rng.normal(size=n) for i in range(6)}
    table["n0"] += up
    table["n3"] = np.exp(table["n3"])
    table["n4"][rng.random(n) < 0.05] = np.nan
    for i in range(4):
        table[f"c{i}"] = rng.choice(LEVELS[: 2 + 2 * i], n)
    return table


def fitted(rng: np.random.Generator) -> HistGradientBoostingClassifier:
    """Return a model of 8,000 rows."""
    table = rows(rng, 8_000)
    score = table["n0"] + 0.5 * np.log(table["n3"]) * (table["c3"] > "d") + 0.5 * table["n1"] ** 2
    y = score + rng.normal(size=8_000) > 0.5
    return HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(matrix(table), y)


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
