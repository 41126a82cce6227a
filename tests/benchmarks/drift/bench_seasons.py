"""A daily cycle and the drift on top of it: ``python tests/benchmarks/drift/bench_seasons.py``.

Ten columns of noise with sd 1, three of them with a daily cycle of amplitude 1. A model answers with a
probability that follows c0 and c3, and a label is drawn with it, so answers and labels have a cycle as well.
References of 20 days with 480 rows each, of which each run has its own, and a holdout of the 5 days after it:
as rows of known hours, as rows in their order, as rows in no order.

False alarms, set to one in 10,000 events, over tables of 1,280 with an alert opened; after one the monitor
starts over. *Outputs* are judged on a baseline from the holdout, *live outputs* on one from live rows. Labels
come half a day after their requests on average, exponentially. *Heir*: a reference of 2,000 rows of half a
day, beginning at another hour in each run, after c0 has moved up by one sd; as one that takes the cycle
of the reference before it, and as one that does not.

Drift: a column with a cycle moves by half an sd of its noise after a quiet day, answers by .4 in the logit,
and a fifth of one class is labelled as the other; the delay is counted from there, at one false alarm in
100,000 (labels: 50,000), until an alert names the column, or is of the kind.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from streamapp.drift import DriftMonitor
from streamapp.drift.labelled_panes import Places
from streamapp.drift.target import TargetMonitor
from streamapp.messages import Alert
from streamapp.profile import Columns, Profile
from streamapp.profile.season import DAY_MS
from tests.drift.seasons import Rows

EVERY = 10_000
START_MS = 1_700_000_000_000
REFERENCE_DAYS, REFERENCE_PER_DAY, HOLDOUT_DAYS = 20, 480, 5
WAYS = ("by the hour", "as a whole, in order", "as a whole, in no order")
HEIRS = ("heir that takes the cycle over", "heir that does not")
HEIR_ROWS, MOVED = 2_000, 1.0
CLASSES = ("no", "yes")
DAYS = 5


@dataclass
class Count:
    """Alarms in some events, and delays of the drifts that were found."""

    alarms: int = 0
    events: int = 0
    delays: list[int] = field(default_factory=list)

    def add(self, alarms: int, events: int) -> None:
        """Add those of a run."""
        self.alarms, self.events = self.alarms + alarms, self.events + events


def main() -> None:
    """Print the false alarms of each way to compare, and how soon it finds drift."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--references", type=int, default=20)
    parser.add_argument("--per-day", type=int, default=4_000, help="live rows a day")
    options = parser.parse_args()
    n, per_day = options.references, options.per_day
    print(f"{n} references, {per_day:,} live rows a day")
    for way in WAYS:
        counts = {what: Count() for what in ("inputs", "outputs", "live outputs", "labels")}
        for seed in range(n):
            profile = fitted(way, seed)
            quiet = live(seed, per_day, DAYS)
            counts["inputs"].add(*false_alarms(partial(monitor, profile), quiet))
            held = with_holdout(way, profile, seed)
            counts["outputs"].add(*false_alarms(partial(monitor, held), quiet, "output"))
            counts["live outputs"].add(*live_false_alarms(profile, seed, per_day))
            counts["labels"].add(*label_false_alarms(profile, quiet))
            counts["inputs"].delays += delay(profile, seed, per_day, "input")
            counts["outputs"].delays += delay(held, seed, per_day, "output")
            counts["labels"].delays += label_delay(profile, seed, per_day)
        say(way, counts, n)
    for way in HEIRS:
        counts = {what: Count() for what in ("inputs", "labels")}
        for seed in range(n):
            profile = heir(way, seed, per_day)
            quiet = live(seed, per_day, DAYS, after=1.0, up=MOVED)
            counts["inputs"].add(*false_alarms(partial(monitor, profile), quiet))
            if profile.of_labels() is not None:
                counts["labels"].add(*label_false_alarms(profile, quiet))
            counts["inputs"].delays += delay(profile, seed, per_day, "input", after=1.0, up=MOVED)
        say(way, counts, n)


def say(way: str, counts: dict[str, Count], runs: int) -> None:
    """Print what was counted."""
    print(way)
    for what, own in counts.items():
        rate = f"{own.alarms * EVERY / own.events:.2f} times the set rate" if own.events else "not watched"
        line = f"  {what}: {own.alarms} alarms in {own.events:,} events, {rate}"
        if own.delays:
            delays = f"{np.mean(own.delays):,.0f} events, at most {max(own.delays):,}"
            line += f"; drift found in {len(own.delays)} of {runs}, after {delays}"
        print(line, flush=True)


def fitted(way: str, seed: int) -> Profile:
    """Return a profile of fresh reference rows."""
    own = rows([seed, 1], REFERENCE_DAYS, REFERENCE_PER_DAY, START_MS)
    if way == WAYS[0]:
        return Profile.fit(own.columns, y=own.labels, classes=CLASSES, times=own.times)
    return Profile.fit(own.columns, y=own.labels, classes=CLASSES, ordered=way == WAYS[1])


def with_holdout(way: str, profile: Profile, seed: int) -> Profile:
    """Return the profile with a baseline of outputs."""
    first = START_MS + REFERENCE_DAYS * DAY_MS
    held = rows([seed, 3], HOLDOUT_DAYS, REFERENCE_PER_DAY, first)
    return profile.with_outputs(held.outputs, CLASSES, held.times if way == WAYS[0] else None)


def heir(way: str, seed: int, per_day: int) -> Profile:
    """Return the profile of half a day after c0 has moved."""
    own = live(seed, per_day, 1, up=MOVED).part(slice(0, HEIR_ROWS))
    like = fitted(WAYS[0], seed) if way == HEIRS[0] else None
    return Profile.fit(own.columns, y=own.labels, classes=CLASSES, times=own.times, like=like)


def live(seed: int, per_day: int, days: int, *, after: float = 0.0, up: float = 0.0) -> Rows:
    """Return the rows of some days that begin at another hour in each run."""
    first = START_MS + int((25 + after + seed / 20) * DAY_MS)
    return rows([seed, 2 + int(after)], days, per_day, first, up)


def rows(seed: list[int], days: int, per_day: int, first_ms: int, up: float = 0.0) -> Rows:
    """Return rows of the stream, in which c0 lies higher by `up`."""
    rng = np.random.default_rng(seed)
    times = first_ms + np.sort(rng.integers(0, days * DAY_MS, days * per_day))
    table = rng.normal(size=(10, len(times)))
    for i in range(3):
        table[i] += np.sin(2 * np.pi * times / DAY_MS + i)
    table[0] += up
    columns = {f"c{i}": own for i, own in enumerate(table)}
    yes = probability(columns)
    labels = np.where(rng.random(len(times)) < yes, *reversed(CLASSES)).astype(object)
    return Rows(columns, times, answers(yes), labels)


def probability(columns: Columns, up: float | np.ndarray = 0.0) -> np.ndarray:
    """Return what the model says, (n,), with the logit higher by `up`."""
    return np.asarray(1 / (1 + np.exp(-(columns["c0"] + 0.5 * columns["c3"] - 1 + up))))


def answers(yes: np.ndarray) -> np.ndarray:
    """Return probabilities of both classes, (n, 2)."""
    return np.stack([1 - yes, yes], axis=1)


def monitor(profile: Profile, every: int = EVERY) -> DriftMonitor:
    """Return a fresh monitor."""
    return DriftMonitor(profile, false_alarm_every=every)


def opened(watch: DriftMonitor, table: Rows, kind: str | None) -> list[Alert]:
    """Return the alerts that a table opens; without a kind, those of anything but outputs."""
    alerts = watch.update(table.columns, table.outputs if kind == "output" else None, times=table.times)
    return [alert for alert in alerts if alert.state == "opened" and kind in (None, alert.kind)]


def false_alarms(begin: Callable[[], DriftMonitor], quiet: Rows, kind: str | None = None) -> tuple[int, int]:
    """Return alarms without drift, and the events that they came in."""
    alarms, watch = 0, begin()
    for table in quiet.tables():
        if opened(watch, table, kind):
            alarms, watch = alarms + 1, begin()
    return alarms, len(quiet.times)


def live_false_alarms(profile: Profile, seed: int, per_day: int) -> tuple[int, int]:
    """Return those of outputs on a baseline from the rows of the days before."""
    before, quiet = live(seed, per_day, 4, after=1.0), live(seed, per_day, DAYS, after=5.0)
    watch = monitor(profile)
    for table in before.tables():
        opened(watch, table, "output")
        if watch.has_output_baseline:
            break
    known = watch.snapshot()

    def begin() -> DriftMonitor:
        again = DriftMonitor.restore(profile, known, false_alarm_every=EVERY)
        again.begin_windows()
        return again

    return false_alarms(begin, quiet, "output")


def target_monitor(profile: Profile, every: int = EVERY) -> TargetMonitor:
    """Return a fresh monitor of labels."""
    return TargetMonitor(profile, false_alarm_every=every, noted_every=every, clear_after=5_000)


def judged(watch: TargetMonitor, table: Rows, first: int = 0) -> list[Alert]:
    """Return what a table of labelled rows changes."""
    at = first + np.arange(len(table.labels))
    places = Places(table.times, np.zeros_like(at), at)
    known = np.ones(len(at), dtype=bool)
    return [alert for _, alert in watch.judge(table.labels, table.columns, known, places)]


def as_labelled(table: Rows) -> Rows:
    """Return the rows in the order in which they are labelled."""
    waits = np.random.default_rng(len(table.times)).exponential(DAY_MS / 2, len(table.times))
    return table.part(np.argsort(table.times + waits, kind="stable"))


def label_false_alarms(profile: Profile, quiet: Rows) -> tuple[int, int]:
    """Return alarms of labels without drift, and the rows that they came in."""
    alarms, watch = 0, target_monitor(profile)
    for table in as_labelled(quiet).tables():
        if any(alert.state == "opened" for alert in judged(watch, table)):
            alarms, watch = alarms + 1, target_monitor(profile)
    return alarms, len(quiet.times)


def delay(
    profile: Profile, seed: int, per_day: int, kind: str, *, after: float = 0.0, up: float = 0.0
) -> list[int]:
    """Return the events until an alert is of the kind, and names what has moved; none if none in two days."""
    stream = live(seed + 1_000, per_day, 3, after=after, up=up)
    moved = np.arange(len(stream.times)) >= per_day
    if kind == "input":
        stream.columns["c0"] = stream.columns["c0"] + np.where(moved, 0.5, 0.0)
    else:
        stream.outputs[:] = answers(probability(stream.columns, np.where(moved, 0.4, 0.0)))
    watch, events = monitor(profile, 100_000), 0
    for table in stream.tables(64):
        events += 64
        alerts = watch.update(table.columns, table.outputs if kind == "output" else None, times=table.times)
        named = {feature.name for alert in alerts if alert.kind == kind for feature in alert.features}
        if events > per_day and (named if kind == "output" else "c0" in named):
            return [events - per_day]
    return []


def label_delay(profile: Profile, seed: int, per_day: int) -> list[int]:
    """Return the labelled rows until an alert, after a fifth of the rows labelled no are labelled yes."""
    stream = as_labelled(live(seed + 1_000, per_day, 3))
    turned = (np.arange(len(stream.labels)) >= per_day) & (
        np.random.default_rng(seed).random(len(stream.labels)) < 0.2
    )
    stream.labels[turned] = CLASSES[1]
    watch, events = target_monitor(profile, 50_000), 0
    for table in stream.tables(64):
        changed = judged(watch, table, events)
        events += 64
        if events > per_day and any(alert.state == "opened" for alert in changed):
            return [events - per_day]
    return []


if __name__ == "__main__":
    main()
