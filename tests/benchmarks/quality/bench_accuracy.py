"""Intervals of windowed accuracy while labels are out: ``python tests/benchmarks/quality/bench_accuracy.py``.

Streams of two classes with errors of their own, an answer per second in two partitions, and labels whose
delay depends on the class. A window's truth is the accuracy over all its answers once every label is in.
Each window is looked at every 500 s: when it is first mature, at the horizon (9,000 s after its last answer,
three times the slower mean delay), and while it is early, 1,000 s after its last answer. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from streamapp.models.losses import Floats
from streamapp.quality.answer_windows import AnswerWindows
from streamapp.quality.labelled_rows import LabelledRows, as_objects
from streamapp.quality.weighted import Estimate
from streamapp.quality.window_quality import WindowQuality, judge_windows

PARTITIONS = 2
HORIZON_S, EARLY_S, LOOK_S = 9_000, 1_000, 500
CLASSES = ("calm", "busy")
Draw = Callable[[np.random.Generator, Floats, int], Floats]


def exponential(rng: np.random.Generator, y: Floats, rows: int) -> Floats:
    """Return delays in s with mean 500 of one class and 3,000 of the other."""
    return rng.exponential(np.where(y == 1, 3_000.0, 500.0))


def lagged(rng: np.random.Generator, y: Floats, rows: int) -> Floats:
    """Return the same after a lag of 2,000 s."""
    return 2_000.0 + exponential(rng, y, rows)


def heavy(rng: np.random.Generator, y: Floats, rows: int) -> Floats:
    """Return lognormal delays, medians 300 and 2,000, tails heavier than exponential."""
    return np.where(y == 1, 2_000.0, 300.0) * np.exp(rng.normal(0.0, 0.8, rows))


def at_once(rng: np.random.Generator, y: Floats, rows: int) -> Floats:
    """Return no delay."""
    return np.zeros(rows)


@dataclass(frozen=True)
class Stream:
    """Errors of the two classes at the start and the end, the share of the second class, delays."""

    name: str
    errors: tuple[float, float] = (0.05, 0.25)
    errors_at_end: tuple[float, float] = (0.05, 0.25)
    busy: tuple[float, float] = (0.4, 0.4)
    delays: Draw = exponential


STREAMS = (
    Stream("steady"),
    Stream("late class better", (0.25, 0.05), (0.25, 0.05)),
    Stream("drifting accuracy", (0.05, 0.15), (0.15, 0.45)),
    Stream("late class grows", busy=(0.2, 0.6)),
    Stream("all after a lag", delays=lagged),
    Stream("heavy tails", delays=heavy),
    Stream("labels at once", delays=at_once),
)


@dataclass(frozen=True)
class Window:
    """A window in truth: which answers are right, whose labels are in, and when it ended."""

    key: object
    right: Floats
    is_in: np.ndarray
    expected: float
    since_s: int


@dataclass
class Seen:
    """Looks at windows: whether the interval held, its width over the binomial one, errors.

    `concept` is for the accuracy that was to be expected of the answers, of which the truth is a sample.
    """

    held: list[bool] = field(default_factory=list)
    concept: list[bool] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    naive: list[float] = field(default_factory=list)

    def take(self, found: Estimate, window: Window) -> None:
        """Take one look."""
        truth, naive = float(window.right.mean()), float(window.right[window.is_in].mean())
        self.held.append(found.low <= truth <= found.high)
        self.concept.append(found.low <= window.expected <= found.high)
        binomial = 2 * 1.96 * np.sqrt(truth * (1 - truth) / len(window.right))
        self.widths.append((found.high - found.low) / binomial)
        self.errors.append(abs(found.mean - truth))
        self.naive.append(abs(naive - truth))


@dataclass
class Result:
    """All looks at the streams of one kind."""

    first: Seen = field(default_factory=Seen)
    horizon: Seen = field(default_factory=Seen)
    early: Seen = field(default_factory=Seen)
    mature_at_horizon: list[bool] = field(default_factory=list)
    known: set[object] = field(default_factory=set)

    def look(self, quality: WindowQuality, window: Window) -> None:
        """Compare what is said with what is true."""
        assert quality.accuracy is not None
        if quality.is_mature and window.key not in self.known:
            self.known.add(window.key)
            self.first.take(quality.accuracy, window)
        if HORIZON_S <= window.since_s < HORIZON_S + LOOK_S:
            self.mature_at_horizon.append(quality.is_mature)
            if quality.is_mature:
                self.horizon.take(quality.accuracy, window)
        if EARLY_S <= window.since_s < EARLY_S + LOOK_S and not quality.is_mature:
            self.early.take(quality.accuracy, window)


def run(stream: Stream, seed: int, rows: int, result: Result) -> float:
    """Play one stream into `result`; return the seconds that taking rows took."""
    rng = np.random.default_rng(seed)
    s = np.arange(rows)
    along = s / rows
    busy = stream.busy[0] + (stream.busy[1] - stream.busy[0]) * along
    y = (rng.random(rows) < busy).astype(np.float64)
    start, end = np.array(stream.errors), np.array(stream.errors_at_end)
    error = (start + (end - start) * along[:, None])[s, y.astype(int)]
    right = 1.0 - (rng.random(rows) < error)
    came = s + stream.delays(rng, y, rows)
    order = np.argsort(came, kind="stable")
    order = order[came[order] <= rows]
    log = _log(order, s, y, came)
    windows, seconds, done = AnswerWindows(), 0.0, 0
    for now in range(LOOK_S, rows + 1, LOOK_S):
        upto = int(came[order].searchsorted(now, "right"))
        part = np.arange(done, upto)
        began = time.process_time()
        windows.add(log.take(part), 1.0 - right[order[part]], right[order[part]], CLASSES)
        seconds += time.process_time() - began
        done = upto
        found = judge_windows(windows)[0]
        for i, quality in enumerate(found[:-1]):
            here, after = windows.windows[i].first, windows.windows[i + 1].first
            at = np.concatenate([np.arange(here[p], after[p]) * PARTITIONS + p for p in range(PARTITIONS)])
            expected = 1.0 - float(error[at].mean())
            key = (seed, *sorted(here.items()))
            result.look(quality, Window(key, right[at], came[at] <= now, expected, now - int(at.max())))
    return seconds / max(done, 1)


def _log(order: np.ndarray, s: np.ndarray, y: Floats, came: Floats) -> LabelledRows:
    n = len(order)
    labels = as_objects([CLASSES[int(label)] for label in y[order]])
    return LabelledRows(
        offsets=np.arange(n),
        times_ms=s[order] * 1_000,
        versions=as_objects(["v1"] * n),
        predictions=labels,
        labels=labels,
        probabilities=[None] * n,
        features=[None] * n,
        persons=np.zeros(n, dtype=np.bool_),
        revisions=np.zeros(n, dtype=np.int64),
        review_probabilities=np.full(n, np.nan),
        review_dropped=np.zeros(n, dtype=np.int64),
        partitions=s[order] % PARTITIONS,
        request_offsets=s[order] // PARTITIONS,
        request_rows=np.zeros(n, dtype=np.int64),
        labelled_at_ms=(came[order] * 1_000).astype(np.int64),
    )


def _line(name: str, result: Result) -> str:
    first, horizon, early = result.first, result.horizon, result.early
    cells = [
        name,
        f"{len(first.held)}",
        f"{np.mean(first.held):.1%} ({np.mean(first.concept):.1%})" if first.held else "",
        f"{np.median(first.widths):.2f}" if first.held else "",
        f"{np.mean(result.mature_at_horizon):.1%}",
        f"{np.mean(horizon.held):.1%} ({np.mean(horizon.concept):.1%})" if horizon.held else "",
        f"{np.mean(early.held):.1%} ({np.mean(early.concept):.1%})" if early.held else "",
        f"{np.median(early.widths):.2f}" if early.held else "",
        f"{np.mean(early.errors):.4f} / {np.mean(early.naive):.4f}" if early.held else "",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print one line per kind of stream, as a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=60_000, help="answers per stream")
    parser.add_argument("--runs", type=int, default=10, help="streams per kind")
    options = parser.parse_args()
    print(
        "| stream | mature windows | truth in it when first mature (concept) | width / binomial"
        " | mature at the horizon | truth in it there | truth in it while early | width / binomial"
        " | error while early, weighted / as labelled |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    costs = []
    for stream in STREAMS:
        result = Result()
        costs += [run(stream, seed, options.rows, result) for seed in range(options.runs)]
        print(_line(stream.name, result), flush=True)
    print(f"\n{np.median(costs) * 1e6:.1f} us per labelled row for taking it")


if __name__ == "__main__":
    main()
