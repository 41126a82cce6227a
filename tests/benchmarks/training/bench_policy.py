"""What retraining is worth: ``python tests/benchmarks/training/bench_policy.py --data FOLDER``.

Real streams in their order, as in part D of the drift benchmark: predict 100 rows, then their labels come,
at once or 1,000 rows late; a random forest of 50 trees; the first 2,000 rows train and are not scored. Judge,
plan, windows, baselines and promotion are those of the roles, put together without a broker. A training takes
no time in the stream.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

from streamapp.messages import Model, OffsetRange, Retrain
from streamapp.models import Baseline, Predictions, Rows
from streamapp.models.losses import Floats
from streamapp.quality.labelled_rows import Ints, LabelledRows, as_objects
from streamapp.rollout import Candidate, Judge
from streamapp.settings import Settings
from streamapp.training import TrainingRules, plan_training
from streamapp.training.candidates import fit_best, windows_of
from streamapp.training.job import TrainingOptions, held_start

STREAMS = {"elec2": (None, 1_800_000), "weather": (None, 86_400_000), "covtype": (50_000, 60_000)}
"""Rows that are read, and milliseconds between two rows: half an hour, a day; covtype has no time."""
TARGETS = {
    (True, 0): {"covtype": 0.82, "weather": 0.78, "elec2": 0.754},
    (False, 0): {"covtype": 0.84, "weather": 0.785, "elec2": 0.774},
    (True, 1_000): {"covtype": 0.76, "weather": 0.775, "elec2": 0.754},
    (False, 1_000): {"covtype": 0.78, "weather": 0.785, "elec2": 0.754},
}
FIRST, CHUNK = 2_000, 100
TOPIC = "bench.labelled"


BLOCK = 1_000
JUDGED = (
    "accuracy_false_alarm_every",
    "gate_alpha",
    "gate_margin",
    "gate_margin_in_alarm",
    "gate_max_rows",
    "keep_champions",
    "rollback_alpha",
    "rollback_rows",
    "rollback_cooldown_rows",
    "retrain_every_rows",
    "retrain_cooldown_rows",
)
"""Settings that the judge has by the same name."""


@dataclass(slots=True)
class Version:
    """A fitted forest, as a version of the deployment."""

    answers: Answers
    candidate: Candidate
    model: Model


class Answers:
    """A forest's answers to the stream, asked for in blocks: a call costs as much as hundreds of rows."""

    def __init__(self, forest: Any, X: npt.NDArray[np.float64]) -> None:
        self._forest, self._X = forest, X
        self._known = np.full(len(X), -1, dtype=np.int64)

    def __call__(self, rows: Ints) -> Ints:
        """Return the answers to rows of the stream."""
        for block in np.unique(rows // BLOCK).tolist():
            part = slice(block * BLOCK, (block + 1) * BLOCK)
            if self._known[part.start] < 0:
                self._known[part] = self._forest.predict(self._X[part])
        return self._known[rows]


@dataclass
class Run:
    """One stream under one policy."""

    X: npt.NDArray[np.float64]
    y: npt.NDArray[np.int64]
    step_ms: int
    late: int
    gate: bool
    settings: Settings
    fits: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    windows: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        s = self.settings
        self.rules = TrainingRules(
            min_rows=s.training_min_rows,
            cooldown_rows=s.retrain_cooldown_rows,
            cooldown_ms=int(s.retrain_cooldown_s * 1_000),
            per_day=s.trainings_per_day,
            max_rows=s.training_rows,
        )
        self.options = TrainingOptions()
        chosen = {name: getattr(s, name) for name in JUDGED}
        # Without a gate a version serves from the next row on, and not from the next chunk.
        self.judge = Judge("bench", retrain_every_ms=None, **chosen)
        self.versions: dict[str, Version] = {}
        self.challengers: dict[str, Candidate] = {}
        self.events: list[Retrain] = []
        self.answers = np.empty(len(self.y), dtype=np.int64)
        self.by: list[str] = [""] * len(self.y)
        self.labelled_ms = np.zeros(len(self.y), dtype=np.int64)

    def fit(self, rows: slice) -> Any:
        """Return a forest fitted on some rows of the stream."""
        self.fits += 1
        forest = RandomForestClassifier(50, min_samples_leaf=2, random_state=0, n_jobs=1)
        return forest.fit(self.X[rows], self.y[rows])

    def pack(self, forest: Any, losses: Floats, end: int, cause: str | None) -> Version:
        """Return a forest as a version, with the losses of its holdout as its baseline."""
        name = f"v{len(self.versions)}"
        answers = Answers(forest, self.X)

        def predict(rows: Rows) -> Predictions:
            at = np.array([row["row"] for row in rows])
            return Predictions(as_objects(answers(at).tolist()), None, (0, 1))

        baseline = Baseline(
            len(losses), "zero-one", float(losses.mean()), float(losses.var(ddof=1)), tuple(np.sort(losses))
        )
        newest = int(self.labelled_ms[:end].max()) if cause else int(end * self.step_ms) - 1
        version = Version(
            answers,
            Candidate(
                version=name,
                predict=predict,
                loss="zero-one",
                classes=(0, 1),
                newest_training_data_at_ms=newest,
                baseline=baseline,
            ),
            Model(
                version=name,
                state="challenger",
                bundle="",
                sha256="",
                format="joblib",
                caused_by=cause,
                newest_training_data_at=newest,
                training_data=[OffsetRange(topic=TOPIC, partition=0, start=0, end=end)] if cause else [],
            ),
        )
        self.versions[name] = version
        return version

    def train(self, start: int, end: int, since: int | None, cause: str | None) -> Version:
        """Fit as a training does, on rows of the stream in the order of their requests."""
        n = end - start
        windows = windows_of(
            n,
            since=None if since is None else since - start,
            rows=self.settings.training_windows if cause else (),
            min_rows=self.rules.min_rows,
        )
        times = np.arange(n)
        newest = held_start(times, windows[-1], self.options)
        X, y = self.X[start + newest : end], self.y[start + newest : end]
        chosen = fit_best(
            windows,
            newest,
            n,
            fit=lambda rows: self.fit(slice(start + rows.start, start + rows.stop)),
            losses=lambda forest: (forest.predict(X) != y).astype(np.float64),
            held=lambda window: held_start(times, window, self.options),
        )
        X, y = self.X[start + chosen.held : end], self.y[start + chosen.held : end]
        losses = (chosen.sibling.predict(X) != y).astype(np.float64)
        first = chosen.window.name.split()[0]
        self.windows[first if first in {"all", "last"} else "since"] += bool(cause)
        return self.pack(chosen.model, losses, end, cause)

    def play(self) -> float:
        """Return the accuracy of the answers that were given."""
        champion = self.train(0, FIRST, None, None)
        self.judge.follow(champion.candidate, {})
        told = FIRST
        for i in range(FIRST, len(self.y), CHUNK):
            now = min(i + CHUNK, len(self.y))
            self.answers[i:now] = champion.answers(np.arange(i, now))
            self.by[i:now] = [champion.candidate.version] * (now - i)
            if now - self.late <= told:
                continue
            due = np.arange(told, now - self.late)
            told = now - self.late
            # Known once the last of the chunk has been asked: the next chunk is new to who learns them.
            self.labelled_ms[due] = now * self.step_ms - 1
            judged = self.judge.fold(self.rows(due))
            self.events += [each.event for each in judged.retrains]
            for decision in judged.rejected:
                self.challengers.pop(decision.version, None)
                self.outcomes["rejected"] += 1
            if judged.promoted is not None:
                back = judged.promoted.version not in self.challengers
                champion = self.promote(judged.promoted.version, "came back" if back else "promoted")
            trained = self.plan(told)
            if trained is not None:
                self.challengers[trained.candidate.version] = trained.candidate
                if not self.gate:
                    champion = self.promote(trained.candidate.version, "promoted")
                self.follow(champion)
        return float((self.answers == self.y)[FIRST:].mean())

    def promote(self, name: str, how: str) -> Version:
        """Make a version the champion."""
        self.challengers.pop(name, None)
        self.outcomes[how] += 1
        self.follow(self.versions[name])
        return self.versions[name]

    def follow(self, champion: Version) -> None:
        """Tell the judge what there is now."""
        shadows = self.judge.shadows(champion.candidate.version)
        former = {name: self.versions[name].candidate for name in shadows}
        self.judge.follow(champion.candidate, self.challengers, former)

    def plan(self, told: int) -> Version | None:
        """Train, if it is time: ``labelled`` begins at the first row of the stream."""
        plan = plan_training(
            self.events,
            [version.model for version in self.versions.values()],
            topic=TOPIC,
            begin=0,
            end=told,
            rules=self.rules,
            now_ms=int(self.labelled_ms[told - 1]),
        )
        if plan.start is None:
            return None
        (part,) = plan.start.data
        self.reasons[plan.start.event.reason] += 1
        return self.train(part.start, part.end, plan.start.since, plan.start.event.id)

    def rows(self, due: Ints) -> LabelledRows:
        """Return rows of the stream as records of ``labelled``."""
        n = len(due)
        zeros = np.zeros(n, dtype=np.int64)
        return LabelledRows(
            offsets=due,
            times_ms=due * self.step_ms,
            versions=as_objects([self.by[i] for i in due.tolist()]),
            predictions=as_objects(self.answers[due].tolist()),
            labels=as_objects(self.y[due].tolist()),
            probabilities=[None] * n,
            features=[{"row": i} for i in due.tolist()],
            persons=np.zeros(n, dtype=np.bool_),
            revisions=zeros,
            review_probabilities=np.full(n, np.nan),
            review_dropped=zeros,
            partitions=zeros,
            request_offsets=due,
            request_rows=zeros,
            labelled_at_ms=self.labelled_ms[due],
        )


def repeat_last(y: npt.NDArray[np.int64], late: int) -> float:
    """Return the accuracy of the last label that is known, in chunks if labels are late."""
    if not late:
        return float((y[FIRST - 1 : -1] == y[FIRST:]).mean())
    known = np.maximum(np.arange(FIRST, len(y)) // CHUNK * CHUNK - late, FIRST) - 1
    return float((y[known] == y[FIRST:]).mean())


def read(folder: Path, name: str, rows: int | None) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return inputs and labels of a stream."""
    frame = pd.read_csv(folder / f"{name}.csv.gz", nrows=rows or STREAMS[name][0])
    y = frame.pop("y").to_numpy()
    return frame.to_numpy(float), (np.unique(y, return_inverse=True)[1]).astype(np.int64)


def main() -> None:
    """Print one line per run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with NAME.csv.gz")
    parser.add_argument("--streams", default=",".join(STREAMS))
    parser.add_argument("--late", default="0,1000")
    parser.add_argument("--gate", default="on,off")
    parser.add_argument("--rows", type=int, help="the first rows of each stream alone, to have a quick look")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="other settings")
    args = parser.parse_args()
    chosen: dict[str, Any] = dict(each.split("=", 1) for each in args.set)
    if "training_windows" in chosen:
        chosen["training_windows"] = tuple(map(int, chosen["training_windows"].split()))
    settings = Settings.of(name="bench", **chosen)
    for name in args.streams.split(","):
        X, y = read(args.data, name, args.rows)
        for late in map(int, args.late.split(",")):
            for gate in [each == "on" for each in args.gate.split(",")]:
                began = time.process_time()
                run = Run(X, y, STREAMS[name][1], late, gate, settings)
                accuracy, target = run.play(), TARGETS[gate, late][name]
                static = run.versions["v0"].answers(np.arange(FIRST, len(y))) == y[FIRST:]
                print(
                    f"{name:8} late {late:5} gate {'on' if gate else 'off':3} {accuracy:.4f}"
                    f" target {target:.3f} {'met' if accuracy >= target else 'MISSED'}"
                    f"  static {static.mean():.3f} repeat {repeat_last(y, late):.3f};"
                    f" {sum(run.reasons.values())} trainings"
                    f" {dict(run.reasons)}, {run.fits} fits, {dict(run.outcomes)},"
                    f" {dict(run.windows)}; {time.process_time() - began:.0f} CPU s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
