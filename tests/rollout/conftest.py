from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import orjson

from streamapp.models import Baseline, Predictions, Rows
from streamapp.quality import LabelledRows
from streamapp.rollout import Candidate, Judge, Judged

MINUTE_MS = 60_000
SETTINGS: dict[str, Any] = {
    "accuracy_false_alarm_every": 1_000,
    "gate_alpha": 0.05,
    "gate_margin": 0.0,
    "gate_max_rows": 2_000,
    "retrain_every_ms": None,
    "retrain_cooldown_rows": 200,
}


def baseline(error: float, rows: int = 4_000) -> Baseline:
    """What a holdout says of a classifier with this error."""
    return Baseline(rows, "zero-one", error, error * (1 - error), (0.0, 1.0))


def candidate(version: str, **fields: Any) -> Candidate:
    """A version whose answer to a row stands in the row's column of its name."""

    def predict(rows: Rows) -> Predictions:
        values = np.array([row[version] for row in rows], dtype=object)
        return Predictions(values, None, ("no", "yes"))

    given: dict[str, Any] = {"predict": predict, "loss": "zero-one", "classes": ("no", "yes")} | fields
    return Candidate(version=version, **given)


@dataclass
class Log:
    """A stream of labelled rows, one request a minute; every label is yes."""

    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    records: list[tuple[bytes, int]] = field(default_factory=list)

    def answer(self, rows: int, version: str = "old", **errors: float) -> Log:
        """Let `version` answer; `errors` are how often each version's answer is wrong."""
        wrong = {name: self.rng.random(rows) < error for name, error in errors.items()}
        for i in range(rows):
            answers = {name: "no" if each[i] else "yes" for name, each in wrong.items()}
            self.append(version, answers)
        return self

    def append(self, version: str, answers: dict[str, str] | None, **fields: Any) -> None:
        offset = len(self.records)
        row = {
            "id": f"r-{offset}", "model": {"name": "bikes", "version": version},
            "prediction": (answers or {}).get(version, "no"), "features": answers, "label": "yes",
            "source": "system", "labelled_at": (offset + 30) * MINUTE_MS, "revision": 0,
            "request": {"topic": "bikes.requests", "partition": offset % 2, "offset": offset, "timestamp": 0},
        }  # fmt: skip
        self.records.append((orjson.dumps(row | fields), offset * MINUTE_MS))

    def rows(self, start: int = 0, end: int | None = None) -> LabelledRows:
        chosen = self.records[start:end]
        offsets = range(start, start + len(chosen))
        return LabelledRows.read([value for value, _ in chosen], offsets, [time_ms for _, time_ms in chosen])


def run(judge: Judge, log: Log, cuts: Iterable[int], follow: Callable[[Judge, str], None]) -> list[Judged]:
    """Fold a log cut into batches, and follow what is promoted."""
    bounds = [0, *sorted(cuts), len(log.records)]
    found = []
    for start, end in pairwise(bounds):
        judged = judge.fold(log.rows(start, end))
        found.append(judged)
        if judged.promoted is not None:
            follow(judge, judged.promoted.version)
    return found
