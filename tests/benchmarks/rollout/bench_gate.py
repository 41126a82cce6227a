"""What the gate promotes and what is rolled back: ``python tests/benchmarks/rollout/bench_gate.py``.

Zero-one losses that differ on a share of the rows, graded ones with a normal difference; looked at after each
row, until the gate has decided (at most 10,000 rows), or the guard of a new champion (at most 5,000), at the
default settings. Run n of each case has seed n. ``--markdown`` prints the tables of RESULTS.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from streamapp.models.losses import Floats
from streamapp.rollout import PromotionGate
from streamapp.rollout.terms import Terms

ROWS = 10_000
TERMS = Terms()
Pairs = Callable[[np.random.Generator], tuple[Floats, Floats]]


def discordant(share: float, gain: float) -> Pairs:
    """Return a source of zero-one losses that differ on `share` of the rows, and by `gain` in the mean."""

    def draw(rng: np.random.Generator) -> tuple[Floats, Floats]:
        u = rng.random(ROWS)
        won = (share + gain) / 2
        return (u < won).astype(np.float64), ((u >= won) & (u < share)).astype(np.float64)

    return draw


def graded(gain: float, deviation: float) -> Pairs:
    """Return a source of graded losses whose difference is normal."""

    def draw(rng: np.random.Generator) -> tuple[Floats, Floats]:
        difference = np.clip(rng.normal(gain, deviation, ROWS), -0.5, 0.5)
        return 0.5 + difference, np.full(ROWS, 0.5)

    return draw


@dataclass(frozen=True)
class Case:
    """Losses of champion and challenger, and what judges them; alarms come and go every 100 rows."""

    name: str
    draw: Pairs
    judge: Callable[[], PromotionGate] = TERMS.new_gate
    alarms: float = 0.0

    def run(self, seed: int) -> PromotionGate:
        rng = np.random.default_rng(seed)
        judge = self.judge()
        losses = self.draw(rng)
        judge.update(*losses, np.repeat(rng.random(ROWS // 100) < self.alarms, 100))
        return judge


def guard() -> PromotionGate:
    """Return what compares a new champion with the one before: the latter has the challenger's part."""
    return TERMS.new_guard(0.0)


GATE = [
    Case("equal, 10 % discordant", discordant(0.1, 0.0)),
    Case("equal, 30 % discordant", discordant(0.3, 0.0)),
    Case("equal, graded, sd .1", graded(0.0, 0.1)),
    Case("+2 points, 10 % discordant", discordant(0.1, 0.02)),
    Case("+5 points, 10 % discordant", discordant(0.1, 0.05)),
    Case("+2 points, 30 % discordant", discordant(0.3, 0.02)),
    Case("-2 points, 10 % discordant", discordant(0.1, -0.02)),
    Case("-5 points, 10 % discordant", discordant(0.1, -0.05)),
    Case("+.01, graded, sd .1", graded(0.01, 0.1)),
    Case("+.005, graded, sd .1", graded(0.005, 0.1)),
]
ALARM = [
    Case("equal, graded, always in alarm", graded(0.0, 0.1), alarms=1.0),
    Case("equal, 10 % discordant, always in alarm", discordant(0.1, 0.0), alarms=1.0),
    Case("-1 point, 10 % discordant, always in alarm", discordant(0.1, -0.01), alarms=1.0),
    Case("-1 point, 10 % discordant, in alarm half of the time", discordant(0.1, -0.01), alarms=0.5),
    Case("-.01, graded, sd .1, always in alarm", graded(-0.01, 0.1), alarms=1.0),
    Case("-2 points, 10 % discordant, always in alarm", discordant(0.1, -0.02), alarms=1.0),
    Case("-5 points, 10 % discordant, always in alarm", discordant(0.1, -0.05), alarms=1.0),
]
ROLLBACK = [
    Case("equal, 10 % discordant", discordant(0.1, 0.0), guard),
    Case("equal, 30 % discordant", discordant(0.3, 0.0), guard),
    Case("equal, graded, sd .1", graded(0.0, 0.1), guard),
    Case("better by 2 points, 10 % discordant", discordant(0.1, -0.02), guard),
    Case("worse by 2 points, 10 % discordant", discordant(0.1, 0.02), guard),
    Case("worse by 5 points, 10 % discordant", discordant(0.1, 0.05), guard),
    Case("worse by 10 points, 20 % discordant", discordant(0.2, 0.1), guard),
    Case("worse by 30 points, 50 % discordant", discordant(0.5, 0.3), guard),
]


def table(title: str, cases: list[Case], done: str, undone: str, *, runs: int, markdown: bool) -> None:
    """Print one line per case."""
    if markdown:
        print(f"\n**{title}**\n\n| | {done} | {undone} | median rows to either |\n|---|---|---|---|")
    else:
        print(f"\n{title:<56}{done:>14}{undone:>20}{'median rows':>14}")
    for case in cases:
        judges = [case.run(seed) for seed in range(runs)]
        verdicts = [judge.verdict for judge in judges]
        yes, no = (100 * verdicts.count(verdict) / runs for verdict in ("promote", "reject"))
        rows = np.median([judge.rows for judge in judges])
        if markdown:
            print(f"| {case.name} | {yes:.1f} % | {no:.1f} % | {rows:,.0f} |", flush=True)
        else:
            print(f"{case.name:<56}{yes:>12.1f} %{no:>18.1f} %{rows:>14,.0f}", flush=True)


def main() -> None:
    """Print three tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    how = {"runs": options.runs, "markdown": options.markdown}
    began = time.perf_counter()
    table("The gate", GATE, "promoted", "rejected", **how)
    table("The gate while the champion is in alarm", ALARM, "promoted", "rejected", **how)
    table("A new champion", ROLLBACK, "rolled back", "kept", **how)
    pairs = ROWS * options.runs * len([*GATE, *ALARM, *ROLLBACK])
    print(f"\n{(time.perf_counter() - began) / pairs * 1e6:.2f} us per pair, drawing included")


if __name__ == "__main__":
    main()
