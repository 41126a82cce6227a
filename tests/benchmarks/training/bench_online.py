"""What an online learner answers on real streams: ``python tests/benchmarks/training/bench_online.py DATA``.

Prequential accuracy of river's adaptive random forest: by itself (each row answered, then learned), in our
learner with labels at once and 1,000 rows late, and as it would be served, from snapshots that are at most so
many rows old. The first 2,000 rows are learned beforehand. DATA is a folder with ``covtype.csv.gz`` and
``weather.csv.gz``, each with its label in column ``y``.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pandas as pd
from river import forest

from streamapp.messages import format_time
from streamapp.models import Signature
from streamapp.quality import LabelledRows, OnlineLearner

BEFORE = 2_000
AT_ONCE = 500
LATE = 1_000
CATEGORIES = {"covtype": ["wilderness", "soil"]}
SNAPSHOTS = (100, 1_000)


class Score(NamedTuple):
    """Accuracy over the rows answered, how many these are, and seconds of CPU."""

    accuracy: float
    rows: int
    seconds: float


class Stream(NamedTuple):
    """Rows in their real order."""

    name: str
    X: pd.DataFrame
    rows: list[dict[str, Any]]
    y: list[Any]

    def taught(self) -> Any:
        """A forest that has learned the first rows."""
        model = forest.ARFClassifier(seed=1, nominal_attributes=CATEGORIES.get(self.name))
        for row, label in zip(self.rows[:BEFORE], self.y[:BEFORE], strict=True):
            model.learn_one(row, label)
        return model

    def labelled(self, late: int) -> Iterator[LabelledRows]:
        """The rows after the first as they stand in ``labelled``, one a second, labels so many rows late."""
        for start in range(BEFORE, len(self.y), AT_ONCE):
            span = range(start, min(start + AT_ONCE, len(self.y)))
            values = [
                orjson.dumps(
                    {
                        "model": {"version": "v"}, "prediction": 0, "features": self.rows[i],
                        "label": self.y[i], "source": "system", "revision": 0,
                        "labelled_at": format_time((i + late) * 1_000),
                        "request": {"partition": 0, "offset": i, "timestamp": 0},
                    }
                )
                for i in span
            ]  # fmt: skip
            yield LabelledRows.read(values, span, [i * 1_000 for i in span])


def load(folder: Path, name: str, rows: int) -> Stream:
    """Return the first rows of a stream."""
    X = pd.read_csv(folder / f"{name}.csv.gz", nrows=rows)
    y = X.pop("y").tolist()
    return Stream(name, X, [{str(k): v for k, v in row.items()} for row in X.to_dict("records")], y)


def by_itself(stream: Stream, every: int = 1) -> Score:
    """Answer `every` rows with what was learned before them, then learn them."""
    model, right = stream.taught(), 0
    began = time.process_time()
    for start in range(BEFORE, len(stream.y), every):
        span = range(start, min(start + every, len(stream.y)))
        right += sum(model.predict_one(stream.rows[i]) == stream.y[i] for i in span)
        for i in span:
            model.learn_one(stream.rows[i], stream.y[i])
    n = len(stream.y) - BEFORE
    return Score(right / n, n, time.process_time() - began)


def in_learner(stream: Stream, late: int) -> Score:
    """Let our learner answer, labels so many rows late."""
    model = stream.taught()
    y = np.array(stream.y)
    learner, right, seconds = OnlineLearner(model, Signature.infer(stream.X, y, model)), 0, 0.0
    for rows in stream.labelled(late):
        began = time.process_time()
        answers = learner.update(rows, rows.labels.tolist())
        seconds += time.process_time() - began
        right += sum(each.answer is not None and each.answer.values[0] == each.stake for each in answers)
    return Score(right / learner.answered, learner.answered, seconds)


def repeated(stream: Stream) -> Score:
    """Repeat the last label."""
    y = np.array(stream.y)
    return Score(float((y[BEFORE:] == y[BEFORE - 1 : -1]).mean()), len(y) - BEFORE, 0.0)


def main() -> None:
    """Print one line per stream and way of answering."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, nargs="?", default=os.environ.get("DRIFT_DATA"))
    parser.add_argument("--rows", type=int, default=8_000, help="of each stream, the first 2,000 too")
    parser.add_argument("--only", default="covtype,weather")
    options = parser.parse_args()
    if options.data is None:
        print("name the folder of the streams, or set DRIFT_DATA to it")
        return
    for name in options.only.split(","):
        stream = load(Path(options.data), name, options.rows)
        print(f"{name}, {len(stream.y):,} rows", flush=True)
        ways = {
            "repeat the last label": repeated,
            "forest by itself": by_itself,
            "learner, labels at once": lambda stream: in_learner(stream, 0),
            f"learner, labels {LATE:,} rows late": lambda stream: in_learner(stream, LATE),
        } | {
            f"snapshots every {every:,} rows": lambda stream, every=every: by_itself(stream, every)
            for every in SNAPSHOTS
        }
        for way, answer in ways.items():
            score = answer(stream)
            cost = score.seconds / score.rows * 1e6
            print(
                f"  {way:32} {score.accuracy:.3f}   {score.rows:6,} rows, {cost:6,.0f} µs a row", flush=True
            )


if __name__ == "__main__":
    main()
