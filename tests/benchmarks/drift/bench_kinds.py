"""False alarms and delays by the kind of a column: ``python tests/benchmarks/drift/bench_kinds.py``.

One column, or 160 of numbers, of which a tenth of the windows and half of the runs are made; references of
4,000 rows. Without drift: windows of 500 independent rows, each for a monitor that
has seen nothing before, at one false alarm per 100 windows; 1 % are to be alarmed. With drift: rows until an
alarm opens, counted from the first drifted one, after 2,560 quiet rows and at one false alarm per 100,000
rows; a run ends after 6,000. Seeds: [17, reference], [19, run].
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from streamapp.drift import DriftMonitor
from streamapp.profile import Profile

REFERENCE, WINDOW, QUIET, HORIZON = 4_000, 500, 2_560, 6_000
Draw = Callable[[np.random.Generator, int], np.ndarray]
WORDS = np.array("a bus came late and nobody at the stop said why but it did not rain".split())  # noqa: SIM905
MONDAY = np.datetime64("2011-05-02T00:00:00")
HOURS = np.array([1, 1, 1, 1, 1, 2, 4, 8, 12, 12, 10, 9, 9, 9, 9, 10, 12, 12, 10, 7, 5, 3, 2, 1]) / 151
WEEK = np.array([5, 5, 5, 5, 5, 2, 1]) / 28


@dataclass(frozen=True)
class Case:
    """Rows of one kind, and what they become."""

    quiet: Draw
    drifts: dict[str, Draw]
    is_wide: bool = False


def main() -> None:
    """Print a line per kind, and one per drift."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--references", type=int, default=20)
    parser.add_argument("--windows", type=int, default=100, help="per reference")
    parser.add_argument("--runs", type=int, default=20, help="per drift")
    options = parser.parse_args()
    for name, case in CASES.items():
        start = time.perf_counter()
        each = options.windows // 10 if case.is_wide else options.windows
        runs = options.runs // 2 if case.is_wide else options.runs
        alarms = sum(false_alarms(case.quiet, seed, each) for seed in range(options.references))
        windows = options.references * each
        kind = fitted(case.quiet, np.random.default_rng([17, 0])).watched[-1].kind
        print(
            f"{name} ({kind}): {alarms} of {windows:,} quiet windows of {WINDOW} alarmed, "
            f"{100 * alarms / windows:.2f} %, {options.references} references"
        )
        for drift, draw in case.drifts.items():
            found = [delay for seed in range(runs) if (delay := rows_until(case.quiet, draw, seed))]
            shown = f"median {np.median(found):.0f} rows, worst {max(found)}" if found else "none"
            print(f"  {drift}: {len(found)} of {runs} found, {shown}")
        print(f"  {time.perf_counter() - start:.0f} s")


def fitted(draw: Draw, rng: np.random.Generator) -> Profile:
    """Return a profile of fresh reference rows."""
    return Profile.fit(table(draw(rng, REFERENCE)))


def false_alarms(quiet: Draw, seed: int, windows: int) -> int:
    """Return how many windows were alarmed."""
    rng = np.random.default_rng([17, seed])
    profile = fitted(quiet, rng)
    return sum(
        bool(DriftMonitor(profile, false_alarm_every=100 * WINDOW).update(table(quiet(rng, WINDOW))))
        for _ in range(windows)
    )


def rows_until(quiet: Draw, drifted: Draw, seed: int) -> int | None:
    """Return the rows until an alarm, None without one; runs with an early alarm count as without."""
    rng = np.random.default_rng([19, seed])
    monitor = DriftMonitor(fitted(quiet, rng))
    if monitor.update(table(quiet(rng, QUIET))):
        return None
    opened = [each for each in monitor.update(table(drifted(rng, HORIZON))) if each.state == "opened"]
    return opened[0].window.to + 1 - QUIET if opened and opened[0].window else None


def table(values: np.ndarray) -> dict[str, np.ndarray]:
    """Return values (n,) or (n, c) as a table."""
    return {f"c{i}": column for i, column in enumerate(values.reshape(len(values), -1).T)}


@cache
def sentences(words: int) -> np.ndarray:
    """Return 40,000 texts of so many words on average, from which rows are drawn."""
    rng = np.random.default_rng(23)
    counts = np.minimum(1 + rng.negative_binomial(2, 2 / (words + 1), 40_000), 200)
    drawn = np.split(rng.choice(WORDS, counts.sum()), np.cumsum(counts)[:-1])
    texts = np.array([" ".join(each.tolist()) for each in drawn], dtype=object)
    numbers = rng.random(len(texts)) < 0.2
    texts[numbers] += np.array([f", line {i % 97}" for i in range(int(numbers.sum()))], dtype=object)
    return texts


def text(words: int = 12, *, empty: float = 0.02, accents: float = 0.03) -> Draw:
    """Return texts of which some are empty and some have letters beyond ASCII."""

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        values = rng.choice(sentences(words), n)
        kind = rng.random(n)
        values[kind < empty] = ""
        values[kind > 1 - accents] += " caf\u00e9"
        return values

    return draw


def times(
    *, strings: bool, night: float = 0.0, sunday: float = 0.0, broken: float = 0.0, days: int = 28
) -> Draw:
    """Return times that scatter over four weeks, in no order."""

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        hour, day = rng.choice(24, n, p=HOURS), rng.choice(7, n, p=WEEK)
        hour[rng.random(n) < night] = 3
        day[rng.random(n) < sunday] = 6
        week = rng.integers(0, days // 7, n)
        seconds = ((week * 7 + day) * 24 + hour) * 3_600 + rng.integers(0, 3_600, n)
        values = MONDAY + seconds.astype("timedelta64[s]")
        if not strings:
            return np.asarray(values)
        texts = values.astype(str).astype(object)
        texts[rng.random(n) < broken] = "0000-00-00"
        return np.asarray(texts)

    return draw


def names(levels: int, exponent: float, *, one: float = 0.0, new: float = 0.0) -> Draw:
    """Return names with Zipf's law, of which a share has become one rare level, or new ones."""
    weights = np.arange(1, levels + 1) ** -exponent

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        values = rng.choice(levels, n, p=weights / weights.sum())
        kind = rng.random(n)
        values[kind < one] = levels - 1
        fresh = kind > 1 - new
        values[fresh] = levels + rng.integers(0, 10**6, int(fresh.sum()))
        return np.array([f"n{value}" for value in values.tolist()], dtype=object)

    return draw


def numbers(columns: int, loading: float = 0.0) -> Draw:
    """Return numbers that a common factor has a part in, upwards in some columns and downwards in others."""
    loadings = loading * np.where(np.random.default_rng(29).random(columns) < 0.5, -1.0, 1.0)

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        own = rng.normal(size=(n, columns)) * np.sqrt(1 - loading**2)
        return np.asarray(own + rng.normal(size=(n, 1)) * loadings)

    return draw


CASES = {
    "comments": Case(
        text(),
        {
            "a quarter longer": text(15),
            "a third shorter": text(8),
            "empty from 2 to 7 %": text(empty=0.07),
            "beyond ASCII from 3 to 10 %": text(accents=0.1),
        },
    ),
    "times as strings": Case(
        times(strings=True),
        {
            "a tenth at 3 h": times(strings=True, night=0.1),
            "a tenth on Sundays": times(strings=True, sunday=0.1),
            "2 % no times": times(strings=True, broken=0.02),
        },
    ),
    "times": Case(times(strings=False), {"a tenth at 3 h": times(strings=False, night=0.1)}),
    "3,000 names": Case(
        names(3_000, 0.7),
        {
            "a tenth one rare name": names(3_000, 0.7, one=0.1),
            "a twentieth one rare name": names(3_000, 0.7, one=0.05),
            "a tenth new names": names(3_000, 0.7, new=0.1),
        },
    ),
    "50,000 names": Case(
        names(50_000, 0.8),
        {
            "a tenth one rare name": names(50_000, 0.8, one=0.1),
            "a tenth new names": names(50_000, 0.8, new=0.1),
        },
    ),
    "160 numbers": Case(
        numbers(160),
        {
            "correlations of .09 by a common factor": numbers(160, 0.3),
            "correlations of .25 by a common factor": numbers(160, 0.5),
        },
        is_wide=True,
    ),
}

if __name__ == "__main__":
    main()
