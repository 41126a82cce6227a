"""What retraining is worth on the flights: ``python tests/benchmarks/demo/bench_policies.py``.

Labels are used only once they are known. The first table retrains without asking; the second lets the gate
decide, as JUDGE does: rows requested after the newest label that either model has learned from.
"""

from __future__ import annotations

import argparse
import heapq
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from streamapp.demo.flights import LATE, Flights, load_flights
from streamapp.demo.model import new_estimator, year_day_ms
from streamapp.rollout import PromotionGate
from streamapp.training.rows import holdout_start

DAY_MS = 86_400_000
FIRST_MS, END_MS = year_day_ms(2), year_day_ms(13)

WINDOW_DAYS = 90
DEMO = [(1, 80_000, 10_000, 0.05, 0.0)]
"""Days between trainings, rows to train on, labelled rows between trainings, the gate's alpha and margin. The
demo's accuracy alerts ask for a training nearly always: it is as if the schedule said so every day."""
POLICIES = [
    *DEMO,
    (1, 80_000, 10_000, 0.05, -0.005),
    (1, 80_000, 10_000, 0.05, -0.01),
    (1, 80_000, 10_000, 0.2, 0.0),
    (1, 30_000, 10_000, 0.05, 0.0),
    (1, 80_000, 5_000, 0.05, 0.0),
    (1, 80_000, 20_000, 0.05, 0.0),
    (28, 80_000, 10_000, 0.05, 0.0),
]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Version:
    """A fitted model's probabilities of "late" for all flights, and what it has seen."""

    p: Floats
    newest_label_ms: int


class Year:
    """The flights, and models fitted on parts of them."""

    def __init__(self, *, holdout: bool) -> None:
        self.flights: Flights = load_flights()
        self.late = (self.flights.labels == LATE).astype(np.float64)
        self.stream = self.flights.asked_ms >= FIRST_MS
        self.holdout = holdout
        self.fits = 0
        self._cache: dict[tuple[int, int, int | None], Version] = {}

    def fit(self, now_ms: int, days: int, *, first_ms: int = 0, max_rows: int | None = None) -> Version:
        """Fit on what is known at a moment of the last `days` before the newest request."""
        key = (now_ms, days, max_rows)
        if key in self._cache:
            return self._cache[key]
        flights = self.flights
        rows = np.flatnonzero((flights.known_ms <= now_ms) & (flights.asked_ms >= first_ms))
        rows = rows[flights.asked_ms[rows] >= flights.asked_ms[rows[-1]] - days * DAY_MS]
        rows = (
            rows if max_rows is None else rows[np.argsort(flights.known_ms[rows], kind="stable")[-max_rows:]]
        )
        rows.sort()
        newest = int(flights.known_ms[rows].max())
        if self.holdout:
            times = flights.asked_ms[rows]
            rows = rows[: holdout_start(times, share=0.1, at_least=1_000, at_most=5_000)]
        model: Any = new_estimator().fit(flights.features.iloc[rows], flights.labels[rows])
        p = np.full(len(flights), np.nan)
        after = flights.asked_ms >= min(now_ms, FIRST_MS)
        p[after] = model.predict_proba(flights.features[after])[:, list(model.classes_).index(LATE)]
        self.fits += 1
        self._cache[key] = Version(p, newest)
        return self._cache[key]

    def score(self, p: Floats) -> str:
        """Return log-loss, brier and accuracy of answers to the stream."""
        p, y = np.clip(p[self.stream], 1e-6, 1 - 1e-6), self.late[self.stream]
        log_loss = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
        return f"{log_loss:.4f}  {((p - y) ** 2).mean():.4f}  {((p > 0.5) == y).mean():.4f}"

    def every(self, days: int, window: int) -> Floats:
        """Return the answers of a model fitted anew every so many days, promoted unseen."""
        p = np.full(len(self.late), np.nan)
        for start in range(FIRST_MS, END_MS, days * DAY_MS):
            part = (self.flights.asked_ms >= start) & (self.flights.asked_ms < start + days * DAY_MS)
            p[part] = self.fit(start, window).p[part]
        return p

    def gated(
        self, champion: Version, *, days: int, max_rows: int, cooldown: int, alpha: float, margin: float
    ) -> tuple[Floats, str]:
        """Return the answers under a schedule, a cooldown in labelled rows, and the gate."""
        flights = self.flights
        stream = np.flatnonzero(self.stream)
        served = np.full(len(self.late), np.nan)
        answered_by: dict[int, int] = {}
        versions = [champion]
        trials: dict[int, PromotionGate] = {}
        waiting: list[tuple[int, int]] = []
        labelled = trained_at = promoted = rejected = 0
        now, due_ms, wanted = 0, champion.newest_label_ms + days * DAY_MS, False
        for row in stream.tolist():
            asked = int(flights.asked_ms[row])
            while waiting and waiting[0][0] <= asked:
                known_ms, old = heapq.heappop(waiting)
                labelled += 1
                if known_ms >= due_ms and not wanted:
                    wanted, due_ms = True, known_ms + days * DAY_MS
                if wanted and labelled - trained_at >= cooldown:
                    wanted, trained_at = False, labelled
                    versions.append(self.fit(known_ms, WINDOW_DAYS, first_ms=FIRST_MS, max_rows=max_rows))
                    trials[len(versions) - 1] = PromotionGate(alpha=alpha, margin=margin)
                if answered_by[old] != now:
                    continue
                for number, gate in list(trials.items()):
                    new, newest = versions[number], versions[now].newest_label_ms
                    if flights.asked_ms[old] <= max(new.newest_label_ms, newest):
                        continue
                    losses = [(served[old] - self.late[old]) ** 2, (new.p[old] - self.late[old]) ** 2]
                    verdict = gate.update([losses[0]], [losses[1]])
                    if verdict == "promote":
                        now, promoted = number, promoted + 1
                        trials = {n: PromotionGate(alpha=alpha, margin=margin) for n in trials if n != number}
                        break
                    if verdict == "reject":
                        del trials[number]
                        rejected += 1
            served[row], answered_by[row] = versions[now].p[row], now
            heapq.heappush(waiting, (int(flights.known_ms[row]), row))
        return served, f"{len(versions) - 1} trained, {promoted} promoted, {rejected} rejected"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the policies of the demo alone")
    quick = parser.parse_args().quick
    with threadpool_limits(1):
        year = Year(holdout=False)
        january = year.fit(FIRST_MS, 90)
        print("                                                        log-loss  brier   accuracy")
        print(f"January's model                                         {year.score(january.p)}", flush=True)
        if not quick:
            print(
                f"weekly, 90 days                                         {year.score(year.every(7, 90))}",
                flush=True,
            )
            print(
                f"monthly (30 days), 60 days                              {year.score(year.every(30, 60))}",
                flush=True,
            )
        gated = Year(holdout=True)
        champion = gated.fit(FIRST_MS, 90)
        print(
            f"January's model, holdout kept                           {gated.score(champion.p)}", flush=True
        )
        for days, rows, cooldown, alpha, margin in DEMO if quick else POLICIES:
            began = time.perf_counter()
            p, counts = gated.gated(
                champion, days=days, max_rows=rows, cooldown=cooldown, alpha=alpha, margin=margin
            )
            print(
                f"{days:>3} d, {rows:>7,} rows, {cooldown:>6,} apart, a={alpha:<4} m={margin:<6}"
                f"  {gated.score(p)}  {counts} ({time.perf_counter() - began:.0f} s)",
                flush=True,
            )


if __name__ == "__main__":
    main()
