"""What the gate promotes and after how many rows: ``python tests/benchmarks/rollout/bench_gate.py``.

Zero-one losses that differ on a share of the rows, graded ones with a normal difference; looked at after each
row, at most 5,000. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from streamapp.models.losses import Floats
from streamapp.rollout import PromotionGate

ROWS = 5_000
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


CASES: dict[str, tuple[Pairs, float]] = {
    "equal, 10 % discordant": (discordant(0.1, 0.0), 0.0),
    "equal, 30 % discordant": (discordant(0.3, 0.0), 0.0),
    "equal, graded, sd .1": (graded(0.0, 0.1), 0.0),
    "+2 points, 10 % discordant": (discordant(0.1, 0.02), 0.0),
    "+5 points, 10 % discordant": (discordant(0.1, 0.05), 0.0),
    "-2 points, 10 % discordant": (discordant(0.1, -0.02), 0.0),
    "+.01, graded, sd .1": (graded(0.01, 0.1), 0.0),
    "+.005, graded, sd .1": (graded(0.005, 0.1), 0.0),
    "equal, margin -.01, graded": (graded(0.0, 0.1), -0.01),
}


def main() -> None:
    """Print one line per case."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1_000)
    runs = parser.parse_args().runs
    print(f"{'challenger':<30}{'promoted':>10}{'rejected':>10}{'median rows':>13}")
    began, pairs = time.perf_counter(), 0
    for name, (draw, margin) in CASES.items():
        verdicts, rows = [], []
        for seed in range(runs):
            gate = PromotionGate(margin=margin)
            verdicts.append(gate.update(*draw(np.random.default_rng(seed))))
            rows.append(gate.rows)
            pairs += ROWS
        decided = [n for n, verdict in zip(rows, verdicts, strict=True) if verdict is not None]
        median = f"{np.median(decided):,.0f}" if len(decided) > runs / 2 else "-"
        promoted, rejected = (verdicts.count(verdict) / runs for verdict in ("promote", "reject"))
        print(f"{name:<30}{promoted:>10.1%}{rejected:>10.1%}{median:>13}", flush=True)
    print(f"{(time.perf_counter() - began) / pairs * 1e6:.2f} us per pair, drawing included")


if __name__ == "__main__":
    main()
